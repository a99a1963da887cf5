"""`minhbach rules`: the rule catalogue."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

import click

from service.console import json_option, start

if TYPE_CHECKING:
    from detectors.base import Rule
    from models.efficacy import Efficacy
    from models.rehearsal import Rehearsal
    from service.console import Console


@click.group("rules", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    r"""Các quy tắc: căn cứ pháp lý, tham số, ví dụ / the rules: law, parameters, examples.

    \b
    Ví dụ / Examples:
      minhbach rules list
      minhbach rules show BED-01
      minhbach rules rehearse BED-01 --since 2026-07-01 --until 2026-09-30
    """
    if context.invoked_subcommand is None:
        context.invoke(listed)


@command.command("list")
@json_option
def listed(as_json: bool = False) -> None:
    """Liệt kê / list."""
    from detectors.base import rules

    _, console = start(as_json)
    rows = [
        {
            "id": r.id,
            "version": r.version,
            "scheme": r.scheme,
            "severity": r.severity,
            "title_vi": r.title_vi,
            "title_en": r.title_en,
            "legal_basis": r.legal_basis,
        }
        for r in rules()
    ]
    title = console.text("title_vi", "title_en")
    console.result(
        {"rules": rows},
        lambda: console.table(
            ["id", "v", "severity", "scheme", console.text("Nội dung", "Title"), console.text("Căn cứ", "Law")],
            [(r["id"], r["version"], r["severity"], r["scheme"], r[title], r["legal_basis"]) for r in rows],
        ),
    )


@command.command("show")
@click.argument("rule_id")
@json_option
def show(rule_id: str, as_json: bool) -> None:
    """Một quy tắc / one rule."""
    from detectors.base import rules

    _, console = start(as_json)
    found = {r.id: r for r in rules()}
    if rule_id not in found:
        raise click.BadParameter(f"{rule_id}: {', '.join(found)}", param_hint="RULE_ID")
    rule = found[rule_id]
    console.result(
        {
            "id": rule.id,
            "version": rule.version,
            "scheme": rule.scheme,
            "severity": rule.severity,
            "title_vi": rule.title_vi,
            "title_en": rule.title_en,
            "legal_basis": rule.legal_basis,
            "valid_from": rule.valid_from,
            "valid_to": rule.valid_to,
            "needs": list(rule.needs),
            "catalogues": list(rule.catalogues),
            "parameters": dict(rule.parameters),
            "known_gaps_vi": rule.known_gaps_vi,
            "known_gaps_en": rule.known_gaps_en,
            "examples": [
                {"kind": e.kind, "title_vi": e.title_vi, "title_en": e.title_en, "amount": e.amount}
                for e in rule.examples
            ],
        },
        lambda: _page(console, rule),
    )


def _page(console: Console, rule: Rule) -> None:
    """A rule for people, in the language of the user."""
    from detectors.rulebook import page

    click.echo("\n".join([rule.id, "", *page(rule, console.lang)]))


@command.command("rehearse")
@click.argument("rule", metavar="ID|FILE.py")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="Từ ngày ra viện / first day of discharge.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Đến ngày / last day.")
@json_option
def rehearse(rule: str, since: datetime | None, until: datetime | None, as_json: bool) -> None:
    r"""Thử một quy tắc, kể cả bản nháp, trên các tháng đã qua / what a rule, also a draft, would have found.

    Không ghi gì cả / writes nothing.

    \b
    Ví dụ / Examples:
      minhbach rules rehearse EXAM-02 --since 2026-07-01
      minhbach rules rehearse nhap/quy_tac_moi.py --since 2026-01-01 --until 2026-06-30
    """
    from models.rehearsal import rehearse as run
    from models.rehearsal import rule_of

    app, console = start(as_json)
    chosen = rule_of(rule)
    with (
        app.lake.reader() as reader,
        console.progress(f"Thử {chosen.ref}", f"Rehearsing {chosen.ref}") as told,
    ):
        result = run(
            reader,
            chosen,
            since=since.date() if since else None,
            until=until.date() if until else None,
            progress=told,
        )
    title = console.text(chosen.title_vi, chosen.title_en)
    console.result(result.as_json(), lambda: _show(console, result, title))


def _show(console: Console, found: Rehearsal, title: str) -> None:
    """The rehearsal for people."""
    text = console.text
    click.echo(f"{found.rule}  {title}")
    click.echo(
        text(
            f"{found.encounters:,} hồ sơ: {found.hit:,} có dấu hiệu ({found.alone:,} chỉ quy tắc này thấy), "
            f"{found.clear:,} không, {found.not_evaluable:,} không đánh giá được; {found.amount:,.0f} đồng",
            f"{found.encounters:,} claims: {found.hit:,} with a sign ({found.alone:,} seen by this rule alone), "
            f"{found.clear:,} clear, {found.not_evaluable:,} not evaluable; {found.amount:,.0f} VND",
        )
    )
    if found.reason:
        click.echo(found.reason)
    parts = (
        (text("Theo tháng", "By month"), found.months),
        (text("Cơ sở nhiều tiền nhất", "Facilities with most money"), found.facilities),
        (text("Trùng với quy tắc khác", "Overlap with other rules"), found.overlap),
        (text("Hồ sơ nhiều tiền nhất", "Dearest claims"), found.claims),
    )
    for heading, rows in parts:
        if rows:
            console.table(list(rows[0]), [[_cell(v) for v in row.values()] for row in rows], title=heading)


def _cell(value: object) -> object:
    return f"{value:,.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


@command.command("switch")
@click.argument("rule_id")
@click.option("--state", type=click.Choice(["on", "shadow", "off"]), required=True, help="Trạng thái / state.")
@click.option("--province", help="Mã tỉnh; mặc định: mọi tỉnh / province code; default: everywhere.")
@click.option("--by", required=True, help="Người quyết định / who decides.")
@click.option("--reason", required=True, help="Lý do / why.")
@json_option
def switch(
    rule_id: str, state: Literal["on", "shadow", "off"], province: str | None, by: str, reason: str, as_json: bool
) -> None:
    r"""Bật, tắt, hoặc cho một quy tắc chạy ngầm / turn a rule on, off or into shadow (counted, not shown).

    Có hiệu lực từ lượt chấm sau / holds from the next run on.

    \b
    Ví dụ / Example:
      minhbach rules switch EXAM-02 --state shadow --province 97 --by "T. An" --reason "đang rà soát danh mục giá"
    """
    app, console = start(as_json)
    event = app.rule_desk.switch(rule_id, state, by=by, reason=reason, province=province)
    console.result(
        {"rule": event.rule, "state": event.state, "province": event.province, "by": event.by, "at": event.at}
    )


@command.command("switches")
@json_option
def switches(as_json: bool) -> None:
    """Quy tắc nào đang tắt, chạy ngầm, miễn trừ / what is off, in shadow or snoozed, and who did it."""
    app, console = start(as_json)
    turned = [
        {"rule": e.rule, "province": e.province, "state": e.state, "by": e.by, "reason": e.reason, "at": e.at}
        for e in app.rule_desk.switches()
    ]
    snoozed = [
        {
            "id": s.id, "rule": s.rule, "level": s.level, "entity": s.entity, "until": s.until, "in_force": s.in_force,
            "asked_by": s.asked_by, "approved_by": s.approved_by, "ended_by": s.ended_by, "reason": s.reason,
        }
        for s in app.rule_desk.snoozes()
    ]  # fmt: skip

    def show() -> None:
        for title, rows in (
            (console.text("Công tắc", "Switches"), turned),
            (console.text("Miễn trừ", "Snoozes"), snoozed),
        ):
            if rows:
                console.table(list(rows[0]), [list(row.values()) for row in rows], title=title)

    console.result({"in_force": app.rule_desk.in_force().as_json(), "switches": turned, "snoozes": snoozed}, show)


@command.command("snooze")
@click.argument("rule_id")
@click.argument("level", type=click.Choice(["claim", "patient", "doctor", "facility"]))
@click.argument("entity")
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Ngày ra viện cuối / last discharge day."
)
@click.option("--by", required=True, help="Người đề nghị / who asks.")
@click.option("--reason", required=True, help="Lý do / why.")
@json_option
def snooze(
    rule_id: str, level: Literal["claim", "patient", "doctor", "facility"], entity: str, until: datetime, by: str,
    reason: str, as_json: bool,
) -> None:  # fmt: skip
    r"""Đề nghị quy tắc bỏ qua một đối tượng đến một ngày / ask a rule to leave an entity alone until a day.

    Chỉ có hiệu lực khi người thứ hai duyệt / holds once a second person approves (`rules approve`).

    \b
    Ví dụ / Example:
      minhbach rules snooze BED-01 facility 97001 --until 2026-12-31 --by "T. An" --reason "phần mềm đang sửa"
    """
    app, console = start(as_json)
    found = app.rule_desk.ask_snooze(rule_id, level, entity, until=until.date(), by=by, reason=reason)
    console.result({"id": found.id, "rule": found.rule, "entity": found.entity, "in_force": found.in_force})


@command.command("approve")
@click.argument("snooze_id", type=int)
@click.option("--by", required=True, help="Người duyệt, khác người đề nghị / who approves, another person.")
@json_option
def approve(snooze_id: int, by: str, as_json: bool) -> None:
    """Duyệt một miễn trừ / approve a snooze."""
    app, console = start(as_json)
    found = app.rule_desk.approve(snooze_id, by=by)
    console.result({"id": found.id, "rule": found.rule, "entity": found.entity, "in_force": found.in_force})


@command.command("end")
@click.argument("snooze_id", type=int)
@click.option("--by", required=True, help="Ai / who.")
@click.option("--reason", required=True, help="Lý do / why.")
@json_option
def end(snooze_id: int, by: str, reason: str, as_json: bool) -> None:
    """Kết thúc hoặc từ chối một miễn trừ / end or refuse a snooze."""
    app, console = start(as_json)
    found = app.rule_desk.end(snooze_id, by=by, reason=reason)
    console.result({"id": found.id, "rule": found.rule, "entity": found.entity, "in_force": found.in_force})


@command.command("board")
@json_option
def board(as_json: bool) -> None:
    r"""Hiệu quả từng quy tắc: số hồ sơ, tiền, tỷ lệ được xác nhận / what each rule names and how much is confirmed.

    \b
    Ví dụ / Example:
      minhbach rules board
    """
    from service.rule_board import rule_board

    app, console = start(as_json)
    with app.lake.reader() as reader:
        found = rule_board(app.lake, reader, app.cases)
    text = console.text
    heads = [
        "id", text("Hồ sơ", "claims"), text("Chạy ngầm", "shadow"), "VND", text("Đã quyết", "decided"),
        text("Xác nhận", "confirmed"), text("Riêng", "alone"), text("Giống nhất", "most like"),
        text("6 tháng", "6 months"), text("Đề xuất", "standing"),
    ]  # fmt: skip

    def share(e: Efficacy) -> str:
        if e.confirmed is None:
            return "–"
        return f"{e.confirmed:.0%} ({e.confirmed_low:.0%}–{e.confirmed_high:.0%})"

    console.result(
        {"rules": [e.as_json() for e in found]},
        lambda: console.table(
            heads,
            [
                (
                    e.rule, e.claims, e.shadow_claims, f"{e.amount:,.0f}", e.decided, share(e), e.alone,
                    f"{e.most_like} {e.most_like_share:.0%}" if e.most_like else "", " ".join(map(str, e.months)),
                    e.standing,
                )
                for e in found
                if e.standing != "silent"
            ],
        ),
    )  # fmt: skip
