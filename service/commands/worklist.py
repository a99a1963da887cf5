"""`minhbach worklist`: what to read, one claim of each pattern, as much as there is time for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from service.console import json_option, start

if TYPE_CHECKING:
    from service.reading import ClaimRow

SIZE = 1_000  # claims asked for at a time
SHOWN = 50  # without a budget


@click.command("worklist")
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), help="Số giờ đọc / hours to read.")
@click.option("--claims", type=click.IntRange(min=1), help=f"Số hồ sơ; mặc định {SHOWN} / claims; default {SHOWN}.")
@click.option("--each", is_flag=True, help="Từng hồ sơ, cả khi tương tự / every claim, those alike too.")
@click.option("--province", help="Mã tỉnh / province code.")
@click.option("--facility", help="MA_CSKCB.")
@click.option("--run", "run_id", help="Lượt chấm; mặc định mới nhất / run; default the newest.")
@json_option
def command(
    hours: float | None,
    claims: int | None,
    *,
    each: bool,
    province: str | None,
    facility: str | None,
    run_id: str | None,
    as_json: bool,
) -> None:
    r"""Hồ sơ nên đọc, mỗi kiểu một hồ sơ, vừa số giờ hoặc số hồ sơ / what to read, within hours or claims.

    Với --hours, xếp theo số tiền kỳ vọng thu hồi mỗi phút đọc; thời gian đọc là ước tính (MINHBACH_READING_MINUTES_*).
    With --hours, most expected money a minute first; reading times are estimates.

    \b
    Ví dụ / Examples:
      minhbach worklist --hours 40
      minhbach worklist --claims 200 --each --province 98 --json
    """
    from service.accounts import Scope
    from service.listing import Listing
    from service.reading import ClaimFilters

    app, console = start(as_json)
    if hours is None and claims is None:
        claims = SHOWN
    listing = Listing(one_per_pattern=not each, claims=claims, hours=hours)
    filters = ClaimFilters(province=province, facility=facility)
    run = app.reading.run(run_id)
    first = app.reading.worklist(Scope(), filters, listing, size=SIZE, run_id=run.run_id)
    rows = list(first.rows)
    for page in range(2, first.pages + 1):
        rows += app.reading.worklist(Scope(), filters, listing, page=page, size=SIZE, run_id=run.run_id).rows
    minutes, expected = first.minutes or 0.0, float(first.expected_recoverable)

    def show() -> None:
        from detectors.explain import dong

        lang = "en" if console.lang == "en" else "vi"
        console.table(
            [
                "#",
                console.text("Hồ sơ", "Claim"),
                console.text("Kỳ vọng thu hồi", "Expected back"),
                console.text("Khả năng", "Likelihood"),
                console.text("Phút", "Minutes"),
                console.text("Tương tự", "Alike"),
                console.text("Lý do chính", "Main reason"),
            ],
            [
                [
                    row.rank,
                    row.claim_id,
                    dong(float(row.expected_recoverable), lang),
                    f"{row.likelihood:.2f}",
                    f"{row.minutes:g}",
                    row.alike or "",
                    row.reason_vi if lang == "vi" else row.reason_en,
                ]
                for row in rows
            ],
        )
        click.echo(
            console.text(
                f"{len(rows)} hồ sơ, ước tính {minutes / 60:.1f} giờ đọc, kỳ vọng thu hồi {dong(expected, 'vi')}",
                f"{len(rows)} claims, about {minutes / 60:.1f} hours to read, {dong(expected, 'en')} expected back",
            )
        )

    console.result(
        {
            "run_id": run.run_id,
            "claims": len(rows),
            "minutes": minutes,
            "expected_recoverable": expected,
            "items": [_item(row) for row in rows],
        },
        show,
    )


def _item(row: ClaimRow) -> dict[str, Any]:
    return {
        "rank": row.rank,
        "claim_id": row.claim_id,
        "score": row.score,
        "amount_at_risk": float(row.amount_at_risk),
        "expected_recoverable": float(row.expected_recoverable),
        "likelihood": row.likelihood,
        "minutes": row.minutes,
        "pattern": row.pattern,
        "alike": row.alike,
        "alike_recoverable": None if row.alike_recoverable is None else float(row.alike_recoverable),
        "reason_vi": row.reason_vi,
        "reason_en": row.reason_en,
    }
