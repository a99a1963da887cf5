"""`minhbach explain`: why a claim is where it is."""

from __future__ import annotations

import click

from service.console import json_option, start


@click.command("explain")
@click.argument("claim_id", metavar="MA_CSKCB:MA_LK")
@click.option("--run", "run_id", help="Lượt chấm; mặc định mới nhất / run; default the newest.")
@click.option("--lang", type=click.Choice(["vi", "en"]), help="Ngôn ngữ / language.")
@json_option
def command(claim_id: str, run_id: str | None, lang: str | None, as_json: bool) -> None:
    r"""Vì sao hồ sơ đứng ở thứ hạng đó, từng dấu hiệu và số tiền / why a claim is where it is, sign by sign.

    \b
    Ví dụ / Example:
      minhbach explain 98001:HS0000123
    """
    from detectors.explain import dong
    from service.accounts import Scope

    app, console = start(as_json)
    language = "en" if (lang or console.lang) == "en" else "vi"
    console.lang = language
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
