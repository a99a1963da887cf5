"""Too much of what is real: tests, drugs, visits, bed days and quantities beyond what the illness asks for."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from data.synthetic.care import FINDINGS
from data.synthetic.schemes.drug_off_condition import HARSH, LIMITED
from data.synthetic.schemes.high_cost_drug_shift import BRANDS
from data.synthetic.schemes.over_drug_poly import SUPPORT
from data.synthetic.schemes.over_rehab import TECHNIQUES
from data.synthetic.schemes.package_ordering import SETS
from data.synthetic.world import drugs, services
from tests.lib.schemed import KEY, World, thick_world

CHRONIC = ("05", "08")
DAY = pl.duration(days=1)
LABORATORY = pl.col("ma_nhom") == "1"
BED = pl.col("ma_nhom").is_in(["14", "15", "16"])


def blatant(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("intensity") == "blatant")


def codes(keys: list[str]) -> list[str]:
    """Codes of drugs or services by key."""
    items = {**services(), **drugs()}
    return [items[key].code for key in keys]


def per_claim(frame: pl.DataFrame, what: pl.Expr) -> pl.Series:
    return frame.group_by(KEY).agg(what.alias("n"))["n"]


def mean(values: pl.Series) -> float:
    found = values.mean()
    assert isinstance(found, float)
    return found


def pairs(world: World, scheme: str) -> pl.DataFrame:
    """Each claim of a scheme (`…_right`) with the claims of the same person that began before it."""
    columns = [*KEY, "ma_the_bhyt", "ma_loai_kcb", "ma_benh_chinh", "ngay_vao", "ngay_ra", "t_tongchi_bh", "intensity",
               "ket_qua_dtri", "ngay_ttoan"]  # fmt: skip
    later = world.of(scheme).select(columns)
    return (
        world.xml1.select(columns).join(later, on="ma_the_bhyt").filter(pl.col("ngay_vao") < pl.col("ngay_vao_right"))
    )


def supplied_days(frame: pl.DataFrame) -> pl.DataFrame:
    """Drug lines with the days their dose text covers, where it says so as `n * k * d [t/day]`."""
    return frame.with_columns(
        pl.col("lieu_dung").str.extract(r"\* (\d+) ngày").cast(pl.Float64).alias("days"),
        pl.col("lieu_dung").str.extract(r"\[(\d+) ").cast(pl.Float64).alias("daily"),
    ).drop_nulls(["days", "daily"])


def test_over_test(world: World) -> None:
    rows = world.of("OVER_TEST")
    assert rows.height > 0
    like = ["ma_benh_chinh", "ma_loai_kcb"]

    def tests(frame: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
        counts = lines.filter(LABORATORY).group_by(KEY).agg(pl.len().alias("tests"))
        return frame.join(counts, on=KEY, how="left").with_columns(pl.col("tests").fill_null(0).cast(pl.Int64))

    mine = tests(rows, world.of("OVER_TEST", "xml3"))
    usual = tests(world.honest(), world.honest("xml3")).group_by(like).agg(pl.col("tests").mean().alias("usual"))
    compared = mine.join(usual, on=like)
    assert (mine["tests"] >= 3).all()
    assert mean(compared["tests"] - compared["usual"]) > 2.5


def test_over_imaging(world: World) -> None:
    assert world.of("OVER_IMAGING").height > 0
    imaging = pl.col("ma_nhom").is_in(["2", "3"])
    mine = world.of("OVER_IMAGING", "xml3")
    like = world.of("OVER_IMAGING").select("ma_benh_chinh", "ma_loai_kcb").unique()
    peers = world.honest("xml3").join(
        world.honest().join(like, on=["ma_benh_chinh", "ma_loai_kcb"]).select(KEY), on=KEY
    )
    assert per_claim(mine, imaging.any()).all(), "every claim has a film"
    assert mean(per_claim(mine, imaging.sum())) > mean(per_claim(peers, imaging.sum())) + 0.8
    normal = pl.col("ket_luan").str.starts_with(FINDINGS[0]) | pl.col("ket_luan").str.starts_with(FINDINGS[1])
    report = pl.col("ket_luan") != ""
    share = world.of("OVER_IMAGING", "xml4").filter(report).select(normal.mean()).item()
    assert share > world.honest("xml4").filter(report).select(normal.mean()).item()


def test_over_rehab(world: World) -> None:
    assert world.of("OVER_REHAB").height > 0
    technique = pl.col("ma_dich_vu").is_in(codes(list(TECHNIQUES)))

    def a_day(frame: pl.DataFrame) -> pl.Series:
        lines = frame.filter(technique).with_columns(pl.col("ngay_th_yl").dt.date().alias("day"))
        return lines.group_by(*KEY, "day").agg(pl.col("ma_dich_vu").n_unique().alias("n"))["n"]

    mine, usual = a_day(world.of("OVER_REHAB", "xml3")), a_day(world.honest("xml3"))
    assert mean(mine) > mean(usual) + 0.8
    assert (usual > 4).sum() == 0
    bold = blatant(world.of("OVER_REHAB", "xml3"))
    assert bold.is_empty() or (a_day(bold) > 4).any()


def test_package_ordering(world: World) -> None:
    rows = world.of("PACKAGE_ORDERING", "xml3")
    assert rows.height > 0
    usual = world.honest("xml3").join(world.honest().filter(pl.col("ma_loai_kcb") == "01").select(KEY), on=KEY)

    def from_a_set(frame: pl.DataFrame) -> pl.Series:
        sets = [pl.col("ma_dich_vu").is_in(codes(list(house))).sum() for house in SETS]
        return per_claim(frame, pl.max_horizontal(sets))

    assert mean(from_a_set(rows)) > 4
    assert mean(from_a_set(usual)) < 2
    ordered = rows.filter(pl.col("ma_nhom") != "13").group_by(*KEY, "intensity").agg(
        pl.col("ma_bac_si").first(), pl.col("ma_dich_vu").sort().str.join(";").alias("set")
    )  # fmt: skip
    doctors = ordered.group_by("ma_bac_si").agg(
        pl.col("set").value_counts(sort=True).first().struct.field("count"), pl.len()
    )
    assert (doctors["len"] >= 3).any(), "one doctor does it with many"
    bold = blatant(ordered)
    if bold.height >= 6:
        assert bold["set"].n_unique() < bold.height, "the same set again and again"


def test_over_drug_poly(world: World) -> None:
    rows = world.of("OVER_DRUG_POLY", "xml2")
    assert rows.height > 0
    support = pl.col("ma_thuoc").is_in(codes([key for key, *_ in SUPPORT]))
    outpatients = world.honest().filter(pl.col("ma_loai_kcb") != "03").select(KEY)
    usual = world.honest("xml2").join(outpatients, on=KEY)
    assert per_claim(rows, support.any()).all()
    assert mean(per_claim(usual, support.sum())) < 0.6
    assert mean(per_claim(rows, pl.len())) > mean(per_claim(usual, pl.len())) + 0.8


def test_bold_prescribers_add_more(tmp_path: Path) -> None:
    """In a world of this scheme alone: the thick one has too few blatant claims of any one scheme for a mean."""
    world = thick_world(tmp_path, encounters=4_000, months=4, only=["OVER_DRUG_POLY"], thick=10.0)
    rows = world.of("OVER_DRUG_POLY", "xml2")
    support = pl.col("ma_thuoc").is_in(codes([key for key, *_ in SUPPORT]))
    bold = blatant(rows)
    assert bold.select(KEY).unique().height >= 10
    assert mean(per_claim(bold, support.sum())) > mean(per_claim(rows, support.sum()))


def test_over_drug_qty(world: World) -> None:
    rows = world.of("OVER_DRUG_QTY", "xml2")
    assert rows.height > 0
    outpatients = world.honest().filter(pl.col("ma_loai_kcb") != "03").select(KEY)
    above = pl.col("so_luong") > 1.1 * pl.col("daily") * pl.col("days")
    assert supplied_days(world.honest("xml2").join(outpatients, on=KEY)).filter(above).height == 0
    mine = supplied_days(rows).group_by(KEY).agg((above | (pl.col("days") > 30)).any().alias("seen"))
    assert 0 < mine["seen"].sum() <= rows.select(KEY).unique().height
    bold = blatant(supplied_days(rows))
    assert bold.is_empty() or per_claim(bold, above.any()).any()


def test_over_antibiotic(world: World) -> None:
    rows = world.of("OVER_ANTIBIOTIC", "xml2")
    assert rows.height > 0
    antibiotics = ["amox", "amoxc", "cefu", "cefi", "azi", "levo", "ceftri", "cefo", "mero", "vanco", "cefi_b",
                   "ceftri_b"]  # fmt: skip
    some = pl.col("ma_thuoc").is_in(codes(antibiotics))
    kinds = world.xml1.select(*KEY, "ma_loai_kcb", "ma_benh_chinh")

    def spent(frame: pl.DataFrame) -> pl.DataFrame:
        sums = frame.group_by(KEY).agg(
            pl.col("thanh_tien_bh").filter(some).sum().alias("money"), some.any().alias("any")
        )
        return sums.join(kinds, on=KEY)

    mine, usual = spent(rows), spent(world.honest("xml2"))
    assert mine["any"].all()
    like = mine.select("ma_benh_chinh", "ma_loai_kcb").unique()
    keys = ["ma_benh_chinh", "ma_loai_kcb"]
    usual = usual.join(like, on=keys)
    means = usual.group_by(keys).agg(pl.col("money").mean().alias("usual"))

    def above(frame: pl.DataFrame) -> float:
        return mean(frame.join(means, on=keys).select(pl.col("money") > pl.col("usual"))["money"].cast(pl.Float64))

    assert above(mine) > above(usual) + 0.15


def test_high_cost_drug_shift(world: World) -> None:
    rows = world.of("HIGH_COST_DRUG_SHIFT", "xml2")
    assert rows.height > 0
    dear = pl.col("ma_thuoc").is_in(codes(list(BRANDS.values())))
    assert per_claim(rows, dear.any()).all()
    assert world.honest("xml2").select(dear.mean()).item() < 0.05
    for cheap, brand in BRANDS.items():
        a, b = drugs()[cheap], drugs()[brand]
        assert (a.ingredient, a.strength, a.route) == (b.ingredient, b.strength, b.route)
        assert b.price > 2.5 * a.price
    places = rows.filter(dear).group_by("ma_cskcb", "ma_thuoc").len()
    assert (places["len"] >= 4).any(), "the place moves many patients"


def test_drug_off_condition(world: World) -> None:
    rows = world.of("DRUG_OFF_CONDITION", "xml2")
    assert rows.height > 0
    heads = world.xml1.select(*KEY, (pl.col("ma_benh_chinh") + ";" + pl.col("ma_benh_kt")).alias("icd"))

    def off(frame: pl.DataFrame) -> pl.DataFrame:
        joined = frame.join(heads, on=KEY)
        wrong = pl.lit(False)
        for key, (allowed, *_) in LIMITED.items():
            fits = pl.any_horizontal(pl.col("icd").str.contains(f"(^|;){icd}") for icd in allowed)
            if key == "omepra":
                fits = fits | pl.col("ma_thuoc").is_in(codes(sorted(HARSH))).any().over(KEY)
            wrong = wrong | ((pl.col("ma_thuoc") == drugs()[key].code) & ~fits)
        digit = pl.col("ma_the_bhyt").str.slice(2, 1)
        cards = world.xml1.select(*KEY, "ma_the_bhyt")
        partial = [d.code for d in drugs().values() if d.pay_ratio < 100]
        ratio = pl.col("ma_thuoc").is_in(partial) & (pl.col("tyle_tt_bh") == 100) & ~digit.is_in(["1", "5"])
        return joined.join(cards, on=KEY).group_by(KEY).agg((wrong | ratio).any().alias("off"))

    assert off(rows)["off"].all()
    outpatients = world.honest().filter(pl.col("ma_loai_kcb") != "03").select(KEY)
    assert mean(off(world.honest("xml2").join(outpatients, on=KEY))["off"].cast(pl.Float64)) < 0.01


def test_drug_contra(world: World) -> None:
    rows = world.of("DRUG_CONTRA", "xml2")
    assert rows.height > 0
    born = pl.col("ngay_sinh").str.slice(0, 4).cast(pl.Int32)
    heads = world.xml1.select(
        *KEY, (pl.col("ma_benh_chinh") + ";" + pl.col("ma_benh_kt")).alias("icd"),
        (pl.col("ngay_vao").dt.year() - born).alias("age"),
    )  # fmt: skip

    def against(frame: pl.DataFrame) -> pl.Series:
        levo, metf, melox, celec = (pl.col("ma_thuoc") == code for code in codes(["levo", "metf", "melox", "celec"]))
        heart = pl.col("icd").str.contains(r"(^|;)(I25|I50|I63|I21|J44)")
        child = levo & ((pl.col("age") < 18) | pl.col("icd").str.starts_with("O"))
        return per_claim(frame.join(heads, on=KEY), (child | ((metf | melox | celec) & heart)).any())

    found = against(rows)
    assert found.sum() > 0.6 * len(found), "a disease of old may be left out of the claim"
    assert mean(against(world.honest("xml2")).cast(pl.Float64)) < 0.005


def test_overlap_drug_supply(world: World) -> None:
    rows = world.of("OVERLAP_DRUG_SUPPLY", "xml2")
    assert rows.height > 0
    cards = world.xml1.select(*KEY, "ma_the_bhyt")
    lines = supplied_days(world.xml2).join(cards, on=KEY).select(*KEY, "ma_the_bhyt", "ma_thuoc", "ngay_yl", "days")
    mine = supplied_days(rows).join(cards, on=KEY)
    earlier = lines.join(mine, on=["ma_the_bhyt", "ma_thuoc"]).filter(
        (pl.col("ngay_yl") < pl.col("ngay_yl_right"))
        & (pl.col("ngay_yl") + pl.col("days") * DAY > pl.col("ngay_yl_right") + 5 * DAY)
    )
    overlapped = earlier.select("ma_cskcb_right", "ma_lk_right").unique()
    claims = mine.select(KEY).unique()
    assert overlapped.height > 0.7 * claims.height
    assert (earlier["ma_cskcb"] != earlier["ma_cskcb_right"]).any(), "at another place"
    people = world.entities.filter(pl.col("scheme") == "OVERLAP_DRUG_SUPPLY")
    assert "patient" in people["level"].to_list()


def test_chronic_visit_split(world: World) -> None:
    rows = world.of("CHRONIC_VISIT_SPLIT", "xml2")
    assert rows.height > 0
    chronic = world.honest().filter(pl.col("ma_loai_kcb").is_in(CHRONIC)).select(KEY)
    mine = per_claim(supplied_days(rows), pl.col("days").max())
    usual = per_claim(supplied_days(world.honest("xml2").join(chronic, on=KEY)), pl.col("days").median())
    assert (mine <= 15).all()
    assert usual.median() == 30
    again = pairs(world, "CHRONIC_VISIT_SPLIT").with_columns(gap=pl.col("ngay_vao_right") - pl.col("ngay_vao"))
    close = again.filter((pl.col("gap") < 21 * DAY) & (pl.col("ma_cskcb") == pl.col("ma_cskcb_right")))
    assert close.select("ma_lk_right").n_unique() > 0.7 * world.of("CHRONIC_VISIT_SPLIT").height


def test_mue_exceeded(world: World) -> None:
    rows = world.of("MUE_EXCEEDED", "xml3")
    assert rows.height > 0
    test = LABORATORY | pl.col("ma_nhom").is_in(["2", "3"])

    def most(frame: pl.DataFrame) -> pl.Series:
        """The most units of one test within 36 hours of its first."""
        lines = frame.filter(test).with_columns(first=pl.col("ngay_yl").min().over(*KEY, "ma_dich_vu"))
        near = lines.filter(pl.col("ngay_yl") < pl.col("first") + pl.duration(hours=36))
        units = near.group_by(*KEY, "ma_dich_vu").agg(pl.col("so_luong").sum())
        return per_claim(units, pl.col("so_luong").max())

    assert most(world.honest("xml3")).quantile(0.99) == 1
    (hba1c,) = codes(["hba1c"])
    mine, claims = most(rows), world.of("MUE_EXCEEDED").height
    stays = world.of("MUE_EXCEEDED").filter(pl.col("ma_loai_kcb") == "03").height
    early = rows.filter(pl.col("ma_dich_vu") == hba1c).select(KEY).unique().height
    assert (mine > 1).sum() >= 0.7 * stays
    assert (mine > 1).sum() + early >= 0.7 * claims
    bold = blatant(rows)
    assert bold.is_empty() or (most(bold) >= 2).any()


def test_lifetime_once(world: World) -> None:
    rows = world.of("LIFETIME_ONCE")
    assert rows.height > 0
    once = pl.when(pl.col("ma_dich_vu").is_in(codes(["s_appendix", "s_appendix_l"]))).then(pl.lit("appendix"))
    once = once.when(pl.col("ma_dich_vu").is_in(codes(["s_gall", "s_gall_l"]))).then(pl.lit("gall"))
    once = once.when(pl.col("ma_dich_vu").is_in(codes(["delivery", "s_csection", "s_csection_h"]))).then(
        pl.lit("birth")
    )
    cards = world.xml1.select(*KEY, "ma_the_bhyt", "ngay_vao")
    done = world.xml3.with_columns(once=once).drop_nulls("once").unique([*KEY, "once"])
    done = done.select(*KEY, "once", "schemes").join(cards, on=KEY)
    times = done.group_by("ma_the_bhyt", "once").agg(pl.len(), pl.col("schemes").list.join(";").str.join(";"))
    twice = times.filter(pl.col("len") > 1)
    assert twice.filter(pl.col("schemes").str.contains("LIFETIME_ONCE")).height >= 0.7 * rows["ma_the_bhyt"].n_unique()
    honest = done.join(world.honest().select(KEY), on=KEY).group_by("ma_the_bhyt", "once").len()
    assert mean((honest["len"] > 1).cast(pl.Float64)) < 0.01


def test_unnec_admission(world: World) -> None:
    rows = world.of("UNNEC_ADMISSION")
    assert rows.height > 0
    assert set(rows["ma_loai_kcb"]) == {"03"}
    mild = pl.col("ma_benh_chinh").is_in(rows["ma_benh_chinh"].unique().to_list())
    stay = pl.col("ma_loai_kcb") == "03"
    assert world.honest().filter(mild).select(stay.mean()).item() < 0.05, "hardly anybody is admitted for it"
    nights = (rows["ngay_ra"] - rows["ngay_vao"]).dt.total_days()
    assert (nights >= 1).all()
    assert world.of("UNNEC_ADMISSION", "xml3").filter(BED).select(KEY).n_unique() == rows.height
    bold = blatant(world.of("UNNEC_ADMISSION", "xml2"))
    if not bold.is_empty():
        injected = pl.col("duong_dung").str.starts_with("2")
        assert not per_claim(bold, injected.any()).all(), "tablets and a bed"


def test_los_padding(world: World) -> None:
    rows = world.of("LOS_PADDING")
    assert rows.height > 0
    days = world.honest().filter(pl.col("ma_loai_kcb") == "03").group_by("ma_benh_chinh").agg(
        pl.col("so_ngay_dtri").mean().alias("usual")
    )  # fmt: skip
    compared = rows.join(days, on="ma_benh_chinh")
    assert mean(compared["so_ngay_dtri"] - compared["usual"]) > 1.5
    out = world.xml1.select(*KEY, pl.col("ngay_ra").alias("out"))

    def late_tests(frame: pl.DataFrame) -> float:
        """Share of the stays with a test, film or operation between 48 and 12 hours before leaving."""
        joined = frame.join(out, on=KEY)
        late = pl.col("ngay_yl").is_between(
            pl.col("out") - pl.duration(hours=48), pl.col("out") - pl.duration(hours=12)
        )
        return mean(per_claim(joined, (late & pl.col("ma_nhom").is_in(["1", "2", "3", "8"])).any()).cast(pl.Float64))

    stays = world.honest().filter((pl.col("ma_loai_kcb") == "03") & (pl.col("so_ngay_dtri") > 4)).select(KEY)
    assert late_tests(world.of("LOS_PADDING", "xml3")) <= late_tests(world.honest("xml3").join(stays, on=KEY))


def test_daycase_as_inpatient(world: World) -> None:
    rows = world.of("DAYCASE_AS_INPATIENT")
    assert rows.height > 0
    assert set(rows["ma_loai_kcb"]) == {"03"}
    hours = (pl.col("ngay_ra") - pl.col("ngay_vao_noi_tru")).dt.total_minutes() / 60
    assert rows.select(hours.max()).item() < 30
    honest = world.honest().filter(pl.col("ma_loai_kcb") == "03")
    assert honest.select((hours < 12).mean()).item() < 0.02
    assert world.of("DAYCASE_AS_INPATIENT", "xml3").filter(BED).select(KEY).n_unique() == rows.height
    bold = blatant(rows)
    assert bold.is_empty() or bold.select((hours <= 6).any()).item()


def test_weekend_holiday_stay(world: World) -> None:
    rows = world.of("WEEKEND_HOLIDAY_STAY")
    assert rows.height > 0
    stay = pl.col("ma_loai_kcb") == "03"
    early = pl.col("ngay_ra").dt.weekday().is_in([1, 2]) | pl.col("ngay_vao").dt.weekday().is_in([5])
    honest = world.honest().filter(stay & (pl.col("so_ngay_dtri") > 2))
    assert rows.select(early.mean()).item() > honest.select(early.mean()).item() + 0.15
    care = [*KEY, "schemes", "ngay_yl"]
    lines = pl.concat([world.xml3.filter(~BED).select(care), world.xml2.select(care)])
    stays = world.xml1.filter(stay).select(*KEY, pl.col("ngay_ra").dt.date().alias("out"))
    eve = (pl.col("ngay_yl").dt.date() == pl.col("out") - DAY).sum()
    mine = per_claim(lines.filter(pl.col("schemes").list.contains("WEEKEND_HOLIDAY_STAY")).join(stays, on=KEY), eve)
    usual = per_claim(lines.filter(pl.col("schemes").list.len() == 0).join(stays, on=KEY), eve)
    assert mean(mine) < 0.8 * mean(usual), "little is done on the day before they leave"


def test_split_episode(world: World) -> None:
    rows = world.of("SPLIT_EPISODE")
    assert rows.height > 0
    cut = pairs(world, "SPLIT_EPISODE").filter(
        (pl.col("ma_benh_chinh") == pl.col("ma_benh_chinh_right"))
        & (pl.col("ma_cskcb") == pl.col("ma_cskcb_right"))
        & ((pl.col("ngay_vao_right") - pl.col("ngay_ra")) <= 2 * DAY)
        & (pl.col("ngay_vao_right") >= pl.col("ngay_ra"))
        & (pl.col("ma_loai_kcb") == "03")
    )
    second = cut.select("ma_lk_right").n_unique()
    first = rows.filter(pl.col("ma_lk").is_in(cut["ma_lk"].implode())).height
    assert second > 0
    assert second + first >= 0.7 * rows.height


def test_early_readmission(world: World) -> None:
    rows = world.of("EARLY_READMISSION")
    assert rows.height > 0
    back = pairs(world, "EARLY_READMISSION").filter(
        (pl.col("ma_benh_chinh") == pl.col("ma_benh_chinh_right"))
        & (pl.col("ma_cskcb") == pl.col("ma_cskcb_right"))
        & (pl.col("ma_loai_kcb") == "03")
    ).with_columns(gap=(pl.col("ngay_vao_right") - pl.col("ngay_ra")).dt.total_days())  # fmt: skip
    nearest = back.filter(pl.col("gap") >= 0).group_by("ma_lk_right", "intensity_right").agg(pl.col("gap").min())
    assert nearest.height >= 0.75 * rows.height
    assert (nearest["gap"] >= 2).all(), "no mere cut"
    bold = nearest.filter(pl.col("intensity_right") == "blatant")
    assert bold.is_empty() or mean(bold["gap"]) <= 10


def test_same_day_multi_visit(world: World) -> None:
    rows = world.of("SAME_DAY_MULTI_VISIT")
    assert rows.height > 0
    again = pairs(world, "SAME_DAY_MULTI_VISIT").filter(
        (pl.col("ma_benh_chinh") == pl.col("ma_benh_chinh_right")) & (pl.col("ma_cskcb") == pl.col("ma_cskcb_right"))
    ).with_columns(gap=pl.col("ngay_vao_right").dt.date() - pl.col("ngay_vao").dt.date())  # fmt: skip
    near = again.filter(pl.col("gap") <= 7 * DAY)
    assert near.select("ma_lk_right").n_unique() >= 0.6 * rows.height, "the others are first claims of two"
    assert (near["gap"].dt.total_days() == 0).any()
    bold = near.filter(pl.col("intensity_right") == "blatant")["gap"].dt.total_days()
    assert bold.is_empty() or mean(bold <= 1) > 0.6, "at once or, weekends between, on the next morning"
    assert (
        near["ngay_vao_right"]
        >= near["ngay_ttoan"].str.to_datetime("%Y%m%d%H%M", strict=False).fill_null(near["ngay_vao"])
    ).all()


def test_post_discharge_visit(world: World) -> None:
    rows = world.of("POST_DISCHARGE_VISIT")
    assert rows.height > 0
    after = pairs(world, "POST_DISCHARGE_VISIT").filter(
        (pl.col("ma_loai_kcb") == "03") & (pl.col("ma_loai_kcb_right") == "01")
        & (pl.col("ma_cskcb") == pl.col("ma_cskcb_right")) & (pl.col("ngay_ra") <= pl.col("ngay_vao_right"))
        & (pl.col("ngay_vao_right") - pl.col("ngay_ra") <= 2 * DAY)
    )  # fmt: skip
    assert after.select("ma_lk_right").n_unique() >= 0.8 * rows.height, "a few stays were tampered with by others"
    assert per_claim(world.of("POST_DISCHARGE_VISIT", "xml2"), pl.len()).len() == rows.height, "each takes drugs home"


def test_threshold_bunching(world: World) -> None:
    rows = world.of("THRESHOLD_BUNCHING")
    assert rows.height > 0
    salary = pl.when(pl.col("ngay_vao").dt.date() >= pl.date(2026, 7, 1)).then(2_530_000).otherwise(2_340_000)
    near = pl.col("t_tongchi_bh") / (0.15 * salary)
    assert rows.select((near < 1).all()).item()
    assert (world.of("THRESHOLD_BUNCHING", "xml3")["muc_huong"] == 100).all(), "nobody pays a part"
    near_days = (pl.col("ngay_vao_right") - pl.col("ngay_vao")) <= 8 * DAY
    rest = pairs(world, "THRESHOLD_BUNCHING").filter((pl.col("ma_cskcb") == pl.col("ma_cskcb_right")) & near_days)
    assert rest.height > 0, "the remainder comes days later"
    larger = pl.max_horizontal("t_tongchi_bh", "t_tongchi_bh_right") / (0.15 * salary)
    together = (pl.col("t_tongchi_bh") + pl.col("t_tongchi_bh_right")) / (0.15 * salary)
    assert rest.select((together > 1).mean()).item() > 0.8, "one visit would have been above"
    assert rest.select(larger.median()).item() > 0.8
    usual = world.honest().filter((pl.col("ma_loai_kcb") == "01") & (near < 1))
    assert usual.select(near.median()).item() < 0.6


def test_qty_inflation(world: World) -> None:
    rows = world.of("QTY_INFLATION", "xml2")
    assert world.of("QTY_INFLATION").height > 0
    injected = pl.col("duong_dung").str.starts_with("2")
    lines = supplied_days(rows.filter(injected))
    usual = supplied_days(world.honest("xml2").filter(injected))
    heads = world.xml1.select(*KEY, "ma_benh_chinh")
    columns = [*KEY, "ma_thuoc", "so_luong"]

    def quantities(drug_lines: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
        used = others.with_columns((pl.col("ma_vat_tu") + pl.col("ma_dich_vu")).alias("ma_thuoc"))
        used = used.filter(pl.col("ma_nhom").is_in(["10", "18"]))
        return pl.concat([drug_lines.filter(injected).select(columns), used.select(columns)]).join(heads, on=KEY)

    honest = quantities(world.honest("xml2"), world.honest("xml3"))
    most = honest.group_by("ma_thuoc", "ma_benh_chinh").agg(pl.col("so_luong").max().alias("most"))
    seen = quantities(rows, world.of("QTY_INFLATION", "xml3")).join(most, on=["ma_thuoc", "ma_benh_chinh"])
    assert mean(per_claim(seen, (pl.col("so_luong") > pl.col("most")).any()).cast(pl.Float64)) > 0.6
    above = pl.col("so_luong") > 1.1 * pl.col("daily") * pl.col("days")
    assert usual.filter(above).height == 0
    bold = blatant(lines)
    assert bold.is_empty() or bold.select(above.any()).item(), "more than the written dose"


def test_bed_day_padding(world: World) -> None:
    rows = world.of("BED_DAY_PADDING")
    assert rows.height > 0
    nights = (pl.col("ngay_ra").dt.date() - pl.col("ngay_vao_noi_tru").dt.date()).dt.total_days()
    dates = world.xml1.filter(pl.col("ma_loai_kcb") == "03").select(*KEY, nights.alias("nights"))

    def above(frame: pl.DataFrame) -> pl.Series:
        beds = frame.filter(BED).group_by(KEY).agg(pl.col("so_luong").sum()).join(dates, on=KEY)
        return beds["so_luong"] - beds["nights"]

    mine = above(world.of("BED_DAY_PADDING", "xml3"))
    assert (mine > 0).all()
    assert (above(world.honest("xml3")) <= 0).all()
    bold = above(blatant(world.of("BED_DAY_PADDING", "xml3")))
    assert bold.is_empty() or (bold >= 1).any()
