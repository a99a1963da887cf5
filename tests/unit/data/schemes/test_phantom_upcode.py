"""Care that was not given or was less than billed, services cut into steps, and one bill paid twice."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from tests.lib.schemed import KEY, World

CODE = pl.when(pl.col("ma_dich_vu") != "").then(pl.col("ma_dich_vu")).otherwise(pl.col("ma_vat_tu"))
BED = pl.col("ma_nhom").is_in(["14", "15", "16"])
TEST = pl.col("ma_nhom").is_in(["1", "2", "3"])
SURGERY = pl.col("ma_nhom") == "8"
BLATANT = pl.col("intensity") == "blatant"
VISIT = [
    *KEY,
    "ma_the_bhyt",
    "ma_benh_chinh",
    "ma_loai_kcb",
    "ngay_vao",
    "ngay_ra",
    "dien_thoai",
    "schemes",
    "intensity",
]


def all_lines(world: World) -> pl.DataFrame:
    """Drug, service and supply lines alike: claim, code, quantity and order time."""
    drugs = world.xml2.select(*KEY, pl.col("ma_thuoc").alias("code"), "so_luong", "ngay_yl")
    return pl.concat([drugs, world.xml3.select(*KEY, CODE.alias("code"), "so_luong", "ngay_yl")])


def baskets(world: World) -> pl.DataFrame:
    """Each claim with the set of its codes, exams and beds apart."""
    codes = all_lines(world).filter(~pl.col("code").str.contains(r"\.(?:18|19)\d\d$"))
    sets = codes.group_by(KEY).agg(pl.col("code").unique().sort().str.join(" ").alias("basket"))
    return world.xml1.select(VISIT).join(sets, on=KEY)


def share(rows: pl.DataFrame, condition: pl.Expr) -> float:
    """Part of the rows that meet a condition."""
    return float(rows.select(condition.cast(pl.Float64).mean()).item() or 0.0)


def largest(rows: pl.DataFrame, expression: pl.Expr) -> float:
    """The largest value of an expression."""
    return float(rows.select(expression.max().cast(pl.Float64)).item() or 0.0)


def results(world: World) -> pl.DataFrame:
    """Each test of each claim with its result, all values in one text."""
    values = world.xml4.group_by([*KEY, "ma_dich_vu"], maintain_order=True).agg(
        (pl.col("gia_tri") + pl.col("ket_luan")).str.join("|").alias("result"), pl.len().alias("values")
    )
    people = world.xml1.select(*KEY, "ma_the_bhyt")
    return world.xml3.filter(TEST).join(values, on=[*KEY, "ma_dich_vu"], how="left").join(people, on=KEY)


def with_shared_figures(world: World, claims: pl.DataFrame, fewest: int) -> pl.DataFrame:
    """Those of the claims that have so many laboratory figures in common with one other claim of the facility."""
    figures = world.xml4.filter(pl.col("gia_tri").str.contains(r"^\d")).select(*KEY, "ma_chi_so", "gia_tri")
    pairs = figures.join(claims.select(KEY), on=KEY, how="semi").join(
        figures, on=["ma_cskcb", "ma_chi_so", "gia_tri"], suffix="_other"
    )
    pairs = pairs.filter(pl.col("ma_lk") != pl.col("ma_lk_other"))
    return pairs.group_by(*KEY, "ma_lk_other").len().filter(pl.col("len") >= fewest).unique(KEY)


def companions(world: World, scheme: str, within: timedelta) -> pl.DataFrame:
    """Other people's claims of the facility with the same basket that began near a claim of the scheme."""
    every = baskets(world)
    made = every.filter(pl.col("schemes").list.contains(scheme))
    near = made.join(every, on=["ma_cskcb", "basket", "ma_benh_chinh"], suffix="_other")
    apart = (pl.col("ngay_vao") - pl.col("ngay_vao_other")).abs()
    return near.filter((pl.col("ma_the_bhyt") != pl.col("ma_the_bhyt_other")) & (apart <= within))


def test_phantom_visit(world: World) -> None:
    rows = world.of("PHANTOM_VISIT")
    assert rows.height > 0
    assert set(rows["ma_loai_kcb"]) == {"01"}
    often = rows.group_by("ma_cskcb", "ma_benh_chinh").len()
    assert largest(often, pl.col("len")) >= 2, "the same mild complaint is written more than once"
    bold = rows.filter(BLATANT)
    if bold.height:
        minutes = companions(world, "PHANTOM_VISIT", timedelta(minutes=7)).filter(BLATANT).unique(KEY)
        assert minutes.height > 0.6 * bold.height, "a like visit of somebody else within minutes"
        phones = bold.filter(pl.col("dien_thoai") != "").group_by("dien_thoai").agg(pl.col("ma_the_bhyt").n_unique())
        assert largest(phones, pl.col("ma_the_bhyt")) > 1, "one phone for several people"


def test_phantom_inpatient(world: World) -> None:
    rows = world.of("PHANTOM_INPATIENT")
    assert rows.height > 0
    assert set(rows["ma_loai_kcb"]) == {"03"}
    assert rows.select(KEY).join(world.xml7.select(KEY), on=KEY, how="anti").height == 0, "a discharge paper for all"
    alike = companions(world, "PHANTOM_INPATIENT", timedelta(days=12)).unique(KEY)
    assert alike.height > 0.9 * rows.height, "the whole course is somebody else's"
    made = world.xml1.filter(pl.col("ma_loai_kcb") == "03")
    nights = (pl.col("ngay_ra").dt.date() - pl.col("ngay_vao").dt.date()).dt.total_days()
    same = alike.select(
        (pl.col("ngay_ra") - pl.col("ngay_vao") == pl.col("ngay_ra_other") - pl.col("ngay_vao_other")).mean()
    )
    assert same.item() > 0.5, "nights agree to the minute"
    assert rows.select(nights.median()).item() >= made.select(nights.median()).item() - 2


def test_ghost_bed(world: World) -> None:
    rows = world.of("GHOST_BED")
    assert rows.height > 0
    days_off = idle_days_off(world, world.of("GHOST_BED", "xml1"))
    usual = idle_days_off(
        world, world.honest().filter(pl.col("ma_loai_kcb") == "03", pl.col("ma_khoa").str.contains("K16|K03"))
    )
    assert days_off > 2 * usual, "in bed on days off, without a single order"
    bold = world.of("GHOST_BED", "xml3").filter(BLATANT & ~BED)
    if bold.height:
        later = bold.filter(pl.col("ngay_th_yl").dt.date() > pl.col("ngay_th_yl").dt.date().min().over(KEY))
        hours = later["ngay_th_yl"].dt.hour()
        assert ((hours >= 7) & (hours < 17)).all(), "nothing happens by night"


def idle_days_off(world: World, stays: pl.DataFrame) -> float:
    """Part of the Saturdays and Sundays within stays on which nothing was ordered."""
    first, last = pl.col("ngay_vao").dt.date(), pl.col("ngay_ra").dt.date()
    days = (
        stays.filter(last > first + pl.duration(days=1))
        .select(*KEY, pl.date_ranges(first + pl.duration(days=1), last - pl.duration(days=1)).alias("day"))
        .explode("day")
        .filter(pl.col("day").dt.weekday() >= 6)
    )
    busy = all_lines(world).select(*KEY, pl.col("ngay_yl").dt.date().alias("day")).unique()
    return days.join(busy, on=[*KEY, "day"], how="anti").height / max(1, days.height)


def test_phantom_service(world: World) -> None:
    rows = world.of("PHANTOM_SERVICE")
    assert rows.height > 0
    tests = results(world)
    made = tests.filter(pl.col("schemes").list.contains("PHANTOM_SERVICE"))
    assert made.join(rows.select(KEY), on=KEY, how="semi").unique(KEY).height == rows.height, "every claim has tests"
    honest = tests.filter(pl.col("schemes").list.len() == 0)
    assert share(honest, pl.col("result").is_null()) < 0.02
    at_once = pl.col("ngay_kq") - pl.col("ngay_yl") <= timedelta(minutes=1)
    for intensity in made["intensity"].unique():
        some = made.filter(pl.col("intensity") == intensity)
        per_claim = some.height / some.unique(KEY).height
        assert per_claim > 1
        if intensity == "blatant":
            assert share(some, pl.col("result").is_null() | at_once) > 0.3, "no result, or at the minute of the order"


def test_phantom_drug(world: World) -> None:
    rows = world.of("PHANTOM_DRUG", "xml2")
    assert rows.height > 0
    behind = (pl.col("ngay_yl") - pl.col("ngay_yl").min().over(KEY)).alias("behind")
    late = rows.with_columns(behind).filter(pl.col("behind") > timedelta(0))
    claims = world.of("PHANTOM_DRUG").height
    assert late.unique(KEY).height > 0.7 * claims, "written after the rest of the prescription"
    honest = world.honest("xml2").join(
        world.honest().filter(pl.col("ma_loai_kcb") != "03").select(KEY), on=KEY, how="semi"
    )
    assert share(honest.with_columns(behind), pl.col("behind") > timedelta(0)) < 0.01
    often = late.group_by("ma_bac_si", "ma_thuoc").len()
    assert often.select(pl.col("len").mean()).item() >= 2, "the same drug again and again"
    bold = late.filter(BLATANT)
    if bold.height:
        assert share(bold, pl.col("behind") > timedelta(minutes=20)) > 0.4


def test_phantom_supply(world: World) -> None:
    rows = world.of("PHANTOM_SUPPLY", "xml3").filter(pl.col("ma_vat_tu") != "", pl.col("don_gia_bh") > 300_000)
    assert rows.height > 0
    pieces = rows.group_by(*KEY, "ma_vat_tu").agg(pl.col("so_luong").sum())
    honest = world.honest("xml3").filter(pl.col("ma_vat_tu").is_in(rows["ma_vat_tu"].unique().to_list()))
    usual = (
        honest.group_by(*KEY, "ma_vat_tu")
        .agg(pl.col("so_luong").sum())
        .group_by("ma_vat_tu")
        .agg(pl.col("so_luong").median().alias("usual"))
    )
    more = pieces.join(usual, on="ma_vat_tu").filter(pl.col("so_luong") > pl.col("usual"))
    assert more.unique(KEY).height > 0.9 * world.of("PHANTOM_SUPPLY").height, "more pieces than others need"
    bold = rows.filter(BLATANT, pl.col("ma_hieu_sp") != "")
    if bold.height:
        assert largest(bold.group_by("ma_hieu_sp").len(), pl.col("len")) > 1, "one serial number billed twice"
    numbers = honest.filter(pl.col("ma_hieu_sp") != "").group_by("ma_hieu_sp").len()
    assert share(numbers, pl.col("len") > 1) < 0.01


def test_cloned_records(world: World) -> None:
    rows = world.of("CLONED_RECORDS")
    assert rows.height > 0
    copied = with_shared_figures(world, rows, 4)
    assert copied.height > 0.9 * rows.height, "several figures equal to another person's"
    honest = world.honest().join(world.honest("xml4").select(KEY).unique(), on=KEY, how="semi").head(300)
    assert with_shared_figures(world, honest, 4).height < 0.2 * honest.height, "which hardly happens by chance"
    bold = world.of("CLONED_RECORDS", "xml5").filter(BLATANT)
    if bold.height:
        texts = bold.group_by("ma_cskcb", "dien_bien_ls").agg(pl.col("ma_lk").n_unique())
        assert largest(texts, pl.col("ma_lk")) > 1, "one note for several people"


def test_machine_unavailable(world: World) -> None:
    rows = world.of("MACHINE_UNAVAILABLE", "xml3").filter(pl.col("ma_may") != "")
    assert rows.height > 0
    wrong = unusable(world).filter(pl.col("schemes").list.contains("MACHINE_UNAVAILABLE"))
    claims = world.of("MACHINE_UNAVAILABLE").height
    assert wrong.unique(KEY).height > 0.95 * claims, "broken, unknown or another facility's"
    honest = unusable(world).filter(pl.col("schemes").list.len() == 0, pl.col("decoy").is_null(), TEST)
    assert honest.height < 0.0005 * world.xml3.height, "but for work that goes on past midnight"


def unusable(world: World) -> pl.DataFrame:
    """Lines whose machine is not in the facility's catalogue on that day."""
    machines = pl.read_csv(world.folder / "catalogues" / "machines.csv", infer_schema=False).select(
        "ma_cskcb", "ma_may", pl.col("valid_from").str.to_date(), pl.col("valid_to").str.to_date(strict=False)
    )
    lines = world.xml3.filter(pl.col("ma_may") != "").with_row_index("line")
    day = pl.col("ngay_th_yl").dt.date()
    good = lines.join(machines, on=["ma_cskcb", "ma_may"]).filter(
        (day >= pl.col("valid_from")) & (pl.col("valid_to").is_null() | (day <= pl.col("valid_to")))
    )
    return lines.join(good.select("line"), on="line", how="anti")


def test_upcode_diag(world: World) -> None:
    rows = world.of("UPCODE_DIAG")
    assert rows.height > 0
    count = pl.col("ma_benh_kt").str.split(";").list.eval(pl.element().filter(pl.element() != "")).list.len()
    honest = world.honest().join(rows.select("ma_loai_kcb").unique(), on="ma_loai_kcb", how="semi")
    assert rows.select(count.mean()).item() > honest.select(count.mean()).item() + 0.7
    assert rows.select(count.min()).item() >= 1
    bold = rows.filter(BLATANT)
    if bold.height:
        assert bold.select(count.mean()).item() >= 3, "half a page of illnesses"


def test_upcode_bed(world: World) -> None:
    beds = world.of("UPCODE_BED", "xml3").filter(BED)
    assert beds.height > 0
    group = ["ma_cskcb", "ma_benh_chinh"]
    diagnosis = world.xml1.select(*KEY, "ma_benh_chinh")
    paid = beds.join(diagnosis, on=KEY).group_by([*KEY, "ma_benh_chinh"]).agg(pl.col("don_gia_bh").max())
    usual = world.honest("xml3").filter(BED).join(diagnosis, on=KEY).group_by(group).agg(pl.col("don_gia_bh").median())
    both = paid.join(usual, on=group, suffix="_usual")
    assert share(both, pl.col("don_gia_bh") > pl.col("don_gia_bh_usual")) > 0.7, "dearer nights than others like them"
    bold = beds.filter(BLATANT, pl.col("ma_dich_vu") == "K02.1906")
    cared = (
        world.of("UPCODE_BED", "xml3")
        .filter(pl.col("ten_dich_vu").str.contains("monitor|Thông khí"))
        .select(KEY)
        .unique()
    )
    if bold.height:
        assert bold.join(cared, on=KEY, how="anti").height > 0.9 * bold.height, "intensive care without any"


BRANDED = "^(?:Amlodipin|Losartan|Atorvastatin|Clopidogrel|Cefixim|Ceftriaxon) TST"


def test_substitute_drug(world: World) -> None:
    rows = world.of("SUBSTITUTE_DRUG", "xml2")
    assert rows.height > 0
    dear = rows.filter(pl.col("ten_thuoc").str.ends_with("biệt dược"))
    assert dear.unique(KEY).height == world.of("SUBSTITUTE_DRUG").height
    honest = world.honest("xml2")
    branded, brand = pl.col("ten_thuoc").str.contains(BRANDED), pl.col("ten_thuoc").str.ends_with("biệt dược")
    assert share(rows.filter(branded), brand) > share(honest.filter(branded), brand) + 0.1
    most = honest.group_by("ma_thuoc").agg(pl.col("so_luong").max().alias("most"))
    both = dear.with_columns(pl.col("ma_thuoc").str.replace(r"\.1$", "")).join(most, on="ma_thuoc")
    assert (both["so_luong"] <= both["most"]).all(), "as many tablets as ever"


def test_substitute_supply(world: World) -> None:
    rows = world.of("SUBSTITUTE_SUPPLY", "xml3").filter(pl.col("don_gia_bh") > 1_500_000, pl.col("ma_vat_tu") != "")
    assert rows.height > 0
    dear = ("N07.03.020.0013", "N07.06.040.0014", "N07.02.030.0015", "N07.06.010.0003")
    swapped = pl.any_horizontal(pl.col("ma_vat_tu").str.starts_with(code) for code in dear)
    assert rows.filter(swapped).unique(KEY).height == world.of("SUBSTITUTE_SUPPLY").height
    implants = world.honest("xml3").filter(pl.col("don_gia_bh") > 1_500_000, pl.col("ma_hieu_sp") != "")
    assert share(rows, swapped) > share(implants, swapped) + 0.4, "the dear grade far more often than elsewhere"


def test_anaesthesia_upcode(world: World) -> None:
    rows = world.of("ANAESTHESIA_UPCODE", "xml3").filter(SURGERY)
    assert rows.height > 0
    assert set(rows["ma_dich_vu"]) == {"10.0815.0577"}
    drugs = world.of("ANAESTHESIA_UPCODE", "xml2")
    sleeping = drugs.filter(pl.col("ten_thuoc").str.contains("Propofol")).select(KEY)
    assert rows.join(sleeping, on=KEY, how="anti").height == rows.height, "nobody was put to sleep"
    honest = world.honest("xml3").filter(pl.col("ma_dich_vu") == "10.0815.0577")
    assert share(honest, pl.col("pp_vo_cam") == "1") == 1
    bold = rows.filter(BLATANT)
    if bold.height:
        assert share(bold, pl.col("pp_vo_cam") == "2") == 1


def test_excluded_disguised(world: World) -> None:
    rows = world.of("EXCLUDED_DISGUISED")
    assert rows.height > 0
    assert set(rows["ma_benh_chinh"]) == {"D23.3"}
    assert set(rows["gioi_tinh"]) == {"2"}
    born = rows["ngay_sinh"].str.slice(0, 4).cast(pl.Int64)
    age = rows["ngay_vao"].dt.year() - born
    assert age.is_between(18, 56).all()
    work = world.of("EXCLUDED_DISGUISED", "xml3").filter(pl.col("ma_dich_vu") == "05.0049.0329")
    assert work.unique(KEY).height == rows.height
    honest = world.honest().filter(pl.col("ma_benh_chinh") == "D23.3")
    assert honest.height > 0
    assert share(honest, pl.col("gioi_tinh") == "2") < 0.8
    assert rows.height / rows["ma_cskcb"].n_unique() > 2 * honest.height / honest["ma_cskcb"].n_unique() / 8


STEPS = {"02.0305.0135": "24.0073.1658", "02.0304.0134": "24.0073.1658", "24.0003.1715": "24.0001.1714",
         "18.0664.0054": "18.0502.0052", "18.0016.0001": "18.0015.0001", "18.0015.0001": "18.0016.0001"}  # fmt: skip


def test_unbundle_service(world: World) -> None:
    rows = world.of("UNBUNDLE_SERVICE")
    assert rows.height > 0
    found = with_steps(world.of("UNBUNDLE_SERVICE", "xml3"))
    assert found.height > 0.95 * rows.height, "the whole and its step in one claim"
    honest = world.honest("xml3")
    assert with_steps(honest).height < 0.002 * honest.unique(KEY).height


def with_steps(lines: pl.DataFrame) -> pl.DataFrame:
    """Claims that bill a service and a step of it, or dressings during a stay with an operation."""
    codes = lines.group_by(KEY).agg(pl.col("ma_dich_vu").alias("codes"), SURGERY.any().alias("operated"))
    pairs = [pl.col("codes").list.contains(a) & pl.col("codes").list.contains(b) for a, b in STEPS.items()]
    dressed = pl.col("operated") & pl.col("codes").list.contains("03.3911.0200")
    return codes.filter(pl.any_horizontal(*pairs, dressed))


CONTAINED = {"02.0495.0195": "Enoxaparin", "01.0128.0209": "Oxy dược dụng", "03.3827.0216": "Lidocain",
             "16.0068.1031": "Lidocain"}  # fmt: skip


def test_unbundle_supply_drug(world: World) -> None:
    rows = world.of("UNBUNDLE_SUPPLY_DRUG")
    assert rows.height > 0
    lines, drugs = world.of("UNBUNDLE_SUPPLY_DRUG", "xml3"), world.of("UNBUNDLE_SUPPLY_DRUG", "xml2")
    assert in_price(lines, drugs).height == rows.height, "what the price contains, beside the service"
    honest = in_price(world.honest("xml3"), world.honest("xml2"))
    assert honest.height < 0.001 * world.honest().height


def in_price(lines: pl.DataFrame, drugs: pl.DataFrame) -> pl.DataFrame:
    """Claims with a drug or thread beside a service whose price contains it."""
    found = [
        lines.filter(pl.col("ma_dich_vu") == code)
        .select(KEY)
        .join(drugs.filter(pl.col("ten_thuoc").str.contains(name)).select(KEY), on=KEY, how="semi")
        for code, name in CONTAINED.items()
    ]
    thread = lines.filter(pl.col("ma_vat_tu").str.starts_with("N05.02.030")).select(KEY)
    small = lines.filter(pl.col("ma_dich_vu").is_in(["03.3827.0216", "05.0049.0329"])).select(KEY)
    return pl.concat([*found, small.join(thread, on=KEY, how="semi")]).unique()


def test_multi_surgery_full(world: World) -> None:
    rows = world.of("MULTI_SURGERY_FULL", "xml3").filter(SURGERY)
    assert rows.height > 0
    claims = rows.group_by(KEY).agg(
        pl.len(), pl.col("tyle_tt_dv").min().alias("ratio"), pl.col("intensity").first(),
        (pl.col("ngay_th_yl").max() - pl.col("ngay_kq").min()).alias("gap"),
    )  # fmt: skip
    assert (claims["len"] >= 2).all()
    assert (claims["ratio"] > 50).all(), "more than half for the second"
    bold = claims.filter(BLATANT)
    if bold.height:
        assert (bold["ratio"] == 100).all()
        assert share(bold, pl.col("gap") <= timedelta(minutes=15)) > 0.7, "one after the other"
    honest = world.honest("xml3").filter(SURGERY).sort("don_gia_bh", descending=True)
    seconds = honest.filter(pl.col("ma_lk").cum_count().over(KEY) > 1)
    assert (seconds["tyle_tt_dv"] <= 50).all()


def test_dup_claim(world: World) -> None:
    rows = world.of("DUP_CLAIM")
    assert rows.height > 0
    sets = (
        all_lines(world).group_by(KEY).agg((pl.col("code") + " " + pl.col("so_luong").cast(pl.String)).alias("lines"))
    )
    people = world.xml1.select(VISIT).join(sets, on=KEY)
    twins = people.filter(pl.col("schemes").list.contains("DUP_CLAIM")).join(
        people, on=["ma_cskcb", "ma_the_bhyt"], suffix="_other"
    )
    twins = twins.filter(
        (pl.col("ma_lk") != pl.col("ma_lk_other"))
        & ((pl.col("ngay_vao") - pl.col("ngay_vao_other")).abs() <= timedelta(days=5))
    )
    common = pl.col("lines").list.set_intersection("lines_other").list.len() / pl.col("lines").list.len()
    alike = twins.with_columns(common.alias("common")).filter(pl.col("common") > 0.7).unique(KEY)
    assert alike.height > 0.9 * rows.height, "the same lines under another number"
    bold = alike.filter(BLATANT)
    if bold.height:
        assert share(bold, pl.col("ngay_vao") == pl.col("ngay_vao_other")) > 0.4, "to the minute"


LABORATORY = ("23.0083.1523", "23.0121.1548", "24.0136.1651")
LASTING = pl.col("ma_nhom").is_in(["2", "3"]) | pl.col("ma_dich_vu").is_in(LABORATORY)
"""Pictures, endoscopies and the few laboratory tests that stay good for weeks."""


def test_dup_cross_facility(world: World) -> None:
    rows = world.of("DUP_CROSS_FACILITY")
    assert rows.height > 0
    people = world.xml1.select(*KEY, "ma_the_bhyt")
    tests = world.xml3.filter(LASTING).join(people, on=KEY)
    again = tests.filter(pl.col("schemes").list.contains("DUP_CROSS_FACILITY")).join(
        tests, on=["ma_the_bhyt", "ma_dich_vu"], suffix="_other"
    )
    gap = pl.col("ngay_th_yl") - pl.col("ngay_th_yl_other")
    again = again.filter(
        (pl.col("ma_cskcb") != pl.col("ma_cskcb_other")) & (gap > timedelta(0)) & (gap < timedelta(days=62))
    )
    assert again.unique(KEY).height > 0.9 * rows.height, "the same test elsewhere while the first is good"
    bold = again.filter(BLATANT).unique(KEY)
    if bold.height:
        assert share(bold, gap <= timedelta(days=7)) >= 0.5, "within the week"


def test_dup_other_payer(world: World) -> None:
    rows = world.of("DUP_OTHER_PAYER")
    assert rows.height > 0
    assert (rows["t_nguonkhac"] > 0).all()
    lines = pl.concat(
        [world.of("DUP_OTHER_PAYER", t).select(*KEY, "thanh_tien_bv", "t_bntt", "t_bncct", "t_bhtt",
                                               pl.col("t_nguonkhac").cast(pl.Float64)) for t in ("xml2", "xml3")]
    )  # fmt: skip
    parts = pl.col("t_bntt") + pl.col("t_bncct") + pl.col("t_bhtt") + pl.col("t_nguonkhac")
    twice = lines.filter(pl.col("t_nguonkhac") > 0, parts > pl.col("thanh_tien_bv") + 1)
    assert twice.unique(KEY).height == rows.height, "paid by another and by the fund"
    assert (rows["ngay_ra"] - rows["ngay_vao"] <= timedelta(days=8)).all()


def test_upcode_service(world: World) -> None:
    rows = world.of("UPCODE_SERVICE", "xml3")
    assert rows.height > 0
    dear = ("18.0150.0041", "18.0192.0041", "18.0219.0041", "18.0335.0065", "02.0304.0134", "27.0320.0493",
            "10.0815.0556", "13.0002.0672", "10.0882.0547", "27.0187.2039")  # fmt: skip
    swapped = rows.filter(pl.col("ma_dich_vu").is_in(dear))
    assert swapped.unique(KEY).height == world.of("UPCODE_SERVICE").height
    contrast = swapped.filter(BLATANT, pl.col("ten_dich_vu").str.contains("có tiêm"))
    agent = world.of("UPCODE_SERVICE", "xml2").filter(pl.col("ten_thuoc").str.contains("Iohexol")).select(KEY)
    assert contrast.join(agent, on=KEY, how="anti").height == contrast.height, "contrast on paper only"
    biopsies = swapped.filter(BLATANT, pl.col("ma_dich_vu") == "02.0304.0134")
    pathology = rows.filter(pl.col("ma_dich_vu") == "25.0030.1751").select(KEY)
    assert biopsies.join(pathology, on=KEY, how="anti").height == biopsies.height


def test_dup_line(world: World) -> None:
    rows = world.of("DUP_LINE")
    assert rows.height > 0
    every = all_lines(world)
    same = [*KEY, "code", "so_luong"]
    near = every.sort("ngay_yl").with_columns(
        (pl.col("ngay_yl").diff() <= timedelta(minutes=3)).over(same).alias("near")
    )
    twice = near.filter(pl.col("near")).select(KEY).unique()
    operated = world.xml3.filter(SURGERY, pl.col("so_luong") > 1).select(KEY).unique()
    assert rows.join(pl.concat([twice, operated]), on=KEY, how="semi").height == rows.height
    honest = world.honest().filter(pl.col("kind") == "normal")
    assert honest.join(twice, on=KEY, how="semi").height < 0.01 * honest.height
    assert honest.join(operated, on=KEY, how="semi").height == 0


def test_extra_exam_fee(world: World) -> None:
    exam = pl.col("ma_nhom") == "13"
    rows = world.of("EXTRA_EXAM_FEE", "xml3").filter(exam)
    assert rows.height > 0
    claims = rows.group_by(KEY).agg(
        pl.len(), (pl.col("tyle_tt_dv") == 100).sum().alias("full"), pl.col("intensity").first()
    )
    assert (claims["len"] >= 2).all()
    assert share(claims, pl.col("full") > 1) > 0.2, "more than one in full"
    honest = world.honest("xml3").filter(exam).group_by(KEY).agg((pl.col("tyle_tt_dv") == 100).sum().alias("full"))
    assert share(honest, pl.col("full") > 1) < 0.002
    bold = claims.filter(BLATANT)
    if bold.height:
        assert share(bold, pl.col("full") > 1) > 0.9


def test_aid_from_project(world: World) -> None:
    """A decoy: another source pays what the patient owes, so the patient pays nothing and the fund no less."""
    aided = world.decoys("AID_FROM_PROJECT")
    assert aided.height > 0
    assert (aided["t_nguonkhac"] > 0).all()
    assert (aided["t_bncct"] == 0).all()
    assert (aided["improper_amount"] == 0).all()
    lines = world.decoys("AID_FROM_PROJECT", "xml3")
    assert ((lines["thanh_tien_bh"] - lines["t_bhtt"] - lines["t_nguonkhac"]).abs() < 0.011).all()
