"""How rare a rule's sign is among like claims: what half of them show is how care goes, not a reason to look.

Learned from claims as they are and frozen: for each rule, the share of the encounters of one care type and diagnosis
that it names, drawn towards its share among all where they are few. Few claims are improper, however many a sign names:
beyond `RARE` its likelihood falls as that share grows, so that all its signs together promise no more. A rule of
severity `deny` says what the law does not pay; that does not become payable by being common, so it is never damped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import polars as pl

from data.schema import ENCOUNTER_KEY
from detectors.base import DetectorState

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY = list(ENCOUNTER_KEY)
PRIOR_ROWS = 25.0  # like claims that count for half against all claims
RARE = 0.01  # a sign on at most this share of like claims says all it can; on twice as many, half of it


@dataclass(frozen=True, eq=False)
class Rarity:
    """Shares of claims that rules name: `peers` has peer, n; `hits` rule, peer, hit (encounters)."""

    peers: pl.DataFrame
    hits: pl.DataFrame

    @classmethod
    def fit(cls, claims: pl.DataFrame, found: Mapping[str, pl.DataFrame]) -> Self:
        """Learn from `claims` (key, ma_loai_kcb, ma_benh_chinh) and the encounters that each rule names in them."""
        keyed = claims.select(*KEY, peer=_peer())
        peers = keyed.group_by("peer").agg(n=pl.len().cast(pl.Int64)).sort("peer")
        parts = [
            keyed.join(rows.select(KEY).unique(), on=KEY, how="semi")
            .group_by("peer")
            .agg(hit=pl.len().cast(pl.Int64))
            .select(pl.lit(rule_id).alias("rule"), "peer", "hit")
            for rule_id, rows in sorted(found.items())
            if rows.height
        ]
        empty = pl.DataFrame(schema={"rule": pl.String, "peer": pl.String, "hit": pl.Int64})
        return cls(peers=peers, hits=pl.concat([empty, *parts]).sort("rule", "peer"))

    def of(self, signs: pl.DataFrame, claims: pl.DataFrame) -> pl.Series:
        """For each row of `signs` (key, source, severity) how much of its likelihood is left, `RARE` to 1."""
        every = float(self.peers["n"].sum() or 0)
        overall = self.hits.group_by("rule").agg(named=pl.col("hit").sum())
        placed = (
            signs.select(*KEY, "severity", rule=pl.col("source").str.split("@").list.first())
            .join(claims.select(*KEY, peer=_peer()), on=KEY, how="left", maintain_order="left")
            .join(self.peers, on="peer", how="left", maintain_order="left")
            .join(self.hits, on=["rule", "peer"], how="left", maintain_order="left")
            .join(overall, on="rule", how="left", maintain_order="left")
        )
        usual = pl.col("named").fill_null(0) / max(every, 1.0)
        share = (pl.col("hit").fill_null(0) + PRIOR_ROWS * usual) / (pl.col("n").fill_null(0) + PRIOR_ROWS)
        left = (RARE / share.clip(RARE, 1.0)).round(6)
        return placed.select(left=pl.when(pl.col("severity") == "deny").then(1.0).otherwise(left))["left"]

    def state(self) -> DetectorState:
        """Counts by rule and peer; no claim."""
        meta = {"peers": self.peers.to_dict(as_series=False), "hits": self.hits.to_dict(as_series=False)}
        return DetectorState(kind="rarity", meta=meta, arrays={})

    @classmethod
    def from_state(cls, state: DetectorState) -> Self:
        """Read back what `state` gave."""
        peers: Mapping[str, Sequence[object]] = state.meta["peers"]
        hits: Mapping[str, Sequence[object]] = state.meta["hits"]
        return cls(
            peers=pl.DataFrame(dict(peers), schema={"peer": pl.String, "n": pl.Int64}),
            hits=pl.DataFrame(dict(hits), schema={"rule": pl.String, "peer": pl.String, "hit": pl.Int64}),
        )

    @classmethod
    def untaught(cls) -> Self:
        """Before any claim was seen: every sign counts in full."""
        return cls.fit(pl.DataFrame(schema=dict.fromkeys([*KEY, "ma_loai_kcb", "ma_benh_chinh"], pl.String())), {})


def _peer() -> pl.Expr:
    """The claims a sign is compared among: one care type, one three-character diagnosis."""
    return pl.format(
        "{}|{}", pl.col("ma_loai_kcb").fill_null(""), pl.col("ma_benh_chinh").fill_null("").str.slice(0, 3)
    )
