"""`minhbach quality`: how clean the data are, and what goes back to which facility."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from service.console import json_option, start

if TYPE_CHECKING:
    import polars as pl

    from data.quality import FacilityCard, Month, Scorecard, Ticket
    from service.console import Console
    from service.web.formats import Lang

STEPS = "▁▂▃▄▅▆▇█"
LOUD = 0.05  # a month of this share of faults stands at full height at least
FORMATS = (".csv", ".xlsx")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def _month(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    from data.quality import month_of

    if value is None:
        return None
    month = month_of(value)
    if month is None:
        raise click.BadParameter(f"{value}: yyyymm, ví dụ / such as 202609")
    return month


@click.command("quality")
@click.option("--facility", metavar="MA_CSKCB", help="Một cơ sở, kèm thư gửi cơ sở / one facility, with its letters.")
@click.option("--month", callback=_month, metavar="YYYYMM", help="Tháng ra viện / month of discharge.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="Số dòng mỗi bảng / rows a table.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Ghi ra / write to .csv, .xlsx.")
@click.option("--lang", type=click.Choice(["vi", "en"]), help="Ngôn ngữ / language.")
@json_option
def command(
    facility: str | None,
    month: int | None,
    limit: int,
    out: Path | None,
    lang: Literal["vi", "en"] | None,
    as_json: bool,
) -> None:
    r"""Điểm dữ liệu từng cơ sở, phiếu lỗi phần mềm, thư gửi cơ sở / data scores, software tickets, letters.

    Điểm = 100 trừ số lỗi (từ chối, cảnh báo) trên 100 dòng / score = 100 less the faults per 100 rows.

    \b
    Ví dụ / Examples:
      minhbach quality                            # cơ sở kém nhất trước / worst facilities first
      minhbach quality --facility 98001           # bảng, trường, thư / tables, fields, letters
      minhbach quality --month 202609 --out chat-luong-202609.xlsx
      minhbach quality --facility 98001 --lang en
    """
    from data.quality import facility_card, scorecard

    if out is not None and out.suffix.lower() not in FORMATS:
        raise click.BadParameter(f"{out.name}: {', '.join(FORMATS)}", param_hint="--out")
    app, console = start(as_json)
    console.lang = lang or console.lang
    with app.lake.reader() as reader:
        if facility is None:
            card = scorecard(reader, month=month)
            value, tables = _overview(card)
        else:
            card = facility_card(reader, facility, month=month)
            value, tables = _of_facility(card)
    if out is not None:
        _write(out, tables)
        console.step(f"Đã ghi {out}", f"Wrote {out}")
        value["file"] = str(out)
    console.result(value, lambda: _show(console, card, limit))


def _overview(card: Scorecard) -> tuple[dict[str, Any], Mapping[str, list[dict[str, Any]]]]:
    facilities = [
        {
            **_plain(f),
            "quarantined": f.quarantined,
            "score": round(f.score, 2),
            "months": [_month_value(m) for m in f.months],
        }
        for f in card.facilities
    ]
    tickets = [_ticket(t) for t in card.tickets]
    shared = [{**_plain(s), "hint_vi": s.hint_vi, "hint_en": s.hint_en} for s in card.shared]
    files = [_plain(f) for f in card.files]
    value = {"snapshot": card.snapshot, "month": card.month, "facilities": facilities, "tickets": tickets}
    return value | {"shared": shared, "files": files}, {
        "facilities": facilities,
        "tickets": tickets,
        "shared": shared,
        "files": files,
    }


def _of_facility(card: FacilityCard) -> tuple[dict[str, Any], Mapping[str, list[dict[str, Any]]]]:
    own = card.facility
    head = {**_plain(own), "quarantined": own.quarantined, "score": round(own.score, 2)}
    tables = [
        {**_plain(t), "score": round(t.score, 2), "months": [_month_value(m) for m in t.months]} for t in card.tables
    ]
    faults = [
        {
            **_plain(f),
            "share": round(f.share, 6),
            "hint_vi": f.hint_vi,
            "hint_en": f.hint_en,
            "months": [_month_value(m) for m in f.months],
        }
        for f in card.faults
    ]
    tickets = [_ticket(t) for t in card.tickets]
    value = {
        "snapshot": card.snapshot,
        "month": card.month,
        "facility": {**head, "months": [_month_value(m) for m in own.months]},
        "tables": tables,
        "faults": faults,
        "tickets": tickets,
    }
    return value, {"faults": faults, "tables": tables, "tickets": tickets}


def _ticket(ticket: Ticket) -> dict[str, Any]:
    return {**_plain(ticket), "hint_vi": ticket.hint_vi, "hint_en": ticket.hint_en}


def _plain(value: Any) -> dict[str, Any]:
    return asdict(value)


def _month_value(month: Month) -> dict[str, Any]:
    return {**asdict(month), "score": round(month.score, 2)}


def _write(out: Path, tables: Mapping[str, list[dict[str, Any]]]) -> None:
    """All tables as sheets of a workbook, or the first as CSV."""
    import polars as pl

    frames = {name: _flat(rows) for name, rows in tables.items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix.lower() == ".csv":
        next(iter(frames.values())).write_csv(out)
        return
    import xlsxwriter

    options = {"strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(out), options) as book:
        for name, frame in frames.items():
            if frame.width:
                frame.write_excel(book, worksheet=name)
            else:
                pl.DataFrame({"": []}, schema={"": pl.String}).write_excel(book, worksheet=name)


def _flat(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows of a sheet: one cell a value, lists of examples in words, months left out; formulas made plain text."""
    import polars as pl

    kept = [{k: _cell(k, v) for k, v in row.items() if k != "months"} for row in rows]
    return pl.DataFrame(kept, infer_schema_length=None)


def _cell(name: str, value: Any) -> Any:
    if name == "examples":
        return "; ".join(f"{e['ma_lk']} #{e['row_no']} {e['value'] or ''}".strip() for e in value)
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


# for people


def _show(console: Console, card: Scorecard | FacilityCard, limit: int) -> None:
    from data.quality import Scorecard

    lang: Lang = "en" if console.lang == "en" else "vi"
    if isinstance(card, Scorecard):
        _show_overview(console, card, limit, lang)
    else:
        _show_facility(console, card, limit, lang)


def _show_overview(console: Console, card: Scorecard, limit: int, lang: Lang) -> None:
    from service.web.presenters.quality import quality_view

    view = quality_view(card, lang=lang, claims=True)
    text = console.text
    if not card.facilities:
        click.echo(text("Chưa có hồ sơ nào được nạp.", "No claims were loaded yet."))
        return
    rows = [*view.facilities, *view.more_facilities]
    months = _months(f.months for f in card.facilities)
    console.table(
        [
            text("Điểm", "Score"),
            text("Cơ sở", "Facility"),
            text("Dòng", "Rows"),
            text("Từ chối", "Refused"),
            text("Lỗi/100 dòng", "Faults/100 rows"),
            text("Phiếu mở", "Open tickets"),
            text("Theo tháng", "By month"),
        ],
        [
            (v.score, f"{v.code} {v.name}", v.rows, v.quarantined, v.per_hundred, v.tickets, _spark(f.months, months))
            for v, f in list(zip(rows, card.facilities, strict=True))[:limit]
        ],
        title=text(f"{len(rows)} cơ sở, kém nhất trước", f"{len(rows)} facilities, worst first"),
    )
    tickets = [*view.tickets, *view.slight_tickets]
    if tickets:
        console.table(
            [
                text("Cơ sở", "Facility"),
                text("Trường cần sửa", "Field to mend"),
                text("Thời gian", "Period"),
                text("Tỷ lệ", "Share"),
                text("Trạng thái", "State"),
                text("Cách sửa", "Way to mend it"),
            ],
            [
                (v.facility, v.field, v.period, f"{v.share}, {v.elsewhere}", v.state, f"{v.hint} {_masked(v.mask)}")
                for v in tickets[:limit]
            ],
            title=text(f"{len(tickets)} phiếu lỗi phần mềm", f"{len(tickets)} software tickets"),
        )
        click.echo(
            text(
                f"Thư gửi cơ sở: minhbach quality --facility {tickets[0].facility}",
                f"Letters: minhbach quality --facility {tickets[0].facility}",
            )
        )
    else:
        click.echo(text("Không có phiếu lỗi phần mềm.", "No software ticket."))
    if view.shared:
        console.table(
            [text("Trường", "Field"), text("Cơ sở", "Facilities"), text("Số lượng", "Extent"), text("Lỗi", "Fault")],
            [(v.field, v.facilities, v.extent, v.hint) for v in view.shared[:limit]],
            title=text(
                "Lỗi chung: có thể danh mục ở đây đã cũ, xem trước khi gửi thư",
                "Shared faults: perhaps our own list is behind, look there first",
            ),
        )
    if view.files:
        console.table(
            [text("Lỗi tệp", "File fault"), text("Số lượng", "Extent"), text("Ví dụ", "Example")],
            [(v.code, v.times, v.example) for v in view.files[:limit]],
        )


def _show_facility(console: Console, card: FacilityCard, limit: int, lang: Lang) -> None:
    from service.web.presenters.quality import facility_view

    text = console.text
    view = facility_view(card, lang=lang, claims=True)
    months = _months([card.facility.months])
    click.echo(f"{view.code} {view.name}".strip())
    click.echo("; ".join(f"{g.label}: {g.value}" for g in view.gauges))
    console.table(
        [
            text("Bảng", "Table"),
            text("Điểm", "Score"),
            text("Dòng", "Rows"),
            text("Từ chối", "Refused"),
            text("Lỗi/100 dòng", "Faults/100 rows"),
            text("Theo tháng", "By month"),
        ],
        [
            (v.source, v.score, v.rows, v.quarantined, v.per_hundred, _spark(t.months, months))
            for v, t in zip(view.tables, card.tables, strict=True)
        ],
    )
    faults = [*view.faults, *view.slight_faults]
    if faults:
        console.table(
            [
                text("Trường", "Field"),
                text("Mức", "Level"),
                text("Tỷ lệ dòng", "Share of rows"),
                text("Số lượng", "Extent"),
                text("Theo tháng", "By month"),
                text("Lỗi và cách sửa", "Fault and way to mend it"),
            ],
            [
                (v.field, v.severity, v.share, v.extent, _spark(f.months, months), v.hint)
                for v, f in list(zip(faults, card.faults, strict=True))[:limit]
            ],
        )
    for ticket in view.tickets[:limit]:
        click.echo(f"\n{'─' * 72}\n")
        for line in ticket.letter:
            click.echo(line)
    if not view.tickets:
        click.echo(text("Không có phiếu lỗi phần mềm.", "No software ticket."))


def _masked(mask: str) -> str:
    return f"[{mask}]" if mask else ""


def _months(trends: Iterable[Sequence[Month]]) -> list[int]:
    return sorted({m.month for months in trends for m in months})


def _spark(own: Sequence[Month], months: Sequence[int]) -> str:
    """Faults per row in each of `months` as blocks; "·" for a month without faults or rows."""
    by_month = {m.month: m.faults / m.rows for m in own if m.rows}
    shares = [by_month.get(month, 0.0) for month in months]
    top = max([LOUD, *shares])
    highest = len(STEPS) - 1
    return "".join(STEPS[min(highest, int(share / top * len(STEPS)))] if share else "·" for share in shares)
