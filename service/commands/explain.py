"""`minhbach explain`: why a claim, a doctor, a facility or a patient is where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from service.console import json_option, start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.bootstrap import App
    from service.console import Console
    from service.reading import EntityDetail, Level
    from service.web.presenters.entity import EntityView


@click.command("explain")
@click.argument("claim_id", metavar="[MA_CSKCB:MA_LK]", required=False)
@click.option("--doctor", metavar="MA_CSKCB:MA_BAC_SI", help="Một bác sĩ ở một cơ sở / one doctor at one facility.")
@click.option("--facility", metavar="MA_CSKCB", help="Một cơ sở / one facility.")
@click.option("--patient", metavar="ID", help="Một người bệnh, mã thay tên / one patient, by pseudonym.")
@click.option("--run", "run_id", help="Lượt chấm; mặc định mới nhất / run; default the newest.")
@click.option("--lang", type=click.Choice(["vi", "en"]), help="Ngôn ngữ / language.")
@json_option
def command(
    claim_id: str | None,
    doctor: str | None,
    facility: str | None,
    patient: str | None,
    run_id: str | None,
    lang: str | None,
    *,
    as_json: bool,
) -> None:
    r"""Vì sao hồ sơ, bác sĩ, cơ sở, người bệnh đứng ở thứ hạng đó / why a claim or an entity is where it is.

    Hồ sơ: từng dấu hiệu và số tiền. Bác sĩ, cơ sở, người bệnh: các phần cộng thành điểm, chi phí so với mức kỳ vọng,
    thay đổi theo thời gian / a claim: sign by sign. Others: the parts their score adds up from, cost beside the
    expected, changes over time.

    \b
    Ví dụ / Examples:
      minhbach explain 98001:HS0000123
      minhbach explain --doctor 98001:000123/98-CCHN
      minhbach explain --facility 98001 --json
    """
    asked: list[tuple[Level, str | None]] = [("doctor", doctor), ("facility", facility), ("patient", patient)]
    entities: list[tuple[Level, str]] = [(level, entity_id) for level, entity_id in asked if entity_id is not None]
    if len(entities) + (claim_id is not None) != 1:
        raise click.UsageError("cho đúng một / give exactly one: MA_CSKCB:MA_LK, --doctor, --facility, --patient")
    app, console = start(as_json)
    console.lang = "en" if (lang or console.lang) == "en" else "vi"
    if claim_id is not None:
        _claim(app, console, claim_id, run_id)
    for level, entity_id in entities:
        _entity(app, console, level, entity_id, run_id)


def _claim(app: App, console: Console, claim_id: str, run_id: str | None) -> None:
    from detectors.explain import dong
    from service.accounts import Scope

    language = console.lang
    detail = app.reading.claim(Scope(), claim_id, run_id)
    row = detail.row
    if row is None:
        console.result({"claim_id": claim_id, "status": "not_scored"})
        return

    def show() -> None:
        risk, recoverable, asked = (
            dong(float(v or 0), language) for v in (row.amount_at_risk, row.expected_recoverable, row.t_bhtt)
        )
        place = (
            f"{claim_id}: {console.text('hạng', 'rank')} {row.rank}, {console.text('điểm', 'score')} {row.score:.3f}"
        )
        click.echo(
            console.text(
                f"{place}; {risk} có dấu hiệu, có thể thu hồi {recoverable} trên {asked} đề nghị",
                f"{place}; {risk} at risk, {recoverable} may be recovered of {asked} asked",
            )
        )
        signs = [item for item in detail.evidence if item["kind"] not in ("standing", "not_evaluable")]
        for item in signs:
            law = f" [{item['legal_basis']}]" if item["legal_basis"] else ""
            click.echo(
                f"- {item['source']}: {item[f'text_{language}']} — {dong(item['expected_recoverable'], language)}{law}"
            )
        if not signs:
            click.echo(console.text("Chưa thấy dấu hiệu bất thường.", "No sign found."))
        for item in detail.evidence:
            if item["kind"] == "standing":
                click.echo(f"- {item[f'text_{language}']}")
            if item["kind"] == "not_evaluable":
                lacking = ", ".join(item.get("fields") or [item["field"]])
                click.echo(
                    console.text(
                        f"- {item['source']}: chưa đánh giá được, thiếu {lacking}",
                        f"- {item['source']}: could not judge, {lacking} is missing",
                    )
                )

    console.result(
        {
            "claim_id": claim_id,
            "run_id": row.run_id,
            "rank": row.rank,
            "score": row.score,
            "amount_at_risk": float(row.amount_at_risk),
            "expected_recoverable": float(row.expected_recoverable),
            "evidence": [dict(item) for item in detail.evidence],
        },
        show,
    )


def _entity(app: App, console: Console, level: Level, entity_id: str, run_id: str | None) -> None:
    from service.accounts import Scope

    run = app.reading.run(run_id)
    found = app.reading.entity(level, Scope(), entity_id, run.run_id)
    row = found.row

    def show() -> None:
        from service.web.presenters.entity import entity_view

        code = "" if level == "patient" else entity_id.partition(":")[0]
        name = app.reading.facility_names([code]).get(code)
        _show_entity(console, entity_view(found, run, name, lang=console.lang), over_time=level != "patient")

    console.result(
        {
            "level": level,
            "entity_id": row.entity_id,
            "run_id": run.run_id,
            "rank": row.rank,
            "score": row.score,
            "flagged": row.flagged,
            "t_bhtt": float(row.t_bhtt),
            "amount_at_risk": float(row.amount_at_risk),
            "expected_recoverable": float(row.expected_recoverable),
            "reasons_vi": row.reasons_vi,
            "reasons_en": row.reasons_en,
            "evidence": [dict(item) for item in found.evidence],
            "claims": _makers(found),
        },
        show,
    )


def _makers(found: EntityDetail) -> list[dict[str, object]]:
    """The claims that make an entity what it is."""
    return [
        {
            "claim_id": each.claim.claim_id,
            "part": each.part,
            "expected_recoverable": float(each.expected_recoverable),
            "share": each.share,
        }
        for each in found.claims
    ]


def _show_entity(console: Console, view: EntityView, *, over_time: bool) -> None:
    """What the entity's page shows, in its order; `over_time`: changes are sought of such entities."""
    from service.web.texts import Words

    t = Words(console.lang)

    def section(title: str, lines: Sequence[str]) -> None:
        click.echo(f"\n{title}")
        for line in lines:
            click.echo(f"- {line}")

    click.echo(" · ".join(part for part in (f"{view.heading} {view.entity_id}", view.name, view.run) if part))
    click.echo("; ".join(f"{gauge.label}: {gauge.value}" for gauge in view.gauges))
    section(t("entity.reasons"), [*view.reasons, *([view.cost] if view.cost else [])])
    if view.parts:
        rows = [(part.label, part.amount) for part in view.parts]
        click.echo()
        console.table(["", "log-odds"], [*rows, (t("entity.parts_sum"), view.parts_sum)], title=t("entity.parts"))
        click.echo(t("entity.parts_help"))
    if not over_time:
        return
    section(t("entity.changes"), view.changes or [t("entity.changes_none" if view.months else "entity.changes_short")])
    if view.growth is None:
        section(t("entity.growth"), [t("entity.growth_none")])
        return
    section(t("entity.growth"), [view.growth.text])
    parts = [(part.label, part.help, part.amount) for part in view.growth.parts]
    console.table(["", "", "VND"], [*parts, (t("growth_part.growth"), "", view.growth.total)])
    if view.growth.shocks:
        click.echo(f"{t('entity.shocks')} {'; '.join(view.growth.shocks)}.")
    click.echo(t("entity.weighs_nothing"))
