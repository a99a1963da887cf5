"""`minhbach catalogue`: facilities, staff, services and the other tables claims are checked against.

Loading says what is doubtful and loads it all the same, unless `--strict`: a price list with one hole is worth more
than none. Only what cannot be used is refused, with the column, the row and the value.
"""

from __future__ import annotations

import hashlib
from contextlib import nullcontext
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from service.console import json_option, start

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from data.catalogues import Catalogue
    from data.lake import Reader
    from data.pseudonym import Pseudonymiser
    from service.bootstrap import App
    from service.console import Console

FIRST = 200  # findings that the JSON spells out; all of them are counted
SHOWN = 20  # findings, and rows of `show`, that the terminal spells out
ALIKE = 3  # findings of one kind that the terminal spells out: twenty times the same hides the others


@click.group("catalogue")
def command() -> None:
    r"""Danh mục: cơ sở, nhân lực, dịch vụ, thuốc … / catalogues: facilities, staff, services, drugs ….

    \b
    Ví dụ / Examples:
      minhbach catalogue load danh-muc/ --dry-run
      minhbach catalogue load danh-muc/
      minhbach catalogue list
      minhbach catalogue check --top 50
      minhbach catalogue show services 03.1234.0001:98001 --on 2026-03-01
    """


@command.command("load")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Chỉ đọc, kiểm tra, báo cáo; không ghi / read, check and report only.")
@click.option("--strict", is_flag=True, help="Không nạp gì nếu có lỗi / load nothing when there is an error.")
@json_option
def load(path: Path, dry_run: bool, strict: bool, as_json: bool) -> int:
    r"""Nạp một thư mục tệp CSV, hoặc một tệp / load a folder of CSV files, or one of them.

    Dòng cùng khóa thay dòng cũ; dòng không đổi được bỏ qua. Điều đáng ngờ được liệt kê: lỗi, cảnh báo, ghi chú.
    A row replaces the older one of its key; rows that did not change are skipped. What is doubtful is listed.

    \b
    Ví dụ / Examples:
      minhbach catalogue load danh-muc/
      minhbach catalogue load services.csv --dry-run   # xem trước / look first
      minhbach catalogue load danh-muc/ --strict --json
    """
    app, console = start(as_json)
    result = load_catalogues(app, console, path, dry_run=dry_run, strict=strict)
    console.result(result, lambda: _show_load(console, result))
    if result["loaded"] or dry_run:
        return 0
    console.step(
        "Có lỗi nên không nạp gì (--strict): sửa tệp theo bảng trên, hoặc bỏ --strict",
        "There are errors, so nothing was loaded (--strict): correct the files by the list, or leave out --strict",
    )
    return 1


@command.command("list")
@json_option
def listed(as_json: bool) -> None:
    r"""Những gì đã nạp: số dòng, số mã, kỳ hiệu lực, số lần nạp / what is loaded: rows, keys, periods, loads.

    \b
    Ví dụ / Example:
      minhbach catalogue list
    """
    app, console = start(as_json)
    with app.lake.reader() as reader:
        rows = _inventory(reader)
    heads = [
        ("Danh mục", "Catalogue"),
        ("Dòng", "Rows"),
        ("Khóa", "Keys"),
        ("valid_from đầu", "First valid_from"),
        ("valid_from cuối", "Last valid_from"),
        ("Kỳ mở", "Open periods"),
        ("Lần nạp", "Loads"),
    ]
    console.result(
        {"catalogues": rows, "snapshot": app.lake.snapshot()},
        lambda: console.table([console.text(*h) for h in heads], [list(row.values()) for row in rows]),
    )


@command.command("check")
@click.option(
    "--top", default=50, show_default=True, type=click.IntRange(0), help="Số mã mỗi danh mục / codes per catalogue."
)
@click.option("--facility", help="Chỉ hồ sơ của một cơ sở / claims of one facility only.")
@json_option
def check(top: int, facility: str | None, as_json: bool) -> None:
    r"""Điều đáng ngờ trong danh mục, và mã trong hồ sơ mà danh mục không có / what is doubtful, and codes not covered.

    Mã được tra theo ngày thực hiện: unknown (không có mã), elsewhere (cơ sở khác mới có), other_day (ngày khác mới có).
    Codes are looked up on the day of service: unknown (no such code), elsewhere (only at other facilities), other_day
    (known, but not on that day). The codes with the most money come first.

    \b
    Ví dụ / Examples:
      minhbach catalogue check
      minhbach catalogue check --facility 98001 --top 20 --json
    """
    from data.asof import LOOKUPS, uncovered
    from data.catalogues import problems

    app, console = start(as_json)
    with app.lake.reader() as reader:
        now = _newest(reader)
        console.step("Kiểm tra danh mục …", "Checking the catalogues …")
        found = [problems(name, rows, known=now) for name, rows in now.items()]
        console.step("Tra mã trong hồ sơ …", "Looking up the codes of the claims …")
        missing = uncovered(reader, facility=facility)
    result = {
        "problems": _summary(found),
        "uncovered": _uncovered_summary(missing, top),
        "not_loaded": [name for name in LOOKUPS if name not in now],
        "snapshot": reader.snapshot,
    }
    console.result(result, lambda: _show_check(console, result))


@command.command("show")
@click.argument("name")
@click.argument("key")
@click.option("--on", "day", type=click.DateTime(["%Y-%m-%d"]), help="Ngày cần tra / the day asked for: yyyy-mm-dd.")
@json_option
def show(name: str, key: str, day: datetime | None, as_json: bool) -> None:
    r"""Các dòng của một mã, hoặc dòng có hiệu lực vào một ngày / rows of a key, or the row valid on a day.

    KEY là các phần của khóa nối bằng dấu hai chấm, bỏ trống phần không cần: mã, hoặc mã:cơ sở.
    KEY is the parts of the key joined by colons, parts may be left out or empty: a code, or code:facility.

    \b
    Ví dụ / Examples:
      minhbach catalogue show services 03.1234.0001
      minhbach catalogue show services 03.1234.0001:98001 --on 2026-03-01
      minhbach catalogue show facilities 98001 --on 2026-03-01
    """
    from data.catalogues import CATALOGUES, UnknownRow

    if name not in CATALOGUES:
        raise click.BadParameter(f"{name}: {', '.join(CATALOGUES)}", param_hint="NAME")
    app, console = start(as_json)
    asked = day.date() if day else None
    with app.lake.reader() as reader:
        rows = _newest(reader).get(name)
    if rows is None:
        raise UnknownRow(name, key, asked, near=None)
    chosen = _rows_of(CATALOGUES[name], rows, key, asked)
    if not chosen.height:
        raise UnknownRow(name, key, asked, near=_near(CATALOGUES[name], rows, key, asked))
    values = chosen.to_dicts()
    console.result(
        {"catalogue": name, "key": key, "on": asked, "rows": values}, lambda: _show_rows(console, name, values)
    )


# --- loading


def load_catalogues(
    app: App, console: Console, path: Path, *, dry_run: bool = False, strict: bool = False
) -> dict[str, Any]:
    """Load and commit the catalogue files of `path`, and say what is doubtful in them. What did not change stays.

    Nothing is written when `dry_run`, or when `strict` and a finding is an error: then `loaded` is false.
    """
    import polars as pl

    from data.catalogues import CATALOGUES, catalogue_files, problems, read_catalogue, unknown_files

    for name in unknown_files(path):
        console.step(f"bỏ qua {name}: không phải tên danh mục", f"{name} skipped: no catalogue is called so")
    patient = _pseudonymiser(app, dry_run)
    files = {name: read_catalogue(name, file, patient=patient) for name, file in catalogue_files(path)}
    with nullcontext() if dry_run else app.lake.writer("catalogue load"):
        with app.lake.reader() as reader:
            before = _newest(reader)
        seq = app.lake.snapshot() + 1
        numbered = {
            # row 1 of the file is its header
            name: rows.with_columns(row=pl.int_range(2, pl.len() + 2), load_seq=pl.lit(seq, pl.Int64))
            for name, rows in files.items()
        }
        stacked = {name: pl.concat([*_some(before, name), rows], how="diagonal") for name, rows in numbered.items()}
        after = before | {name: CATALOGUES[name].newest(rows) for name, rows in stacked.items()}
        # what is wrong with rows loaded long ago is for `catalogue check`: here it would hide what is new
        touched = pl.col("row").is_not_null() | pl.col("other_row").is_not_null() | pl.col("key").is_null()
        found = [problems(name, rows, known=after).filter(touched) for name, rows in stacked.items()]
        summary = _summary(found)
        writes = not dry_run and not (strict and summary["error"])
        changes: dict[str, dict[str, int]] = {}
        written: dict[str, pl.DataFrame] = {}
        for name, rows in files.items():
            own = CATALOGUES[name]
            empty = pl.DataFrame(schema=own.dtypes())
            new, changed = own.changes(before.get(name, empty), rows)
            unchanged = rows.select(own.key).n_unique() - new.height - changed.height
            changes[name] = {"new": new.height, "changed": changed.height, "unchanged": unchanged}
            if new.height or changed.height:
                written[name] = pl.concat([new, changed])
        if writes and written:
            _commit(app, seq, written)
        return {
            "catalogues": {name: rows.height for name, rows in files.items()},
            "changes": changes,
            "problems": summary,
            "loaded": writes,
            "dry_run": dry_run,
            "snapshot": app.lake.snapshot(),
        }


def _commit(app: App, seq: int, written: Mapping[str, pl.DataFrame]) -> None:
    import polars as pl

    content = hashlib.sha256()
    for name in sorted(written):
        content.update(name.encode() + written[name].write_csv().encode())
    # with the snapshot: a list loaded again after another one replaced it is a new load, not the old one
    commit_id = f"catalogue-{content.hexdigest()[:16]}-{seq}"
    folder = app.lake.staging(commit_id)
    staged: dict[str, list[Path]] = {}
    for name, rows in written.items():
        file = folder / f"{name}.parquet"
        rows.with_columns(load_id=pl.lit(commit_id), load_seq=pl.lit(seq, pl.Int64)).write_parquet(file)
        staged[f"catalogue_{name}"] = [file]
    app.lake.commit("catalogue", commit_id, staged, {name: rows.height for name, rows in written.items()})


def _pseudonymiser(app: App, dry_run: bool) -> Pseudonymiser:
    from data.pseudonym import MIN_KEY_BYTES, Pseudonymiser
    from service.settings import MissingKey

    try:
        return Pseudonymiser(app.settings.pseudonym_key_bytes(create=not dry_run))
    except MissingKey:
        if not dry_run or app.settings.pseudonym_key_file.exists():
            raise
        return Pseudonymiser(bytes(MIN_KEY_BYTES))  # a look at the file: no card is loaded yet to compare with


# --- reading


def _newest(reader: Reader) -> dict[str, pl.DataFrame]:
    """The newest rows of the catalogues that were loaded."""
    return {name: frame.collect().to_native() for name, frame in reader.catalogues().frames.items()}


def _some(frames: Mapping[str, pl.DataFrame], name: str) -> list[pl.DataFrame]:
    return [frames[name]] if name in frames else []


def _inventory(reader: Reader) -> list[dict[str, Any]]:
    from data.catalogues import CATALOGUES

    rows: list[dict[str, Any]] = []
    for name, frame in _newest(reader).items():
        own = CATALOGUES[name]
        start = frame["valid_from"] if own.dated else frame["date"]
        loads: int = reader.pl(f"select count(distinct load_id) from catalogue_{name}").item()
        rows.append(
            {
                "catalogue": name,
                "rows": frame.height,
                "keys": frame.select(own.series).n_unique(),
                "first_valid_from": start.min(),
                "last_valid_from": start.max(),
                "open_periods": frame["valid_to"].null_count() if own.dated else None,
                "loads": loads,
            }
        )
    return rows


def _is(column: str, part: str) -> pl.Expr:
    import polars as pl

    return pl.col(column).cast(pl.String) == part


def _rows_of(own: Catalogue, rows: pl.DataFrame, key: str, day: date | None) -> pl.DataFrame:
    """Rows of `key`, in the order of time; with `day` those that hold then, one for each thing that has a row."""
    import polars as pl

    from data.asof import LOOKUPS

    narrowing = LOOKUPS[own.name].prefer if own.name in LOOKUPS else ()
    parts = key.split(":", maxsplit=len(own.series) - 1)
    for column, part in zip(own.series, parts, strict=False):
        if part:
            wide = pl.col(column).is_null() if column in narrowing else pl.lit(value=False)  # a row for everyone
            rows = rows.filter(_is(column, part) | wide)
    rows = rows.sort(own.key, nulls_last=True)
    if day is not None and own.dated:
        holds = (pl.col("valid_from") <= day) & (pl.col("valid_to").is_null() | (pl.col("valid_to") >= day))
        rows = rows.filter(holds).unique(own.series, keep="last", maintain_order=True)
    elif day is not None:
        rows = rows.filter(pl.col("date") == day)
    return rows


def _near(own: Catalogue, rows: pl.DataFrame, key: str, day: date | None) -> list[str]:
    """What there is instead: periods of the key, or else codes that begin as its first part does."""
    import polars as pl

    other_days = _rows_of(own, rows, key, None) if day and own.dated else rows.clear()
    if other_days.height:
        periods = other_days.select("valid_from", "valid_to").unique().sort("valid_from").tail(5)
        return [f"{start}..{end or ''}" for start, end in periods.iter_rows()]
    code = key.partition(":")[0]
    known = rows[own.key[0]].cast(pl.String).drop_nulls().unique().sort()
    starts = (known.filter(known.str.starts_with(code[:n])) for n in range(len(code) - 1, 1, -1))
    return next((near for near in starts if near.len()), known.clear()).head(5).to_list()


# --- what is said of it


def _summary(found: list[pl.DataFrame]) -> dict[str, Any]:
    """Counts of the findings, and the first of them, worst first."""
    import polars as pl

    from data.catalogues import PROBLEM

    rows = pl.concat([pl.DataFrame(schema=PROBLEM), *found])
    worst = pl.col("severity").replace_strict({"error": 0, "warn": 1, "info": 2}, return_dtype=pl.Int8)
    rows = rows.sort(worst, maintain_order=True)
    hints = pl.col("hint_vi", "hint_en").first()
    counts = rows.group_by(_KIND, maintain_order=True).agg(pl.len().alias("count"), pl.col("rows").sum(), hints)
    return {
        **{severity: rows.filter(severity=severity).height for severity in ("error", "warn", "info")},
        "counts": counts.to_dicts(),
        "first": rows.head(FIRST).to_dicts(),
    }


def _uncovered_summary(missing: pl.DataFrame, top: int) -> dict[str, Any]:
    import polars as pl

    sums = [pl.col("code").n_unique().alias("codes"), pl.col("lines", "money").sum()]
    totals = missing.group_by("catalogue", "status", maintain_order=True).agg(*sums).sort("catalogue", "status")
    first = missing.group_by("catalogue", maintain_order=True).head(top).select(missing.columns)
    money = pl.col("money").cast(pl.Float64)
    return {"totals": totals.with_columns(money).to_dicts(), "top": first.with_columns(money).to_dicts()}


_KIND = ("severity", "catalogue", "code", "field")
_SEVERITY = {"error": ("lỗi", "error"), "warn": ("cảnh báo", "warning"), "info": ("ghi chú", "note")}
_STATUS = {
    "unknown": ("không có mã", "unknown code"),
    "elsewhere": ("cơ sở khác mới có", "only at other facilities"),
    "other_day": ("ngày khác mới có", "not on that day"),
}


def _show_problems(console: Console, summary: Mapping[str, Any]) -> None:
    if not summary["counts"]:
        console.step("Không thấy điều gì đáng ngờ trong danh mục.", "Nothing doubtful was found in the catalogues.")
        return
    hint = console.text("hint_vi", "hint_en")
    heads = [
        ("Mức", "Severity"),
        ("Danh mục", "Catalogue"),
        ("Mã", "Code"),
        ("Cột", "Column"),
        ("Số", "Count"),
        ("Cách sửa", "Way out"),
    ]
    console.table(
        [console.text(*h) for h in heads],
        [
            (console.text(*_SEVERITY[c["severity"]]), c["catalogue"], c["code"], c["field"], c["count"], c[hint])
            for c in summary["counts"]
        ],
        title=console.text(
            f"{summary['error']} lỗi, {summary['warn']} cảnh báo, {summary['info']} ghi chú",
            f"{summary['error']} errors, {summary['warn']} warnings, {summary['info']} notes",
        ),
    )
    kinds: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for problem in summary["first"]:
        kinds.setdefault(tuple(problem[c] for c in _KIND), []).append(problem)
    first = [problem for alike in kinds.values() for problem in alike[:ALIKE]]
    heads = [
        ("Danh mục", "Catalogue"),
        ("Mã", "Code"),
        ("Dòng", "Row"),
        ("Khóa", "Key"),
        ("Giá trị", "Value"),
        ("Dòng kia", "Other row"),
        ("Ngày", "Days"),
    ]
    console.table(
        [console.text(*h) for h in heads],
        [
            (
                p["catalogue"],
                p["code"],
                p["row"],
                p["key"],
                (p["value"] or "")[:60],
                " ".join(str(o) for o in (p["other_row"], p["other"]) if o is not None),
                p["days"],
            )
            for p in first[:SHOWN]
        ],
        title=console.text("Vài dòng mỗi loại (nhiều hơn: --json)", "A few of each kind (more: --json)"),
    )


def _show_load(console: Console, result: Mapping[str, Any]) -> None:
    heads = [("CSV", "CSV"), ("Dòng", "Rows"), ("Mới", "New"), ("Đổi", "Changed"), ("Như cũ", "Unchanged")]
    console.table(
        [console.text(*h) for h in heads],
        [(name, n, *result["changes"][name].values()) for name, n in result["catalogues"].items()],
        title=console.text("Chạy thử, chưa ghi gì", "Dry run: nothing was written") if result["dry_run"] else None,
    )
    _show_problems(console, result["problems"])


def _show_check(console: Console, result: Mapping[str, Any]) -> None:
    _show_problems(console, result["problems"])
    heads = [
        ("Danh mục", "Catalogue"),
        ("Tra theo ngày", "On the day of service"),
        ("Mã", "Code"),
        ("Cơ sở", "Facility"),
        ("Dòng", "Lines"),
        ("BHYT trả (đồng)", "Fund pays (VND)"),
        ("Ngày đầu", "First day"),
        ("Ngày cuối", "Last day"),
    ]
    uncovered = result["uncovered"]
    rows = [
        (
            row["catalogue"],
            console.text(*_STATUS[row["status"]]),
            row.get("code", console.text(f"cộng {row.get('codes')} mã", f"all {row.get('codes')} codes")),
            row.get("ma_cskcb"),
            row["lines"],
            f"{row['money']:,.0f}",
            row.get("first_day"),
            row.get("last_day"),
        )
        for row in (*uncovered["totals"], *uncovered["top"])
    ]
    if rows:
        title = console.text("Mã trong hồ sơ không có trong danh mục", "Codes of claims that no catalogue row covers")
        console.table([console.text(*h) for h in heads], rows, title=title)
    if result["not_loaded"]:
        names = ", ".join(result["not_loaded"])
        console.step(f"Chưa nạp nên không tra được: {names}", f"Not loaded, so not looked up: {names}")


def _show_rows(console: Console, name: str, rows: list[dict[str, Any]]) -> None:
    wide = 4  # more than this side by side cannot be read
    columns = [c for c in rows[0] if any(row[c] is not None for row in rows)]
    if len(rows) <= wide:
        body = [(c, *(row[c] for row in rows)) for c in columns]
        console.table([console.text("Cột", "Column"), *(str(i + 1) for i in range(len(rows)))], body, title=name)
        return
    from data.catalogues import CATALOGUES

    kept = dict.fromkeys((*CATALOGUES[name].key, "name", "price", "pay_ratio", "valid_to"))
    shown = [c for c in kept if c in columns]
    console.table(shown, [[row[c] for c in shown] for row in rows[:SHOWN]], title=f"{name}: {len(rows)}")
