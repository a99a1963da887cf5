"""What holds for every scheme and decoy: it occurs, it is tested, the money still adds up, nothing gives it away."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data.schema import reference
from data.synthetic import generate
from data.synthetic.injection import all_decoys, all_schemes
from data.synthetic.schemes import NOT_GENERATED
from tests.lib.schemed import KEY, World

BREAKS_TOTALS = ("TOTALS_MISMATCH",)  # the scheme is that the sums do not add up
TAKES_MORE = ("LAM_THU_COPAY", "DUP_OTHER_PAYER", "PROGRAM_FREE_GOODS")  # … or that the parts of a line do not


def test_every_scheme_and_decoy_has_a_test_of_its_own() -> None:
    written = "".join(path.read_text() for path in sorted(Path(__file__).parent.glob("test_*.py")))
    tested = set(re.findall(r"^def test_(\w+)\(", written, re.MULTILINE))
    assert sorted({d.id.lower() for d in (*all_schemes(), *all_decoys())} - tested) == []


def test_every_catalogued_scheme_is_accounted_for() -> None:
    made = {s.id for s in all_schemes()}
    catalogued = {row["scheme"] for row in reference("schemes")}
    assert made <= catalogued
    assert set(NOT_GENERATED) == catalogued - made


def test_every_scheme_and_decoy_occurs(world: World) -> None:
    assert sorted({s.id for s in all_schemes()} - set(world.report.schemes)) == []
    assert sorted({d.id for d in all_decoys()} - set(world.truth["decoy"].unique())) == []
    assert set(world.truth["intensity"].drop_nulls()) == {"subtle", "clear", "blatant"}


def test_decoys_cost_nothing(world: World) -> None:
    innocent = world.truth.filter(pl.col("schemes").list.len() == 0)
    assert innocent["improper_amount"].sum() == 0
    assert innocent["intensity"].is_null().all()
    assert (world.truth.filter(pl.col("schemes").list.len() > 0)["improper_amount"] > 0).all()


def test_a_case_is_a_claim_or_the_few_of_one_deed(world: World) -> None:
    assert (world.truth["case_id"].is_not_null() == world.truth["is_fraud"]).all()
    cases = (
        world.truth.filter(pl.col("is_fraud"))
        .explode("schemes")
        .group_by("case_id")
        .agg(pl.len(), pl.col("ma_cskcb").n_unique(), pl.col("schemes").unique(), pl.col("intensity").n_unique())
    )
    assert (cases["schemes"].list.len() == 1).all(), "one deed"
    assert (cases["intensity"] == 1).all()
    several = cases.filter(pl.col("len") > 1)
    assert (several["ma_cskcb"] == 1).all()
    together = {s.id for s in all_schemes() if s.together}
    assert {"BED_SHARE_FULL", "BED_OVER_CAPACITY"} <= set(several["schemes"].explode()) <= together


def test_entities_are_those_of_the_claims(world: World) -> None:
    facilities = (
        world.entities.filter(pl.col("level") == "facility").group_by("id").agg(pl.col("improper_amount").sum())
    )
    claims = world.truth.explode("schemes").filter(pl.col("schemes").is_not_null())
    by_facility = claims.group_by(pl.col("ma_cskcb").alias("id")).agg(pl.col("improper_amount").sum().alias("true"))
    joined = facilities.join(by_facility, on="id", how="full")
    assert joined["true"].null_count() == 0
    assert (joined["improper_amount"] >= joined["true"] - 0.01).all(), "a facility named by another one adds to its own"
    most = claims["improper_amount"].sum()
    first = by_facility.sort("true", descending=True).head(max(3, by_facility.height // 5))
    assert first["true"].sum() > 0.5 * most, "few carry most of it"


def cents(name: str) -> pl.Expr:
    return (pl.col(name) * 100).round().cast(pl.Int64)


def thousandths(name: str) -> pl.Expr:
    return (pl.col(name) * 1000).round().cast(pl.Int64)


def half_up(numerator: pl.Expr, denominator: int) -> pl.Expr:
    return (2 * numerator + denominator) // (2 * denominator)


def test_lines_add_up(world: World) -> None:
    ratio = pl.col("tyle_tt_dv").cast(pl.Int64)
    drugs = world.xml2.with_columns(asked=thousandths("don_gia"), price=thousandths("don_gia"), ratio=pl.lit(100))
    services = world.xml3.with_columns(asked=thousandths("don_gia_bv"), price=thousandths("don_gia_bh"), ratio=ratio)
    for lines in (drugs, services):
        whole = thousandths("so_luong") * pl.col("price") * pl.col("ratio")
        asked = thousandths("so_luong") * pl.col("asked") * pl.col("ratio")
        cover, percent = pl.col("tyle_tt_bh").cast(pl.Int64), pl.col("muc_huong").cast(pl.Int64)
        checked = lines.select(
            *KEY, "schemes",
            (cents("thanh_tien_bv") == half_up(asked, 10**6)).alias("bv"),
            ((cents("thanh_tien_bh") - half_up(whole * cover // 100, 10**6)).abs() <= 1).alias("bh"),
            (cents("t_bhtt") == half_up(cents("thanh_tien_bh") * percent, 100)).alias("fund"),
            (cents("thanh_tien_bv") == cents("t_bntt") + cents("t_bncct") + cents("t_bhtt")).alias("parts"),
        )  # fmt: skip
        assert checked.select("bv", "bh", "fund").min().row(0) == (True, True, True)
        wrong = checked.filter(~pl.col("parts")).explode("schemes")["schemes"].unique().to_list()
        assert set(wrong) <= set(TAKES_MORE)


def test_totals_add_up(world: World) -> None:
    columns = ["thanh_tien_bv", "thanh_tien_bh", "t_bntt", "t_bncct", "t_bhtt"]
    lines = pl.concat([world.xml2.select(*KEY, *columns), world.xml3.select(*KEY, *columns)])
    sums = lines.group_by(KEY).agg(cents(c).sum().alias(f"sum_{c}") for c in columns)
    heads = world.xml1.join(sums, on=KEY, how="left")
    pairs = zip(("t_tongchi_bv", "t_tongchi_bh", "t_bntt", "t_bncct", "t_bhtt"), columns, strict=True)
    off = heads.filter(pl.any_horizontal((cents(total) - pl.col(f"sum_{part}")).abs() > 100 for total, part in pairs))
    assert set(off.explode("schemes")["schemes"].unique().drop_nulls()) <= set(BREAKS_TOTALS)
    assert off.filter(pl.col("schemes").list.len() == 0).height == 0


def test_a_field_is_never_filled_for_schemes_alone(world: World) -> None:
    for table, rows in world.tables.items():
        columns = [
            c for c, kind in rows.schema.items() if kind == pl.String and c not in {*KEY, "kind", "intensity", "decoy"}
        ]
        filled = rows.filter(pl.col("schemes").list.len() == 0).select((pl.col(c) != "").any() for c in columns).row(0)
        schemed = rows.filter(pl.col("schemes").list.len() > 0).select((pl.col(c) != "").any() for c in columns).row(0)
        only = [c for c, honest, wrong in zip(columns, filled, schemed, strict=True) if wrong and not honest]
        assert only == [], f"{table}: filled in claims with a scheme alone"


def test_a_world_without_schemes_has_none(tmp_path: Path) -> None:
    report = generate(tmp_path, encounters=400, months=3, seed=4, only=[], layout="parquet")
    assert report.improper_claims == 0
    assert report.improper_share_of_money == 0
    generate(tmp_path, encounters=400, months=3, seed=4, plain=True, layout="parquet")
    assert set(pl.read_parquet(tmp_path / "truth" / "claims.parquet")["kind"]) <= {"normal", "legit_outlier"}
    with pytest.raises(ValueError, match="unknown scheme"):
        generate(tmp_path, encounters=400, months=3, seed=4, only=["NO_SUCH"])


def test_layouts_say_the_same(tmp_path: Path) -> None:
    as_xml = generate(tmp_path / "a", encounters=300, months=3, seed=9)
    as_parquet = generate(tmp_path / "b", encounters=300, months=3, seed=9, layout="parquet")
    assert as_xml.schemes == as_parquet.schemes
    truths = [pl.read_parquet(tmp_path / f / "truth" / "claims.parquet") for f in ("a", "b")]
    assert truths[0].equals(truths[1])


TEXTS = {
    "xml2": ("ma_thuoc", ("so_dang_ky", "tt_thau")),
    "xml3": ("ma_dich_vu", ("ma_may", "nguoi_thuc_hien", "tt_thau")),
    "xml4": ("ma_chi_so", ("ket_luan", "gia_tri")),
    "xml5": ("", ("dien_bien_ls",)),
}
"""Table -> what a line is about, and texts whose length should not hang on whether it is true."""


def format_features(world: World) -> pl.DataFrame:
    """Of each claim, what has nothing to do with care: its place, the digits of its numbers, text lengths, presence."""
    number = pl.col("ma_lk").str.slice(6).cast(pl.Int64)
    digits = [
        pl.col(c).str.tail(n).str.replace_all(r"\D", "").cast(pl.Float64, strict=False).alias(f"{c}_{n}")
        for c, n in (("ma_bn", 2), ("ma_bn", 3), ("ma_the_bhyt", 2), ("so_cccd", 2), ("ma_hsba", 2))
    ]
    features = world.xml1.select(
        *KEY,
        (number % 100).cast(pl.Float64).alias("place_in_envelope"),
        pl.col("ngay_vao").dt.minute().cast(pl.Float64).mod(10).alias("minute"),
        *digits,
        *((pl.col(c) != "").cast(pl.Float64).alias(f"has_{c}") for c in ("so_cccd", "nhom_mau")),
    )
    for table, (about, texts) in TEXTS.items():
        like = [about] if about else pl.lit(1)
        length = {c: pl.when(pl.col(c) != "").then(pl.col(c).str.len_chars()) for c in texts}
        usual = world.tables[table].select(*KEY, *((e - e.mean().over(like)).alias(c) for c, e in length.items()))
        # One line of a claim: a mean over its lines would tell how many there are, which is care and no format.
        one = usual.sample(fraction=1.0, shuffle=True, seed=1).group_by(KEY, maintain_order=True)
        firsts = one.agg(pl.col(c).drop_nulls().first().alias(f"{table}_{c}") for c in texts)
        features = features.join(firsts, on=KEY, how="left")
    return features


def test_the_file_gives_nothing_away(world: World) -> None:
    """A classifier on format alone, against honest claims of the same facility, care type and diagnosis."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold, cross_val_predict

    like = ["ma_cskcb", "ma_loai_kcb", "ma_benh_chinh"]
    claims = world.xml1.select(
        *KEY, "ma_loai_kcb", "ma_benh_chinh", (pl.col("schemes").list.len() > 0).alias("schemed")
    )
    both = claims.filter(pl.col("schemed").any().over(like) & (~pl.col("schemed")).any().over(like))
    rows = both.join(format_features(world), on=KEY).sort(KEY)
    groups = rows.select(pl.struct(like).rank("dense"))["ma_cskcb"].to_numpy()
    # A text that is not there says what care was given, which is no format: it gets a length drawn from the others.
    drawn = np.random.default_rng(1)
    columns: list[np.ndarray] = []
    for column in rows.drop(*KEY, "ma_loai_kcb", "ma_benh_chinh", "schemed").iter_columns():
        values = column.cast(pl.Float64).to_numpy().copy()
        absent = np.isnan(values)
        values[absent] = drawn.choice(values[~absent], int(absent.sum()))
        columns.append(values)
    x = np.column_stack(columns)
    y = rows["schemed"].to_numpy()
    assert y.sum() > 500
    model = HistGradientBoostingClassifier(max_iter=60, random_state=1, early_stopping=False)
    guess = cross_val_predict(model, x, y, groups=groups, cv=GroupKFold(5), method="predict_proba")[:, 1]
    within = rows.select(*like).with_columns(guess=guess, y=y)
    # Compared within like claims only: the share of schemes differs between facilities, which is no tell.
    centred = within.with_columns((pl.col("guess") - pl.col("guess").mean().over(like)).alias("guess"))
    auc = roc_auc_score(centred["y"].to_numpy(), centred["guess"].to_numpy())
    assert abs(auc - 0.5) < 0.03, f"AUC {auc:.3f} on {x.shape[1]} features of {len(y)} claims"
    assert np.isfinite(auc)
