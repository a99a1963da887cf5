"""The truth folder: what was really done, as `minhbach generate` or anyone else wrote it down.

`claims.parquet` must be there; `entities.parquet` and the column `intensity` may be missing, and then what needs them
stands aside and says so.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from data.errors import MinhBachError

CLAIM = ["ma_cskcb", "ma_lk"]
INTENSITIES = ("subtle", "clear", "blatant")
TRUTH_COLUMNS = (*CLAIM, "is_fraud", "schemes", "improper_amount", "kind", "intensity")
_NEEDED = {"ma_cskcb", "ma_lk", "is_fraud", "improper_amount", "kind"}


class BadTruth(MinhBachError):
    """A truth folder that cannot be used."""

    code, http_status, exit_code = "bad_truth", 422, 1


def read_truth(folder: Path) -> pl.DataFrame:
    """Rows of `claims.parquet`, one a claim. Raises BadTruth naming what is missing or cannot be.

    Columns: the claim's key, is_fraud, schemes (a list, empty where the file names none), improper_amount (Float64,
    never null), kind, and intensity where the file has it.
    """
    path = folder / "claims.parquet"
    if not path.exists():
        raise BadTruth(
            f"{folder} holds no claims.parquet: give the truth folder that `minhbach generate` wrote",
            vi=f"{folder} không có claims.parquet: hãy chỉ thư mục truth do `minhbach generate` tạo ra",
        )
    truth = pl.read_parquet(path)
    if missing := sorted(_NEEDED - set(truth.columns)):
        raise BadTruth(
            f"{path.name} lacks the column(s) {', '.join(missing)}: they are in the list of docs/measurement.md",
            vi=f"{path.name} thiếu cột {', '.join(missing)}: xem danh sách trong docs/measurement.md",
        )
    schemes = pl.col("schemes").cast(pl.List(pl.String)) if "schemes" in truth.columns else pl.lit(None)
    truth = truth.with_columns(
        pl.col("ma_cskcb", "ma_lk").cast(pl.String),
        pl.col("improper_amount").cast(pl.Float64).fill_nan(None).fill_null(0.0),
        pl.col("kind").fill_null(""),
        schemes=schemes.fill_null(pl.lit([], dtype=pl.List(pl.String))),
    )
    _check(path, truth)
    return truth.select(c for c in TRUTH_COLUMNS if c in truth.columns)


def read_entities(folder: Path) -> pl.DataFrame | None:
    """Rows (level, id, scheme, improper_amount) of `entities.parquet`; None where the folder has none.

    Raises BadTruth naming the columns it lacks.
    """
    path = folder / "entities.parquet"
    if not path.exists():
        return None
    rows = pl.read_parquet(path)
    if missing := sorted({"level", "id", "scheme", "improper_amount"} - set(rows.columns)):
        raise BadTruth(
            f"{path.name} lacks the column(s) {', '.join(missing)}: complete the file, or leave it out",
            vi=f"{path.name} thiếu cột {', '.join(missing)}: hãy bổ sung, hoặc bỏ tệp này đi",
        )
    return rows.select(
        pl.col("level", "id", "scheme").cast(pl.String), pl.col("improper_amount").cast(pl.Float64).fill_null(0.0)
    )


def _check(path: Path, truth: pl.DataFrame) -> None:
    """A claim named twice would count twice, an amount below nothing would take from the others' money."""
    twice = truth.filter(pl.struct(CLAIM).is_duplicated())
    if twice.height:
        name = ":".join(str(v) for v in twice.select(CLAIM).row(0))
        raise BadTruth(
            f"{path.name} names {twice.n_unique(CLAIM)} claims more than once, {name} among them: one row a claim",
            vi=f"{path.name} có {twice.n_unique(CLAIM)} hồ sơ lặp lại, ví dụ {name}: mỗi hồ sơ một dòng",
        )
    wrong = truth.filter((pl.col("improper_amount") < 0) | pl.col("improper_amount").is_infinite())
    if wrong.height:
        name, amount = ":".join(str(v) for v in wrong.select(CLAIM).row(0)), wrong["improper_amount"][0]
        raise BadTruth(
            f"{path.name}: improper_amount of {name} is {amount}: it is VND, 0 or more",
            vi=f"{path.name}: improper_amount của {name} là {amount}: phải là số tiền đồng, từ 0 trở lên",
        )
