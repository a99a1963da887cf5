"""Evaluation: how much improper money lies within what assessors can read, beside what anyone could have done instead.

The measure is money found within a budget of claims (1, 2, 5 %), then average precision: at one or two improper claims
in a hundred, ROC-AUC alone proves nothing. Baselines stand in the same table, the money ranking first: an ensemble that
loses to sorting by money is worthless.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from data.errors import MinhBachError

if TYPE_CHECKING:
    from numpy.typing import NDArray

BUDGETS = (0.01, 0.02, 0.05)
RAW_COLUMNS = ("t_thuoc", "t_vtyt", "t_tongchi_bv", "t_tongchi_bh", "t_bncct", "t_bhtt", "so_ngay_dtri", "age", "lines")


class BadTruth(MinhBachError):
    """A truth folder that cannot be used."""

    code, http_status, exit_code = "bad_truth", 422, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Figures of one ranking against the truth."""

    ranking: str
    money_found: Mapping[float, float]  # budget -> share of improper money within it
    claims_found: Mapping[float, float]  # budget -> share of improper claims within it
    average_precision: float
    precision_at_100: float
    dirty_in_top: float  # share of the top 1 % that is dirty data
    legitimate_in_top: float  # share of the top 1 % that is a legitimate outlier

    def as_json(self) -> dict[str, object]:
        """One flat object."""
        return {
            "ranking": self.ranking,
            **{f"money_found_{b:.0%}": round(v, 4) for b, v in self.money_found.items()},
            **{f"claims_found_{b:.0%}": round(v, 4) for b, v in self.claims_found.items()},
            "average_precision": round(self.average_precision, 4),
            "precision_at_100": round(self.precision_at_100, 4),
            "dirty_in_top_1%": round(self.dirty_in_top, 4),
            "legitimate_in_top_1%": round(self.legitimate_in_top, 4),
        }


def read_truth(folder: Path) -> pl.DataFrame:
    """Rows of `claims.parquet` in a truth folder. Raises BadTruth naming what is missing."""
    path = folder / "claims.parquet"
    if not path.exists():
        raise BadTruth(
            f"{folder} holds no claims.parquet: give the truth folder that `minhbach generate` wrote",
            vi=f"{folder} không có claims.parquet: hãy chỉ thư mục truth do `minhbach generate` tạo ra",
        )
    truth = pl.read_parquet(path)
    missing = {"ma_cskcb", "ma_lk", "is_fraud", "improper_amount", "kind"} - set(truth.columns)
    if missing:
        raise BadTruth(
            f"{path.name} lacks the column(s) {', '.join(sorted(missing))}",
            vi=f"{path.name} thiếu cột {', '.join(sorted(missing))}",
        )
    return truth


def measure(ranking: str, scores: NDArray[np.float64], truth: pl.DataFrame) -> Quality:
    """Quality of one ranking; `scores` and `truth` row by row, higher first. Ties keep the order of the rows."""
    order = np.argsort(-scores, kind="stable")
    money = truth["improper_amount"].fill_null(0.0).to_numpy()[order]
    improper = money > 0
    kind = truth["kind"].to_numpy()[order]
    count = len(order)
    total, wrong = max(float(money.sum()), 1e-9), max(int(improper.sum()), 1)
    within = {budget: max(round(count * budget), 1) for budget in BUDGETS}
    found = np.cumsum(improper)
    precision = found / np.arange(1, count + 1)
    top = kind[: within[0.01]]
    return Quality(
        ranking=ranking,
        money_found={b: float(money[:n].sum()) / total for b, n in within.items()},
        claims_found={b: float(improper[:n].sum()) / wrong for b, n in within.items()},
        average_precision=float((precision * improper).sum() / wrong),
        precision_at_100=float(improper[:100].mean()),
        dirty_in_top=float((top == "dirty").mean()),
        legitimate_in_top=float((top == "legit_outlier").mean()),
    )


def evaluate(claims: pl.DataFrame, truth: pl.DataFrame, *, seed: int) -> list[Quality]:
    """Our ranking and the baselines, in one table.

    `claims` has, for each scored encounter: key, score, rule_amount (VND named by rules alone), ma_loai_kcb, icd3, and
    the raw columns of `RAW_COLUMNS` that exist. Encounters without truth are left out; raises BadTruth when none is
    left.
    """
    joined = claims.join(truth, on=["ma_cskcb", "ma_lk"], how="inner").sort("ma_cskcb", "ma_lk")
    if not joined.height:
        raise BadTruth(
            "no scored claim is in the truth folder: it belongs to other claims",
            vi="không hồ sơ nào đã chấm có trong thư mục truth: truth này của bộ hồ sơ khác",
        )
    rng = np.random.default_rng(seed)
    joined = joined[rng.permutation(joined.height)]  # so that ties favour no one
    raw = joined.select(
        pl.col(c).cast(pl.Float64).fill_null(0.0) for c in RAW_COLUMNS if c in joined.columns
    ).to_numpy()
    rankings = {
        "minhbach": joined["score"].to_numpy(),
        "rules alone": joined["rule_amount"].cast(pl.Float64).to_numpy(),
        "rank by cost": joined["t_bhtt"].cast(pl.Float64).to_numpy(),
        "cost z-score in peer group": _peer_z(joined),
        "isolation forest, raw columns": _isolation(raw, seed),
        "ECOD, raw columns": _ecod(raw),
        "random": rng.random(joined.height),
    }
    return [measure(name, np.nan_to_num(scores, nan=-np.inf), joined) for name, scores in rankings.items()]


def by_scheme(claims: pl.DataFrame, truth: pl.DataFrame, *, budget: float = 0.02) -> pl.DataFrame:
    """Per scheme: claims, improper money, and the share of each within the budget of our ranking."""
    joined = claims.join(truth, on=["ma_cskcb", "ma_lk"], how="inner", suffix="_true")
    within = max(round(joined.height * budget), 1)
    ranked = joined.sort("score", "ma_cskcb", "ma_lk", descending=[True, False, False]).with_row_index("place")
    schemes = "schemes_true" if "schemes_true" in ranked.columns else "schemes"
    return (
        ranked.filter(pl.col("improper_amount") > 0)
        .explode(schemes)
        .group_by(pl.col(schemes).alias("scheme"))
        .agg(
            pl.len().alias("claims"),
            pl.col("improper_amount").sum().alias("improper_amount"),
            (pl.col("place") < within).mean().alias("claims_found"),
            (pl.col("improper_amount").filter(pl.col("place") < within).sum() / pl.col("improper_amount").sum()).alias(
                "money_found"
            ),
        )
        .sort("improper_amount", "scheme", descending=[True, False])
    )


def _peer_z(rows: pl.DataFrame) -> NDArray[np.float64]:
    cost = pl.col("t_bhtt").cast(pl.Float64).fill_null(0.0).log1p()
    peers = ["ma_loai_kcb", "icd3"]
    z = (cost - cost.mean().over(peers)) / (cost.std().over(peers).fill_null(0.0) + 0.1)
    return rows.select(z.alias("z"))["z"].to_numpy()


def _isolation(raw: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    from sklearn.ensemble import IsolationForest

    return -IsolationForest(random_state=seed).fit(raw).score_samples(raw)


def _ecod(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    from pyod.models.ecod import ECOD

    return np.asarray(ECOD().fit(raw).decision_scores_)
