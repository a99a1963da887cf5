"""Peer groups: the entities one is fairly compared with, and what is usual among them.

A group is looked for on a ladder of ever wider ones; the first with MIN_SIZE members answers. A group too small says
nothing: silence beats a noisy ratio. The table is learned once and frozen: a row's answer depends on that row alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl

from data.schema import code_names
from features.names import UNITS, name_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.base import Level

Ladder = tuple[tuple[str, ...], ...]

MIN_SIZE = 30  # below this a few members move the 90th percentile, and the spread rests on it

LADDERS: Mapping[Level, Ladder] = {
    "line": (
        ("code", "facility_rank", "ma_loai_kcb"),
        ("code", "facility_rank"),
        ("code",),
        ("heading", "facility_rank"),
        ("heading",),
        (),
    ),
    "patient": (
        ("age_band", "sex", "icd_letter", "visit_band"),
        ("age_band", "icd_letter", "visit_band"),
        ("age_band", "visit_band"),
        ("visit_band",),
        (),
    ),
    "encounter": (
        ("ma_loai_kcb", "facility_rank", "icd3", "age_band"),
        ("ma_loai_kcb", "facility_rank", "icd_letter"),
        ("ma_loai_kcb", "facility_rank"),
        ("ma_loai_kcb",),
        (),
    ),
    "doctor_month": (
        ("facility_rank", "main_icd_letter", "size_band"),
        ("facility_rank", "size_band"),
        ("size_band",),
        (),
    ),
    "facility_month": (
        ("facility_rank", "facility_kind", "size_band"),
        ("facility_rank", "size_band"),
        ("size_band",),
        (),
    ),
}
"""From the narrowest group to all. Text columns of the matrix; null is a value of its own."""

ALL = "all"
QUANTILES = (0.90, 0.95, 0.99)
STATISTICS = ("centre", "spread", "p90", "p95", "p99")

NORMAL_MAD = 1.4826  # the median absolute deviation of a normal distribution times this is its standard deviation
NORMAL_P90 = 1.2816  # standard deviations from its median to its 90th percentile

COLUMN_NAMES: Mapping[str, tuple[str, str]] = {
    "ma_loai_kcb": ("", ""),
    "facility_rank": ("cơ sở hạng", "facility rank"),
    "facility_kind": ("loại cơ sở", "facility kind"),
    "icd3": ("bệnh chính", "main diagnosis"),
    "icd_letter": ("nhóm bệnh", "diagnosis letter"),
    "main_icd_letter": ("nhóm bệnh chủ yếu", "commonest diagnosis letter"),
    "age_band": ("tuổi", "age"),
    "size_band": ("số lượt trong tháng", "encounters in the month"),
    "code": ("mã", "code"),
    "heading": ("nhóm chi phí", "cost heading"),
    "sex": ("giới tính", "sex"),
    "visit_band": ("số lượt trong năm", "visits in the year"),
}


def to_scale(measure: str, values: pl.Expr) -> pl.Expr:
    """`values` of `measure` on the scale it is compared on: log(1 + x) for money, as they are for the rest."""
    return values.clip(lower_bound=0.0).log1p() if UNITS[name_of(measure).unit].logarithmic else values


def from_scale(measure: str, values: pl.Expr) -> pl.Expr:
    """The opposite of `to_scale`: a centre or quantile back in the measure's own unit."""
    return values.exp() - 1.0 if UNITS[name_of(measure).unit].logarithmic else values


@dataclass(frozen=True, eq=False)
class PeerTable:
    """What is usual in each peer group: one row a group, `peer_group`, `peer_n` and `STATISTICS` of each measure.

    Columns are named `<measure>__centre` (median), `__spread`, `__p90`, `__p95`, `__p99`, all on the scale of
    `to_scale`; null where fewer than `min_size` members of the group have the measure.
    """

    ladder: Ladder
    measures: tuple[str, ...]
    min_size: int
    groups: pl.DataFrame

    @classmethod
    def fit(cls, matrix: pl.DataFrame, ladder: Ladder, measures: Sequence[str], min_size: int = MIN_SIZE) -> Self:
        """Learn the groups of `matrix`. Raises ValueError unless the ladder ends with everything, `()`."""
        if not ladder or ladder[-1] != ():
            raise ValueError("the last rung of a peer ladder is (): every row must find a group")
        scaled = matrix.lazy().with_columns(to_scale(m, pl.col(m)).alias(m) for m in measures)
        rungs = pl.collect_all([_rung(scaled, rung, measures, min_size) for rung in ladder])
        groups = pl.concat(rungs).sort("peer_group")
        return cls(ladder=ladder, measures=tuple(measures), min_size=min_size, groups=groups)

    def lookup(self, matrix: pl.DataFrame) -> pl.DataFrame:
        """For each row of `matrix`, in its order: `peer_group`, `peer_n` and the statistics of its group."""
        known = self.groups.get_column("peer_group").implode()
        keys = (_group_key(rung) for rung in self.ladder)
        chosen = pl.coalesce(pl.when(key.is_in(known)).then(key) for key in keys)
        return matrix.select(peer_group=chosen).join(self.groups, on="peer_group", how="left", maintain_order="left")

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Plain JSON and named arrays that `from_state` turns back into an equal table; no training row."""
        meta = {
            "ladder": [list(rung) for rung in self.ladder],
            "measures": list(self.measures),
            "min_size": self.min_size,
            "peer_group": self.groups.get_column("peer_group").to_list(),
        }
        statistics = self.groups.select(_statistic_columns(self.measures)).fill_null(float("nan"))
        arrays = {
            "peer_n": self.groups.get_column("peer_n").to_numpy().astype(np.int64),
            "statistics": statistics.to_numpy().astype(np.float64).reshape(self.groups.height, -1),
        }
        return meta, arrays

    @classmethod
    def from_state(cls, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Self:
        """Read back what `state` gave."""
        measures = tuple(meta["measures"])
        columns = _statistic_columns(measures)
        schema = dict.fromkeys(columns, pl.Float64())
        statistics = pl.DataFrame(np.ascontiguousarray(arrays["statistics"]), schema=schema).fill_nan(None)
        names = pl.Series("peer_group", list(meta["peer_group"]), dtype=pl.String())
        counts = pl.Series("peer_n", arrays["peer_n"], dtype=pl.Int64())
        return cls(
            ladder=tuple(tuple(rung) for rung in meta["ladder"]),
            measures=measures,
            min_size=int(meta["min_size"]),
            groups=pl.DataFrame([names, counts]).hstack(statistics),
        )


def label(peer_group: str, lang: str = "vi") -> str:
    """The group in words, e.g. "Khám bệnh, cơ sở hạng 2, bệnh chính J02, tuổi 30-44"."""
    at = 0 if lang == "vi" else 1
    if peer_group == ALL:
        return ("toàn bộ", "all")[at]
    care_types = code_names("MA_LOAI_KCB", lang)
    unknown = ("không rõ", "unknown")[at]
    words: list[str] = []
    for part in peer_group.split("|"):
        column, _, value = part.partition("=")
        if column == "ma_loai_kcb":
            words.append(care_types.get(value, f"MA_LOAI_KCB {value or unknown}"))
        else:
            words.append(f"{COLUMN_NAMES.get(column, (column, column))[at]} {value or unknown}")
    return ", ".join(words)


def _group_key(rung: Sequence[str]) -> pl.Expr:
    """Name of the group a row belongs to on one rung: `ma_loai_kcb=01|facility_rank=2`, or `all`."""
    if not rung:
        return pl.lit(ALL)
    parts = (pl.concat_str(pl.lit(f"{name}="), pl.col(name).fill_null("")) for name in rung)
    return pl.concat_str(list(parts), separator="|")


def _statistic_columns(measures: Sequence[str]) -> list[str]:
    return [f"{measure}__{statistic}" for measure in measures for statistic in STATISTICS]


def _rung(scaled: pl.LazyFrame, rung: Sequence[str], measures: Sequence[str], min_size: int) -> pl.LazyFrame:
    statistics = [s for measure in measures for s in _statistics(measure, min_size)]
    count = pl.len().cast(pl.Int64).alias("peer_n")
    if not rung:
        return scaled.select(pl.lit(ALL).alias("peer_group"), count, *statistics)
    grouped = scaled.group_by(_group_key(rung).alias("peer_group")).agg(count, *statistics)
    return grouped.filter(pl.col("peer_n") >= min_size)


def _statistics(measure: str, min_size: int) -> list[pl.Expr]:
    """Centre, spread and upper quantiles of one measure, null with fewer than `min_size` values.

    The spread is the larger of what the middle half and the upper tail suggest, and never below the unit's floor: most
    prices are equal and most counts are zero, so that the median absolute deviation alone would be 0 and every other
    value infinitely strange.
    """
    values = pl.col(measure)
    enough = values.count() >= min_size
    centre = values.median()
    p90, p95, p99 = (values.quantile(q, interpolation="linear") for q in QUANTILES)
    floor = pl.lit(UNITS[name_of(measure).unit].floor)
    spread = pl.max_horizontal((values - centre).abs().median() * NORMAL_MAD, (p90 - centre) / NORMAL_P90, floor)
    named = zip(STATISTICS, (centre, spread, p90, p95, p99), strict=True)
    return [pl.when(enough).then(value).alias(f"{measure}__{statistic}") for statistic, value in named]
