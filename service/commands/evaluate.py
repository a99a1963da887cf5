"""`minhbach evaluate`: a run against the truth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from service.console import json_option, start

if TYPE_CHECKING:
    from service.bootstrap import App
    from service.console import Console

NAMES: Mapping[str, tuple[str, str]] = {
    "minhbach": ("Minh Bạch", "Minh Bạch"),
    "rules alone": ("chỉ quy tắc", "rules alone"),
    "rank by cost": ("xếp theo chi phí", "rank by cost"),
    "rules, then cost": ("quy tắc, rồi chi phí", "rules, then cost"),
    "cost z-score in peer group": ("z chi phí trong nhóm", "cost z-score in peer group"),
    "isolation forest, raw columns": ("isolation forest, cột thô", "isolation forest, raw columns"),
    "ECOD, raw columns": ("ECOD, cột thô", "ECOD, raw columns"),
    "random": ("ngẫu nhiên", "random"),
    "gradient boosting, 2 % labels": ("học có nhãn, 2 % nhãn", "gradient boosting, 2 % labels"),
    "gradient boosting, all labels": ("học có nhãn, mọi nhãn", "gradient boosting, all labels"),
}
STEPS: Mapping[str, tuple[str, str]] = {
    "read": ("Đọc lượt chấm", "Reading the run"),
    "features": ("Tính đặc trưng cho mô hình có nhãn", "Computing features for the learners"),
    "baselines": ("Tính các mốc so sánh", "Computing the baselines"),
    "learners": ("Dạy mô hình có nhãn", "Teaching the learners with labels"),
    "intervals": ("Tính khoảng tin cậy theo cơ sở", "Computing intervals over facilities"),
    "parts": ("Theo chiêu thức, đối tượng, hiệu chuẩn", "By scheme, entity, calibration"),
}
LEVELS: Mapping[str, tuple[str, str]] = {
    "facility": ("cơ sở", "facility"),
    "doctor": ("bác sĩ", "doctor"),
    "patient": ("người bệnh", "patient"),
}


@click.command("evaluate")
@click.option("--truth", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--run", "run_id", help="Lượt chấm; mặc định mới nhất / run; default the newest.")
@click.option("--seed", default=1, show_default=True, help="Hạt giống của mốc ngẫu nhiên / seed of all that is random.")
@click.option(
    "--picture", type=click.Path(dir_okay=False, path_type=Path), help="Vẽ đường lợi ích ra .svg, .png / gain curve."
)
@click.option(
    "--log/--no-log", "logged", default=True, help="Ghi vào MLflow cạnh mô hình / log beside the model in MLflow."
)
@json_option
def command(folder: Path, run_id: str | None, seed: int, picture: Path | None, logged: bool, as_json: bool) -> None:
    r"""Tiền sai tìm được trong 1, 2, 5 % hồ sơ, cạnh các cách xếp hạng khác / improper money found, beside baselines.

    Hồ sơ được đo là hồ sơ của lượt chấm. Muốn đo trên tháng mô hình chưa thấy: train --until, rồi score --since.
    The claims of the run are measured. For months the model has not seen: train --until, then score --since.

    \b
    Ví dụ / Examples:
      minhbach evaluate --truth thu/truth
      minhbach evaluate --truth thu/truth --picture duong-loi-ich.svg --json
    """
    app, console = start(as_json)
    if picture is not None:
        from models.evaluation.picture import check_name

        check_name(picture)
    result = evaluate_run(app, folder, run_id=run_id, seed=seed, console=console)
    if picture is not None:
        from models.evaluation.tracking import draw_result

        names = {name: console.text(*words) for name, words in NAMES.items()}
        draw_result(picture, result, names)
        result["picture"] = str(picture)
    if logged:
        result["mlflow_run_id"] = _log(app, console, result)
    console.result(result, lambda: show(console, result))


def evaluate_run(
    app: App,
    folder: Path,
    *,
    run_id: str | None = None,
    seed: int = 1,
    learners: bool = True,
    console: Console | None = None,
) -> dict[str, Any]:
    """The run against the truth folder; the command's JSON object. `learners`: with the rankings taught by labels."""
    from models.evaluate import evaluate_run as evaluated
    from models.registry import UnknownModel
    from models.scoring import NothingToScore, chain, runs

    done = runs(app.lake)
    if not done:
        raise NothingToScore
    linked = chain(app.lake, run_id or done[-1].run_id)
    try:
        bundle = app.registry.load(linked[0].model_version)
    except UnknownModel:  # a home that was brought from elsewhere without its models
        bundle = None
    return evaluated(
        app.lake,
        linked,
        folder,
        bundle,
        seed=seed,
        learners=learners,
        step=(lambda name: console.step(*STEPS[name])) if console else (lambda _: None),
    )


def _log(app: App, console: Console, result: Mapping[str, Any]) -> str | None:
    """The MLflow run it went to; None, and words about it, when MLflow does not take it: the figures stand anyway."""
    from mlflow.exceptions import MlflowException

    from models.evaluation.tracking import log

    console.step("Ghi vào MLflow", "Logging to MLflow")
    try:
        return log(app.settings.tracking_uri, result)
    except (MlflowException, OSError) as error:
        why = str(error).splitlines()[0]
        console.step(f"Không ghi được vào MLflow: {why}", f"MLflow did not take it: {why}")
        return None


# for people


def show(console: Console, result: Mapping[str, Any]) -> None:
    """The main table, then schemes, entities and calibration, and what the figures leave out."""
    _show_rankings(console, result)
    for line in _period(console, result):
        click.echo(line)
    _show_schemes(console, result)
    _show_entities(console, result)
    _show_calibration(console, result)
    for note in result["notes"]:
        click.echo(f"- {console.text(note['vi'], note['en'])}")


def _show_rankings(console: Console, result: Mapping[str, Any]) -> None:
    t = console.text
    heads = [
        t("Xếp hạng", "Ranking"),
        t("Nhãn", "Labels"),
        t("Tiền 1 %", "Money 1 %"),
        t("Tiền 2 %", "Money 2 %"),
        t("khoảng 95 %", "95 % interval"),
        t("Tiền 5 %", "Money 5 %"),
        t("HS 1 %", "Claims 1 %"),
        t("HS 2 %", "Claims 2 %"),
        t("HS 5 %", "Claims 5 %"),
        "AP",
        "P@100",
        "P@500",
        t("Bẩn", "Dirty"),
        t("Hợp lý", "Legit."),
    ]
    rows = [
        (
            t(*NAMES.get(row["ranking"], (row["ranking"], row["ranking"]))),
            row["labels"] or "–",
            _share(row["money_found_1%"]),
            _share(row["money_found_2%"]),
            _between(row.get("money_found_2%_low"), row.get("money_found_2%_high")),
            _share(row["money_found_5%"]),
            *(_share(row[f"claims_found_{b}"]) for b in ("1%", "2%", "5%")),
            _share(row["average_precision"]),
            _share(row["precision_at_100"]),
            _share(row["precision_at_500"]),
            _share(row["dirty_in_top_1%"]),
            _share(row["legitimate_in_top_1%"]),
        )
        for row in result["rankings"]
    ]
    console.table(
        heads,
        rows,
        title=t(
            "Phần tiền sai, hồ sơ (HS) sai tìm được khi đọc 1, 2, 5 % hồ sơ; Bẩn, Hợp lý: phần của 1 % đầu là dữ liệu "
            "bẩn, ngoại lệ hợp lý",
            "Share of improper money and claims found when 1, 2, 5 % of claims are read; Dirty, Legit.: share of the "
            "first 1 % that is dirty data, a legitimate outlier",
        ),
    )


def _period(console: Console, result: Mapping[str, Any]) -> list[str]:
    """What was measured, on what, and how far the main figure can be trusted."""
    t, improper, over, truth = console.text, result["improper"], result["over_best_baseline"], result["truth"]
    lines = [
        t(
            f"{result['claims']} hồ sơ ra viện {result['since']} đến {result['until']}, {result['facilities']} cơ sở; "
            f"{improper['claims']} hồ sơ sai, {improper['amount']:,.0f} ₫, trong đó 10 hồ sơ lớn nhất giữ "
            f"{_share(improper['in_largest_10'])}.",
            f"{result['claims']} claims discharged {result['since']} to {result['until']}, {result['facilities']} "
            f"facilities; {improper['claims']} improper, {improper['amount']:,.0f} VND, of which the 10 largest hold "
            f"{_share(improper['in_largest_10'])}.",
        )
    ]
    if result["held_out"] is None:
        lines.append(t("Không còn biết mô hình đã học từ hồ sơ nào.", "What the model learned from is not known here."))
    elif result["held_out"]:
        lines.append(
            t(
                f"Mô hình chỉ học đến {result['trained_until']}: không hồ sơ nào trong số này đã dùng để học.",
                f"The model learned until {result['trained_until']}: from none of these claims.",
            )
        )
    else:
        lines.append(
            t(
                f"CHÚ Ý: {_share(result['in_training'])} số hồ sơ này mô hình đã thấy khi học (đến "
                f"{result['trained_until']}): số liệu đẹp hơn thực tế. Dùng train --until và score --since.",
                f"CAUTION: the model saw {_share(result['in_training'])} of these claims when it learned (until "
                f"{result['trained_until']}): the figures flatter. Use train --until and score --since.",
            )
        )
    if over["ratio"] is not None:
        best = NAMES.get(over["best_baseline"], (over["best_baseline"], over["best_baseline"]))
        span = _between(over["low"], over["high"])
        lines.append(
            t(
                f"Tiền tìm được ở 2 % so với mốc không nhãn tốt nhất ({best[0]}): {over['ratio']:.2f} lần, khoảng 95 % "
                f"{span}.",
                f"Money found at 2 % over the best baseline without labels ({best[1]}): {over['ratio']:.2f}, 95 % "
                f"interval {span}.",
            )
        )
    if any(truth[name] for name in ("without_truth", "not_scored", "not_stored")):
        lines.append(
            t(
                f"Không có trong số liệu: {truth['without_truth']} hồ sơ đã chấm không có sự thật; "
                f"{truth['not_scored']} hồ sơ trong kỳ không được chấm "
                f"({truth['not_scored_improper_amount']:,.0f} ₫ sai); {truth['not_stored']} hồ sơ không có trong kho "
                f"({truth['not_stored_improper_amount']:,.0f} ₫ sai).",
                f"Not in the figures: {truth['without_truth']} scored claims without truth; {truth['not_scored']} "
                f"claims of the period not scored ({truth['not_scored_improper_amount']:,.0f} VND improper); "
                f"{truth['not_stored']} claims not in the lake ({truth['not_stored_improper_amount']:,.0f} VND "
                "improper).",
            )
        )
    return lines


def _show_schemes(console: Console, result: Mapping[str, Any]) -> None:
    t = console.text
    bold: dict[str, dict[str, str]] = {}
    for row in result["schemes_by_intensity"] or []:
        bold.setdefault(row["scheme"], {})[row["intensity"] or ""] = f"{row['found']}/{row['claims']}"
    steps = {"subtle": t("kín", "subtle"), "clear": t("rõ", "clear"), "blatant": t("lộ liễu", "blatant")}
    shown = steps if bold else {}
    console.table(
        [
            t("Chiêu thức", "Scheme"),
            t("Hồ sơ", "Claims"),
            "VND",
            t("HS tìm được ở 2 %", "Claims found at 2 %"),
            t("Tiền tìm được ở 2 %", "Money found at 2 %"),
            *shown.values(),
            "",
        ],
        [
            (
                row["scheme"],
                row["claims"],
                f"{row['improper_amount']:,.0f}",
                _share(row["claims_found"]),
                _share(row["money_found"]),
                *(bold[row["scheme"]].get(step, "") for step in shown),
                t("BỎ SÓT", "MISSED") if row["missed"] else "",
            )
            for row in result["schemes"]
        ],
        title=t("Theo chiêu thức", "By scheme"),
    )
    if result["schemes_of_other_months"]:
        names = ", ".join(result["schemes_of_other_months"])
        click.echo(t(f"Không có trong kỳ được đo: {names}", f"In no evaluated claim: {names}"))


def _show_entities(console: Console, result: Mapping[str, Any]) -> None:
    if not result["entities"]:
        return
    t = console.text
    figures = ("auc", "average_precision", "money_in_top_10%")
    console.table(
        [
            t("Mức", "Level"),
            t("Sai/tất cả", "Improper/all"),
            t("Xếp hạng", "Ranking"),
            "AUC",
            "AP",
            t("Tiền 10 % đầu", "Money top 10 %"),
            t("AUC cùng cỡ", "AUC like size"),
            t("AP cùng cỡ", "AP like size"),
            t("Tiền cùng cỡ", "Money like size"),
        ],
        [
            (
                f"{t(*LEVELS[level['level']])} ({level['bands']})" if number == 0 else "",
                f"{level['improper']}/{level['entities']}" if number == 0 else "",
                row["ranking"],
                *(_share(row[name]) for name in figures),
                *(_share(row[f"{name}_within_bands"]) for name in figures),
            )
            for level in result["entities"]
            for number, row in enumerate(level["rankings"])
        ],
        title=t(
            "Đối tượng: tất cả, rồi trong nhóm cùng cỡ (số nhóm)",
            "Entities: all, then within bands of like size (bands)",
        ),
    )


def _show_calibration(console: Console, result: Mapping[str, Any]) -> None:
    t = console.text
    score: Mapping[str, Any] = result["calibration"]["score"]
    amount: Mapping[str, Any] | None = result["calibration"]["amount_at_risk"]
    console.table(
        [t("Điểm", "Score"), t("Hồ sơ", "Claims"), t("Điểm trung bình", "Mean score"), t("Phần sai", "Share improper")],
        [
            (
                f"{(row['part'] - 1) / 10:.1f}–{row['part'] / 10:.1f}",
                row["claims"],
                _share(row["mean_score"]),
                _share(row["share_improper"]),
            )
            for row in score["by_tenth"]
        ],
        title=t("Điểm có phải xác suất không?", "Is the score a probability?"),
    )
    error = score["expected_calibration_error"]
    click.echo(
        t(
            f"Sai số hiệu chuẩn {error}: điểm {'dùng được như' if score['calibrated'] else 'KHÔNG phải là'} xác suất"
            f"{'' if score['calibrated'] else ', chỉ là vị trí trong danh sách'}.",
            f"Calibration error {error}: the score is {'usable as' if score['calibrated'] else 'NOT'} a probability"
            f"{'' if score['calibrated'] else ', only a place in the list'}.",
        )
    )
    if amount and amount["flagged_improper"]:
        click.echo(
            t(
                f"Tiền có dấu hiệu so với tiền sai, trên {amount['flagged_improper']} hồ sơ sai được nêu: tổng gấp "
                f"{amount['ratio_of_sums']} lần, lệch trung vị {amount['median_absolute_error_vnd']:,.0f} ₫, "
                f"{_share(amount['within_factor_2'])} trong khoảng một nửa đến gấp đôi; trên mọi hồ sơ được nêu "
                f"({amount['flagged']}) tổng gấp {amount['ratio_of_sums_all_flagged']} lần.",
                f"Amount at risk over improper money, on {amount['flagged_improper']} flagged improper claims: sums "
                f"{amount['ratio_of_sums']}, median error {amount['median_absolute_error_vnd']:,.0f} VND, "
                f"{_share(amount['within_factor_2'])} within half to twice; on all flagged ({amount['flagged']}) sums "
                f"{amount['ratio_of_sums_all_flagged']}.",
            )
        )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _between(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{low:.2f}–{high:.2f}"
