"""`minhbach generate`: synthetic claims whose truth is known."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import click

from data.errors import MinhBachError
from service.console import json_option, start


class CannotGenerate(MinhBachError):
    """An option that no world can be made from, or a folder that would be overwritten."""

    code, http_status, exit_code = "cannot_generate", 422, 2


@click.command("generate")
@click.argument("out", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.option("--encounters", default=20_000, show_default=True, help="Số hồ sơ / claims.")
@click.option("--months", default=12, show_default=True, help="Số tháng / months.")
@click.option("--seed", default=7, show_default=True, help="Hạt giống ngẫu nhiên / random seed.")
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    default="2026-09-30",
    show_default=True,
    help="Ngày cuối của kỳ / last day of the period.",
)
@click.option(
    "--as",
    "layout",
    type=click.Choice(["xml", "parquet"]),
    default="xml",
    show_default=True,
    help="Dạng tệp: phong bì XML hoặc bảng Parquet / envelopes or one Parquet file a table.",
)
@click.option(
    "--scheme",
    "only",
    multiple=True,
    metavar="ID",
    help="Chỉ cài dấu hiệu này, lặp lại được; 'none': không / inject only this scheme, repeatable; 'none': nothing.",
)
@click.option(
    "--share",
    "thick",
    type=click.FloatRange(0.1, 20),
    default=1.0,
    show_default=True,
    help="Số lần mức hồ sơ sai thường lệ / times the usual share of improper claims.",
)
@click.option("--plain", is_flag=True, help="Chỉ hồ sơ đúng và sạch / honest, tidy claims only.")
@click.option("--list", "listed", is_flag=True, help="Liệt kê dấu hiệu và mồi nhử rồi dừng / list schemes and decoys.")
@json_option
def command(
    out: Path | None, encounters: int, months: int, seed: int, until: datetime, layout: Literal["xml", "parquet"],
    only: tuple[str, ...], thick: float, plain: bool, listed: bool, as_json: bool,
) -> None:  # fmt: skip
    r"""Sinh hồ sơ giả lập: OUT/xml, OUT/catalogues, OUT/truth / synthetic claims with known schemes.

    Không có người thật nào trong đó; cùng hạt giống cho cùng từng byte; lần sinh trước trong OUT được thay / no real
    person is in them; one seed, the same bytes; what this command wrote into OUT before is replaced.

    \b
    Ví dụ / Example:
      minhbach generate thu/ --encounters 20000 --months 12 --seed 7
      minhbach generate thu/ --as parquet --encounters 200000
      minhbach generate thu/ --scheme PHANTOM_VISIT --share 3
      minhbach generate --list
    """
    from data.synthetic import generate
    from data.synthetic.injection import all_schemes

    _, console = start(as_json)
    if listed:
        rows = known()
        console.result({"items": rows}, lambda: console.table(list(rows[0]), [list(r.values()) for r in rows]))
        return
    if out is None:
        raise click.UsageError("thiếu thư mục OUT / give a folder OUT, or --list")
    chosen = None if not only else [name.upper() for name in only if name.lower() != "none"]
    if unknown := sorted(set(chosen or ()) - {s.id for s in all_schemes()}):
        raise CannotGenerate(
            f"--scheme {unknown[0]}: no such scheme; `minhbach generate --list` shows them",
            vi=f"--scheme {unknown[0]}: không có dấu hiệu này; xem `minhbach generate --list`",
        )
    if encounters < 1 or months < 1:
        raise CannotGenerate(
            f"--encounters {encounters} --months {months}: both must be at least 1",
            vi=f"--encounters {encounters} --months {months}: cả hai phải từ 1 trở lên",
        )
    try:
        with console.progress("Sinh hồ sơ", "Making claims") as told:
            report = generate(
                out, encounters=encounters, months=months, seed=seed, until=until.date(), layout=layout, only=chosen,
                thick=thick, plain=plain, progress=told,
            )  # fmt: skip
    except FileExistsError as error:
        raise CannotGenerate(
            f"{error}; give another folder", vi=f"{out} đã có tệp không do lệnh này sinh ra: hãy chọn thư mục khác"
        ) from error
    console.result({name: getattr(report, name) for name in report.__dataclass_fields__})


def known() -> list[dict[str, Any]]:
    """Every scheme and decoy that can be generated: id, kind, who does it, what it is."""
    from data.synthetic.injection import all_decoys, all_schemes

    rows = [
        {"id": s.id, "kind": s.kind, "by": s.actor, "what": (type(s).__doc__ or "").strip().split("\n")[0]}
        for s in all_schemes()
    ]
    return rows + [
        {"id": d.id, "kind": d.kind, "by": "", "what": (type(d).__doc__ or "").strip().split("\n")[0]}
        for d in all_decoys()
    ]
