"""`minhbach evaluate`: a run against the truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from service.console import json_option, start

if TYPE_CHECKING:
    from service.bootstrap import App
    from service.console import Console


@click.command("evaluate")
@click.option("--truth", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--run", "run_id", help="Lượt chấm; mặc định mới nhất / run; default the newest.")
@click.option(
    "--seed", default=1, show_default=True, help="Hạt giống của mốc ngẫu nhiên / seed of the random baselines."
)
@json_option
def command(folder: Path, run_id: str | None, seed: int, as_json: bool) -> None:
    r"""Tiền sai tìm được trong 1, 2, 5 % hồ sơ, cạnh các cách xếp hạng khác / improper money found, beside baselines.

    \b
    Ví dụ / Example:
      minhbach evaluate --truth thu/truth
    """
    app, console = start(as_json)
    result = evaluate_run(app, folder, run_id=run_id, seed=seed)
    console.result(result, lambda: show(console, result))


def evaluate_run(app: App, folder: Path, *, run_id: str | None = None, seed: int = 1) -> dict[str, Any]:
    """Our ranking and the baselines against the truth folder; the command's JSON object."""
    from models.evaluate import by_scheme, evaluate, read_truth
    from models.scoring import NothingToScore, chain, ranking_sql, runs

    done = runs(app.lake)
    if not done:
        raise NothingToScore
    linked = chain(app.lake, run_id or done[-1].run_id)
    truth = read_truth(folder)
    with app.lake.reader() as reader:
        claims = reader.pl(
            f"""
            with ranking as ({ranking_sql([run.run_id for run in linked])}),
            named as (
                select version, run_id, sum(amount) as rule_amount from (
                    select version, run_id, line_table, row_no, max(amount) as amount from signal
                    where not starts_with(source, 'expected_cost') group by all
                ) group by all
            ),
            counted as (
                select version, count(*) as lines
                from (select version from drug_line union all select version from service_line) group by version
            )
            select r.ma_cskcb, r.ma_lk, r.score, r.schemes, e.ma_loai_kcb, substr(e.ma_benh_chinh, 1, 3) as icd3,
                   coalesce(n.rule_amount, 0) as rule_amount, e.t_thuoc, e.t_vtyt, e.t_tongchi_bv, e.t_tongchi_bh,
                   e.t_bncct, e.t_bhtt, e.so_ngay_dtri, date_diff('year', e.ngay_sinh, e.ngay_vao) as age,
                   coalesce(c.lines, 0) as lines
            from ranking r join encounter e using (version)
            left join named n on n.version = r.version and n.run_id = r.run_id
            left join counted c on c.version = r.version
            """
        )
    table = [quality.as_json() for quality in evaluate(claims, truth, seed=seed)]
    schemes = by_scheme(claims, truth)
    return {"run_id": linked[0].run_id, "claims": claims.height, "rankings": table, "schemes": schemes.to_dicts()}


def show(console: Console, result: dict[str, Any]) -> None:
    """The table for people."""
    heads = list(result["rankings"][0])
    console.table(
        heads,
        [[f"{v:.3f}" if isinstance(v, float) else v for v in row.values()] for row in result["rankings"]],
        title=console.text(
            "Tiền sai tìm được trong phần đầu danh sách", "Improper money found in the first part of the list"
        ),
    )
    console.table(
        ["scheme", "claims", "VND", "claims found 2%", "money found 2%"],
        [
            (
                s["scheme"],
                s["claims"],
                f"{s['improper_amount']:,.0f}",
                f"{s['claims_found']:.2f}",
                f"{s['money_found']:.2f}",
            )
            for s in result["schemes"]
        ],
    )
