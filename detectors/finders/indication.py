"""Indication: is this item usual for these diagnoses, and is so much of it, so many of its kind, so dear a product?

Every finding names a line and the VND of it that would not be payable if the sign holds. All references are learned
once and frozen; a claim is judged by its own lines, its patient's earlier claims and them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import narwhals as nw
import numpy as np
import polars as pl

from data.schema import collected
from detectors.base import FINDING_COLUMNS, DetectorState
from detectors.items import CLAIM, DRUG, IMAGING, LAB, MATRIX_COLUMNS, PROCEDURE, SUPPLY, claims_of, lines_of
from detectors.justification import Justification
from detectors.reference import TailReference
from detectors.usual import Usual
from features.expressions import INPATIENT
from features.patients import earlier_encounters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data.schema import ClaimTables
    from features.base import Level

MIN_STRENGTH = 0.35  # a tail of 1 in 110: below it the honest ones are too many
MIN_PEERS = 500  # claims with a kind of item: fewer cannot tell one in a thousand
QUANTITY_TIMES, PRICE_TIMES, SUPPLY_TIMES, COUNT_TIMES = (
    1.2,
    1.5,
    1.2,
    1.1,
)  # beyond the 99th percentile: a little above is nothing
ONE = 1000  # thousandths: an excess below one unit is nothing
COUNT_ABOVE = 2  # items beyond the 99th percentile of the count
MANY_DRUGS, MANY_TESTS = 2, 3  # different items without indication: from here on it is a habit of giving much
LASTING = 2  # earlier claims with a diagnosis that make it a lasting one: a cold last spring explains nothing today
IN_HAND_DAYS = 120  # drugs ordered before that are used up: the longest lawful supply is 90 days
MIN_OVERLAP = 7.0  # days still in hand: a patient may come a few days early
STAYS = (0, 1, 2, 3, 5, 8, 12, 20)  # nights from which a stay counts as longer

_COUNTED = (DRUG, LAB, IMAGING, PROCEDURE)
_UNINDICATED = {DRUG: "drug", LAB: "test", IMAGING: "imaging", PROCEDURE: "service", SUPPLY: "supply"}
_OVERCOUNT = {DRUG: "OVER_DRUG_POLY", LAB: "OVER_TEST", IMAGING: "OVER_IMAGING", PROCEDURE: "DIAG_SERVICE_MISMATCH"}


class Indication:
    """The finder. `fit` learns what is usual from claims as they are; `find` names the lines that are not."""

    name = "indication"
    version = 1
    level: Level = "encounter"
    feature_names: tuple[str, ...] = MATRIX_COLUMNS
    needs: tuple[str, ...] = (
        "encounter.ma_benh_chinh",
        "encounter.ma_loai_kcb",
        "drug_line.ma_thuoc",
        "drug_line.ma_nhom",
        "drug_line.so_luong",
        "drug_line.t_bhtt",
        "service_line.ma_nhom",
        "service_line.so_luong",
        "service_line.t_bhtt",
    )

    def __init__(
        self,
        justification: Justification | None = None,
        usual: Mapping[str, Usual] | None = None,
        growth: Mapping[str, float] | None = None,
        tails: Mapping[str, TailReference] | None = None,
    ) -> None:
        """Fitted tables; empty before `fit`."""
        self._justification = justification
        self._usual = dict(usual or {})
        self._growth = dict(growth or {})
        self._tails = dict(tails or {})

    reason_vi: Mapping[str, str] = {
        "unindicated_drug": "{item}: không chẩn đoán nào của hồ sơ giải thích thuốc này; nhiều nhất {observed}% hồ sơ "
        "cùng chẩn đoán có dùng, so với {allowed}% mọi hồ sơ; quỹ chi {amount}",
        "unindicated_test": "{item}: không chẩn đoán nào của hồ sơ giải thích xét nghiệm này; nhiều nhất {observed}% "
        "hồ sơ cùng chẩn đoán có làm, so với {allowed}% mọi hồ sơ; quỹ chi {amount}",
        "unindicated_imaging": "{item}: không chẩn đoán nào của hồ sơ giải thích chỉ định này; nhiều nhất {observed}% "
        "hồ sơ cùng chẩn đoán có làm, so với {allowed}% mọi hồ sơ; quỹ chi {amount}",
        "unindicated_service": "{item}: không chẩn đoán nào của hồ sơ giải thích dịch vụ này; nhiều nhất {observed}% "
        "hồ sơ cùng chẩn đoán có làm, so với {allowed}% mọi hồ sơ; quỹ chi {amount}",
        "unindicated_supply": "{item}: không chẩn đoán nào của hồ sơ giải thích vật tư này; nhiều nhất {observed}% "
        "hồ sơ cùng chẩn đoán có dùng, so với {allowed}% mọi hồ sơ; quỹ chi {amount}",
        "quantity": "{item}: số lượng {observed}, trong khi 90% của {n} hồ sơ cùng nhóm không quá {allowed}; phần vượt "
        "quỹ chi {amount}",
        "days_supply": "{item}: cấp đủ dùng {observed} ngày, trong khi 90% của {n} lượt cùng nhóm không quá {allowed} "
        "ngày; phần vượt quỹ chi {amount}",
        "overlap": "{item}: thuốc cùng hoạt chất do cơ sở khác cấp còn đủ dùng {observed} ngày khi đến khám; phần "
        "trùng quỹ chi {amount}",
        "many_items": "{item}: hồ sơ có {observed} loại cùng nhóm chi phí, trong khi 90% của {n} hồ sơ cùng bệnh không "
        "quá {allowed}; đây là một trong những loại ít được chỉ định nhất cho bệnh này; quỹ chi {amount}",
        "dear_product": "{item}: đơn giá {observed} ₫, trong khi giá thường dùng của cùng hoạt chất, hàm lượng là "
        "{allowed} ₫ ({n} dòng); phần chênh quỹ chi {amount}",
    }
    reason_en: Mapping[str, str] = {
        "unindicated_drug": "{item}: no diagnosis of the claim explains this drug; at most {observed}% of claims with "
        "the same diagnosis have it, against {allowed}% of all; the fund pays {amount}",
        "unindicated_test": "{item}: no diagnosis of the claim explains this test; at most {observed}% of claims with "
        "the same diagnosis have it, against {allowed}% of all; the fund pays {amount}",
        "unindicated_imaging": "{item}: no diagnosis of the claim explains this study; at most {observed}% of claims "
        "with the same diagnosis have it, against {allowed}% of all; the fund pays {amount}",
        "unindicated_service": "{item}: no diagnosis of the claim explains this service; at most {observed}% of claims "
        "with the same diagnosis have it, against {allowed}% of all; the fund pays {amount}",
        "unindicated_supply": "{item}: no diagnosis of the claim explains this supply; at most {observed}% of claims "
        "with the same diagnosis have it, against {allowed}% of all; the fund pays {amount}",
        "quantity": "{item}: a quantity of {observed}, where 90% of {n} claims of its group have no more than "
        "{allowed}; for what is above the fund pays {amount}",
        "days_supply": "{item}: enough for {observed} days, where 90% of {n} lines of its group last no more than "
        "{allowed}; for what is above the fund pays {amount}",
        "overlap": "{item}: the same ingredient from another facility still lasted {observed} days on arrival; for the "
        "days covered twice the fund pays {amount}",
        "many_items": "{item}: the claim has {observed} different items of this cost group, where 90% of {n} claims "
        "with the disease have no more than {allowed}; this is one of those least often ordered for it; the fund pays "
        "{amount}",
        "dear_product": "{item}: a unit price of {observed} ₫, where the usual one of the same ingredient and strength "
        "is {allowed} ₫ ({n} lines); for the difference the fund pays {amount}",
    }

    def fit(self, tables: ClaimTables, matrix: pl.DataFrame, *, seed: int) -> Self:
        """Learn from the claims of `matrix`; others of `tables` count as their patients' past.

        Nothing is drawn: `seed` changes nothing.
        """
        del seed
        everyone = claims_of(tables, matrix)
        every_line = lines_of(tables, everyone)
        claims = everyone.filter("judged")
        lines = every_line.join(claims.select("c"), on="c", how="semi", maintain_order="left")
        given = lines.select("c", "item", "kind").unique()
        self._justification = Justification.fit(claims, given.select("c", "item"))
        odd = self._odd(tables, everyone, given, own=True)
        totals = _surprise(claims, given, odd)
        self._tails = {}
        for pool in ("peers", "wider"):
            for key, rows in sorted(totals.group_by(pool), key=lambda each: str(each[0][0])):
                if rows.height >= MIN_PEERS:
                    self._tails[str(key[0])] = TailReference.fit(rows["surprise"].to_numpy().astype(np.float64))
        amounts = _amounts(claims, lines)
        self._growth = _growth(amounts)
        self._usual = {
            "quantity": Usual.fit(
                _scaled(amounts, self._growth),
                ladder=(("item", "care_type", "icd3"), ("item", "care_type"), ("item", "care")),
                pool=("kind", "care"),
                times=QUANTITY_TIMES,
            ),
            "days_supply": Usual.fit(
                _supplies(claims, lines),
                ladder=(("item", "care_type", "icd3"), ("item", "care_type"), ("item", "care")),
                pool=("care",),
                times=SUPPLY_TIMES,
            ),
            "many_items": Usual.fit(
                _counts(claims, given),
                ladder=(
                    ("kind", "care_type", "icd3", "stay", "written"),
                    ("kind", "care_type", "icd3", "stay"),
                    ("kind", "care_type", "icd_letter", "stay"),
                ),
                pool=("kind", "care"),
                times=COUNT_TIMES,
                least=50,
            ),
            "dear_product": Usual.fit(
                _prices(claims, lines),
                # what the facility itself used to hand out comes first: a new dear product shows against it
                ladder=(("ma_cskcb", "product"), ("product",)),
                pool=("all",),
                times=PRICE_TIMES,
                usual=0.5,
            ),
        }
        in_hand = self._in_hand(tables, everyone, every_line).join(claims.select("c"), on="c", how="semi")
        self._tails["overlap"] = TailReference.fit(in_hand["left"].to_numpy())
        return self

    @property
    def _learned(self) -> Justification:
        if self._justification is None:
            raise ValueError("indication finds nothing before `fit`")
        return self._justification

    def find(self, tables: ClaimTables, matrix: pl.DataFrame) -> pl.DataFrame:
        """Lines of the claims of `matrix` that are not usual: columns of `FINDING_COLUMNS`, by claim, line and pattern.

        Other claims of `tables` count as their patients' past.
        """
        everyone = claims_of(tables, matrix)
        every_line = lines_of(tables, everyone)
        claims = everyone.filter("judged")
        lines = every_line.join(claims.select("c"), on="c", how="semi", maintain_order="left")
        if self._justification is None or not lines.height:
            return pl.DataFrame(schema=FINDING_COLUMNS)
        given = lines.select("c", "item", "kind").unique()
        found = [
            self._unindicated(tables, everyone, lines, given),
            self._quantities(claims, lines),
            self._days_supply(claims, lines),
            self._overlaps(tables, everyone, every_line),
            self._many(claims, lines, given),
            self._dear(claims, lines),
        ]
        columns = [name for name in FINDING_COLUMNS if name not in CLAIM]
        whole = pl.concat([part.select("c", *(pl.col(n).cast(FINDING_COLUMNS[n]) for n in columns)) for part in found])
        return (
            whole.with_columns(pl.col("strength").round(6), pl.col("amount").round(2))
            .filter(pl.col("strength") >= MIN_STRENGTH, pl.col("amount") > 0)
            .join(claims.select("c", *CLAIM), on="c", how="inner")
            .select(list(FINDING_COLUMNS))
            .sort(*CLAIM, "line_table", "row_no", "pattern")
        )

    def _known(self) -> Justification:
        if self._justification is None:
            raise ValueError("indication: not fitted; call fit or from_state first (chưa huấn luyện: gọi fit trước)")
        return self._justification

    # --- items without indication

    def _odd(self, tables: ClaimTables, claims: pl.DataFrame, given: pl.DataFrame, *, own: bool) -> pl.DataFrame:
        asked = given.select("c", "item")
        nothing = pl.DataFrame(schema={"c": pl.UInt32(), "diagnosis": pl.String()})
        first = self._known().unindicated(claims, asked, nothing, own=own)
        past = _earlier_diagnoses(tables, claims, first)
        return self._known().unindicated(claims, first.select("c", "item"), past, own=own)

    def _unindicated(
        self, tables: ClaimTables, claims: pl.DataFrame, lines: pl.DataFrame, given: pl.DataFrame
    ) -> pl.DataFrame:
        odd = self._odd(tables, claims, given, own=False)
        totals = _surprise(claims, given.join(odd.select("c").unique(), on="c", how="semi"), odd)
        totals = totals.filter(pl.col("surprise") > 0)
        known = pl.when(pl.col("peers").is_in(list(self._tails))).then("peers").otherwise("wider")
        totals = totals.with_columns(key=known)
        tail = np.ones(totals.height)
        keys = totals["key"].to_numpy()
        for key in sorted(set(keys.tolist()) & self._tails.keys()):
            mine = keys == key
            tail[mine] = self._tails[key].probability(totals["surprise"].to_numpy()[mine].astype(np.float64))
        totals = totals.with_columns(strength=_strength(tail))
        kind = pl.col("kind")
        many = pl.col("odd_items")
        drugs = pl.when(many >= MANY_DRUGS).then(pl.lit("OVER_DRUG_POLY")).otherwise(pl.lit("DRUG_OFF_CONDITION"))
        tests = pl.when(many >= MANY_TESTS).then(pl.lit("OVER_TEST")).otherwise(pl.lit("DIAG_SERVICE_MISMATCH"))
        scheme = (
            pl.when(kind == DRUG)
            .then(drugs)
            .when(kind == LAB)
            .then(tests)
            .when(kind == IMAGING)
            .then(pl.lit("OVER_IMAGING"))
            .when(kind == SUPPLY)
            .then(pl.lit("SUPPLY_WITHOUT_PROCEDURE"))
            .otherwise(pl.lit("DIAG_SERVICE_MISMATCH"))
        )
        words = {code: f"unindicated_{word}" for code, word in _UNINDICATED.items()}
        return (
            lines.join(odd, on=["c", "item"], how="inner")
            .join(totals, on=["c", "kind"], how="inner")
            .with_columns(
                scheme.alias("scheme"),
                pattern=kind.replace_strict(words, return_dtype=pl.String),
                amount=pl.col("fund") / 100,
                observed=(100 * pl.col("share")).round_sig_figs(4),
                allowed=(100 * pl.col("overall")).round_sig_figs(4),
                peer_group=pl.lit(None, dtype=pl.String),
                peer_n=pl.col("seen"),
            )
        )

    # --- too much of it

    def _quantities(self, claims: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
        scaled = _scaled(_amounts(claims, lines), self._growth)
        above = (
            self._usual["quantity"]
            .above(scaled)
            .with_columns(limit=(pl.col("usual") * pl.col("scale") * ONE).ceil().cast(pl.Int64))
        )
        above = above.filter(pl.col("total") - pl.col("limit") >= ONE)
        mine = lines.drop("kind").join(above, on=["c", "item"], how="inner").sort("c", "item", "line_table", "row_no")
        # what comes after the usual quantity is the excess: the later lines carry it
        beyond = (pl.col("quantity").cum_sum().over("c", "item") - pl.col("limit")).clip(0)
        excess = pl.min_horizontal(beyond, "quantity").fill_null(0)
        inside = pl.col("care") == "in"
        scheme = (
            pl.when(pl.col("kind") == str(DRUG))
            .then(pl.when(inside).then(pl.lit("QTY_INFLATION")).otherwise(pl.lit("OVER_DRUG_QTY")))
            .when(pl.col("kind") == str(SUPPLY))
            .then(pl.lit("QTY_INFLATION"))
            .otherwise(pl.lit("MUE_EXCEEDED"))
        )
        return mine.with_columns(
            scheme.alias("scheme"),
            pattern=pl.lit("quantity"),
            strength=_strength(mine["tail"].to_numpy()),
            amount=_part(excess, "quantity"),
            observed=pl.col("total") / ONE,
            allowed=pl.col("limit") / ONE,
            peer_n=pl.col("members"),
        )

    def _days_supply(self, claims: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
        above = self._usual["days_supply"].above(_supplies(claims, lines))
        excess = (pl.col("x") - pl.col("usual")).clip(0)
        return above.with_columns(
            pattern=pl.lit("days_supply"),
            scheme=pl.lit("OVER_DRUG_QTY"),
            strength=_strength(above["tail"].to_numpy()),
            amount=_part(excess, "x"),
            observed=pl.col("x").round(1),
            allowed=pl.col("usual").round(1),
            peer_n=pl.col("members"),
        )

    # --- still in hand from elsewhere

    def _in_hand(self, tables: ClaimTables, claims: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
        """Outpatient drug lines with `left`: the days that the ingredient, from other facilities, still lasts."""
        seen = collected(
            earlier_encounters(tables)
            .filter(
                (nw.col("days_ago") <= IN_HAND_DAYS)
                & (nw.col("prior_ma_cskcb") != nw.col("ma_cskcb"))
                & ~nw.col("prior_care").fill_null("").is_in(list(INPATIENT))
            )
            .select(*CLAIM, "prior_ma_cskcb", "prior_ma_lk", "arrival")
        )
        key = claims.select(*CLAIM, "c", "care")
        seen = seen.join(key.filter(pl.col("care") == "out").drop("care"), on=CLAIM, how="inner").join(
            key.select(prior_ma_cskcb="ma_cskcb", prior_ma_lk="ma_lk", prior="c"),
            on=["prior_ma_cskcb", "prior_ma_lk"],
            how="inner",
        )
        drugs = lines.filter(pl.col("kind") == DRUG, pl.col("supply") > 0)
        handed = drugs.select("item", prior="c", handed="supply", handed_at="ordered").drop_nulls()
        ago = (pl.col("arrival") - pl.col("handed_at")).dt.total_seconds() / 86_400.0
        left = (
            seen.select("c", "prior", "arrival")
            .join(handed, on="prior", how="inner")
            .filter(pl.col("handed_at") < pl.col("arrival"))
            .with_columns(left=(pl.col("handed") - ago).clip(0.0).round(3))
            .group_by("c", "item")
            .agg(pl.col("left").max())
        )
        mine = drugs.join(claims.filter(pl.col("care") == "out").select("c", "care_type"), on="c", how="inner")
        return mine.join(left, on=["c", "item"], how="left").with_columns(pl.col("left").fill_null(0.0))

    def _overlaps(self, tables: ClaimTables, claims: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
        held = self._in_hand(tables, claims, lines).filter(pl.col("left") >= MIN_OVERLAP)
        tail = self._tails["overlap"].probability(held["left"].to_numpy())
        twice = pl.min_horizontal("left", "supply")
        return held.with_columns(
            pattern=pl.lit("overlap"),
            scheme=pl.lit("OVERLAP_DRUG_SUPPLY"),
            strength=_strength(tail),
            amount=_part(twice, "supply"),
            observed=pl.col("left").round(1),
            allowed=pl.lit(0.0),
            peer_group=pl.lit(None, dtype=pl.String),
            peer_n=pl.lit(self._tails["overlap"].rows),
        )

    # --- too many of a kind

    def _many(self, claims: pl.DataFrame, lines: pl.DataFrame, given: pl.DataFrame) -> pl.DataFrame:
        above = self._usual["many_items"].above(_counts(claims, given))
        above = above.filter(pl.col("x") - pl.col("high") >= COUNT_ABOVE)
        kinds = above.select("c", pl.col("kind").cast(pl.UInt8), "x", "usual", "members", "peer_group", "tail")
        theirs = given.join(kinds, on=["c", "kind"], how="inner")
        ranked = self._known().best(claims, theirs).sort("c", "kind", "share", "item")
        # as many as lie above the usual number, the least often ordered for these diagnoses first
        place = pl.int_range(pl.len()).over("c", "kind")
        excess = ranked.filter(place < pl.col("x") - pl.col("usual"), pl.col("share") < 1.0)
        scheme = {str(code): name for code, name in _OVERCOUNT.items()}
        named = lines.join(excess.drop("kind"), on=["c", "item"], how="inner")
        return named.with_columns(
            pattern=pl.lit("many_items"),
            scheme=pl.col("kind").cast(pl.String).replace_strict(scheme, return_dtype=pl.String),
            strength=_strength(named["tail"].to_numpy()),
            amount=pl.col("fund") / 100,
            observed=pl.col("x"),
            allowed=pl.col("usual"),
            peer_n=pl.col("members"),
        )

    # --- a dearer product

    def _dear(self, claims: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
        above = self._usual["dear_product"].above(_prices(claims, lines))
        return above.with_columns(
            pattern=pl.lit("dear_product"),
            scheme=pl.lit("HIGH_COST_DRUG_SHIFT"),
            strength=_strength(above["tail"].to_numpy()),
            amount=_part(pl.col("x") - pl.col("usual"), "x"),
            observed=pl.col("x"),
            allowed=pl.col("usual"),
            peer_n=pl.col("members"),
        )

    # --- state

    def state(self) -> DetectorState:
        """Counts, quantiles and tail references; no training row."""
        arrays: dict[str, NDArray[Any]] = {}
        if self._justification is not None:
            arrays |= self._justification.arrays("justification")
        for name, usual in self._usual.items():
            arrays |= usual.arrays(f"usual/{name}")
        for key, tail in self._tails.items():
            arrays[f"tail/{key}"] = tail.values
        items = sorted(self._growth)
        arrays["growth/item"] = np.array(items, dtype=np.str_)
        arrays["growth/power"] = np.array([self._growth[item] for item in items], dtype=np.float64)
        meta = {
            "version": self.version,
            "fitted": self._justification is not None,
            "usual": {name: usual.meta for name, usual in self._usual.items()},
            "tails": {key: tail.rows for key, tail in self._tails.items()},
        }
        return DetectorState(kind=self.name, meta=meta, arrays=arrays)

    @classmethod
    def from_state(cls, state: DetectorState) -> Self:
        """Read back what `state` gave."""
        arrays, meta = state.arrays, state.meta
        tails: Mapping[str, int] = meta["tails"]
        items: list[str] = arrays["growth/item"].tolist()
        powers: list[float] = arrays["growth/power"].tolist()
        return cls(
            justification=Justification.from_arrays(arrays, "justification") if meta["fitted"] else None,
            usual={name: Usual.from_state(own, arrays, f"usual/{name}") for name, own in meta["usual"].items()},
            growth=dict(zip(items, powers, strict=True)),
            tails={key: TailReference(arrays[f"tail/{key}"], rows) for key, rows in tails.items()},
        )


# --- what the references are learned from


def _strength(tail: NDArray[np.float64]) -> pl.Series:
    """How much a tail probability says: 0 at one in ten or commoner, 1 at one in ten thousand or rarer."""
    return pl.Series("strength", np.clip((-np.log10(np.maximum(tail, 1e-12)) - 1.0) / 3.0, 0.0, 1.0))


def _part(excess: pl.Expr, whole: str) -> pl.Expr:
    """VND of the fund's part of a line that `excess` of its `whole` stands for."""
    share = (excess / pl.col(whole)).fill_null(0.0).fill_nan(0.0).clip(0.0, 1.0)
    return (share * pl.col("fund") / 100).round_sig_figs(12)


def _surprise(claims: pl.DataFrame, given: pl.DataFrame, odd: pl.DataFrame) -> pl.DataFrame:
    """One row a claim and kind of item: the summed surprise of its odd items (whole thousandths), and its peers."""
    each = odd.select("c", "item", (-pl.col("share").log10() * 1000).round().cast(pl.Int64).alias("surprise"))
    return (
        given.join(each, on=["c", "item"], how="left")
        .group_by("c", "kind")
        .agg(pl.col("surprise").sum(), pl.col("surprise").count().alias("odd_items"))
        .join(claims.select("c", "care", "rank"), on="c", how="left")
        .with_columns(
            peers=pl.concat_str("kind", "care", "rank", separator="|"),
            wider=pl.concat_str("kind", "care", separator="|"),
        )
    )


def _earlier_diagnoses(tables: ClaimTables, claims: pl.DataFrame, odd: pl.DataFrame) -> pl.DataFrame:
    """Lasting diagnoses of the past year of the patients whose claims have something odd: `c`, `diagnosis`."""
    asked = claims.join(odd.select("c").unique(), on="c", how="semi").select(*CLAIM, "c", "diagnoses")
    people = collected(tables.encounter.select(*CLAIM, "patient_id")).join(asked, on=CLAIM, how="semi")
    named: list[str] = people["patient_id"].drop_nulls().unique().sort().to_list()
    theirs = replace(tables, encounter=tables.encounter.filter(nw.col("patient_id").is_in(named)))
    seen = collected(earlier_encounters(theirs).select(*CLAIM, "prior_ma_cskcb", "prior_ma_lk"))
    return (
        seen.join(asked.select(*CLAIM, "c"), on=CLAIM, how="inner")
        .join(
            claims.select("diagnoses", prior_ma_cskcb="ma_cskcb", prior_ma_lk="ma_lk"),
            on=["prior_ma_cskcb", "prior_ma_lk"],
            how="inner",
        )
        .select("c", diagnosis="diagnoses")
        .explode("diagnosis", empty_as_null=False)
        .drop_nulls()
        .group_by("c", "diagnosis")
        .len()
        .filter(pl.col("len") >= LASTING)
        .select("c", "diagnosis")
    )


def _amounts(claims: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """One row a claim and item: the quantity in all (thousandths), and what it is compared by."""
    return (
        lines.drop_nulls("quantity")
        .group_by("c", "item", "kind")
        .agg(pl.col("quantity").sum().alias("total"))
        .join(claims.select("c", "care", "care_type", "icd3", "nights"), on="c", how="left")
        .with_columns(pl.col("kind").cast(pl.String))
        .sort("c", "item", "kind")
    )


POWERS = (0.0, 0.5, 1.0)


def _growth(amounts: pl.DataFrame) -> dict[str, float]:
    """How an item's quantity grows with the nights of a stay: the power of nights + 1 that leaves the least spread."""
    stays = amounts.filter(pl.col("care") == "in")
    log_days = np.log1p(stays["nights"].to_numpy().astype(np.float64))
    log_total = np.log(stays["total"].to_numpy().astype(np.float64))
    spread = (
        stays.select("item")
        .with_columns(pl.Series(f"p{n}", np.round(log_total - power * log_days, 6)) for n, power in enumerate(POWERS))
        .with_columns((pl.col(f"p{n}") * 1_000_000).round().cast(pl.Int64) for n in range(len(POWERS)))
        .group_by("item")
        .agg(
            pl.len().alias("members"),
            # the middle four fifths: a few absurd claims must not say how an item is used
            *(
                (pl.col(f"p{n}").quantile(0.9, "higher") - pl.col(f"p{n}").quantile(0.1, "higher")).alias(f"s{n}")
                for n in range(len(POWERS))
            ),
        )
        .sort("item")
    )
    least = np.argmin(spread.select(f"s{n}" for n in range(len(POWERS))).to_numpy(), axis=1) if spread.height else []
    return {item: POWERS[int(n)] for item, n in zip(spread["item"].to_list(), least, strict=True) if n}


def _scaled(amounts: pl.DataFrame, growth: Mapping[str, float]) -> pl.DataFrame:
    """`amounts` with `scale`, what a stay of so many nights multiplies the item's quantity by, and `x`, per scale."""
    power = amounts["item"].replace_strict(growth, default=0.0, return_dtype=pl.Float64).to_numpy()
    days = amounts["nights"].to_numpy().astype(np.float64) + 1.0
    inside = (amounts["care"] == "in").to_numpy()
    scale = np.where(inside & (power == 1.0), days, np.where(inside & (power == 0.5), np.sqrt(days), 1.0))
    x = amounts["total"].to_numpy().astype(np.float64) / 1000.0 / scale
    return amounts.with_columns(pl.Series("scale", scale), pl.Series("x", x).round_sig_figs(9))


def _supplies(claims: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Outpatient drug lines with the days they last."""
    outside = claims.filter(pl.col("care") == "out").select("c", "care", "care_type", "icd3")
    return (
        lines.filter(pl.col("kind") == DRUG, pl.col("supply") > 0)
        .select("c", "line_table", "row_no", "item", "fund", x="supply")
        .join(outside, on="c", how="inner")
    )


def _counts(claims: pl.DataFrame, given: pl.DataFrame) -> pl.DataFrame:
    """One row a claim and kind: how many different items, and what it is compared by."""
    nights, written = pl.col("nights"), pl.col("diagnoses").list.len()
    stay = pl.sum_horizontal(*((nights >= n).cast(pl.Int32) for n in STAYS)).cast(pl.String)
    context = claims.filter(pl.col("icd3") != "").select(
        "c",
        "care",
        "care_type",
        "icd3",
        "icd_letter",
        stay=pl.when(pl.col("care") == "in").then(stay).otherwise(pl.lit("0")),
        written=written.clip(1, 4).cast(pl.String),
    )
    return (
        given.filter(pl.col("kind").is_in(_COUNTED))
        .group_by("c", "kind")
        .agg(pl.len().cast(pl.Float64).alias("x"))
        .join(context, on="c", how="inner")
        .with_columns(pl.col("kind").cast(pl.String))
    )


def _prices(claims: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Drug lines with their unit price."""
    drugs = lines.filter(pl.col("kind") == DRUG, pl.col("price") > 0).join(
        claims.select("c", "ma_cskcb"), on="c", how="inner"
    )
    return drugs.select(
        "c", "line_table", "row_no", "item", "fund", "ma_cskcb", "product", x="price", all=pl.lit("all")
    )


FINDER = Indication
