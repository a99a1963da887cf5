"""Prices, ratios and totals, whose card it is, and who works together: what a reviewer would see in the claims."""

from __future__ import annotations

import polars as pl

from data.schema import reference
from data.synthetic.schemes.drug_kickback import product
from data.synthetic.schemes.supplier_concentration import LIKE
from data.synthetic.world import drugs
from tests.lib.schemed import KEY, World

CARD = "ma_the_bhyt"
BLATANT = pl.col("intensity") == "blatant"
OUTPATIENT = pl.col("ma_loai_kcb") == "01"
TESTS = pl.col("ma_nhom").is_in(["1", "2", "3"])
DATE = pl.col("ngay_vao").dt.date().alias("date")
DECISION = pl.col("tt_thau").str.extract(r"^(\d+)/").alias("decision")
HONEST = (pl.col("schemes").list.len() == 0) & pl.col("decoy").is_null()


def has(scheme: str) -> pl.Expr:
    return pl.col("schemes").list.contains(scheme)


def number(rows: pl.DataFrame, expression: pl.Expr) -> float:
    """One number of a frame; 0 where there is nothing to count."""
    return float(rows.select(expression.cast(pl.Float64)).item() or 0.0)


def bold(world: World, scheme: str, table: str = "xml1") -> pl.DataFrame:
    return world.of(scheme, table).filter(BLATANT)


def presence(world: World) -> pl.DataFrame:
    """When a person was there: from arrival to the last line, which for refills is not NGAY_RA."""
    last = pl.concat([world.xml2.select(*KEY, at="ngay_th_yl"), world.xml3.select(*KEY, at="ngay_kq")])
    ends = last.group_by(KEY).agg(pl.col("at").max())
    return world.xml1.join(ends, on=KEY, how="left").with_columns(
        until=pl.when(pl.col("ma_loai_kcb") == "03").then("ngay_ra").otherwise(pl.coalesce("at", "ngay_vao"))
    )


def approved(world: World, catalogue: str, code: str) -> pl.DataFrame:
    """Prices of a catalogue with their days."""
    return world.catalogue(catalogue).select(
        "ma_cskcb",
        pl.col(code).alias("code"),
        pl.col("price").cast(pl.Float64),
        since=pl.col("valid_from").str.to_date(strict=False),
        until=pl.col("valid_to").str.to_date(strict=False),
    )


def compared(lines: pl.DataFrame, prices: pl.DataFrame) -> pl.DataFrame:
    """Lines with `over`: what they cost more than the price of their day, as a part of it."""
    day = pl.col("ngay_yl").dt.date()
    both = lines.join(prices.filter(pl.col("price") > 0), on=["ma_cskcb", "code"]).filter(
        (pl.col("since") <= day) & (pl.col("until").is_null() | (pl.col("until") >= day))
    )
    return both.with_columns(over=pl.col("asked") / pl.col("price") - 1)


def services_over(world: World) -> pl.DataFrame:
    lines = world.xml3.filter(pl.col("ma_dich_vu") != "").with_columns(code="ma_dich_vu", asked="don_gia_bh")
    return compared(lines, approved(world, "services", "ma_dich_vu"))


def goods_over(world: World) -> pl.DataFrame:
    """Drugs and supplies beside the bid of the year."""
    columns = [*KEY, "ngay_yl", "code", "asked", "tt_thau", "schemes", "intensity", "decoy"]
    bought = world.xml2.with_columns(code="ma_thuoc", asked="don_gia").select(columns)
    used = world.xml3.filter(pl.col("ma_vat_tu") != "").with_columns(code="ma_vat_tu", asked="don_gia_bh")
    return compared(pl.concat([bought, used.select(columns)]), approved(world, "tenders", "code"))


def test_price_over_approved(world: World) -> None:
    rows = services_over(world)
    over = rows.filter(has("PRICE_OVER_APPROVED") & (pl.col("over") > 0.005))
    assert over.height > 0
    claims = world.of("PRICE_OVER_APPROVED")
    assert over.select(KEY).unique().height >= 0.9 * claims.height, "nearly every claim has a line that is too dear"
    assert number(over, pl.col("over").max()) < 0.5
    honest = rows.filter(HONEST)
    assert (honest["over"] > 0.005).mean() == 0
    if bold(world, "PRICE_OVER_APPROVED").height:
        assert number(over.filter(BLATANT), pl.col("over").median()) >= 0.08


def test_drug_price_over_bid(world: World) -> None:
    rows = goods_over(world)
    over = rows.filter(has("DRUG_PRICE_OVER_BID") & (pl.col("over") > 0.01))
    assert over.height > 0
    assert over.select(KEY).unique().height == world.of("DRUG_PRICE_OVER_BID").height
    assert (rows.filter(HONEST)["over"] > 0.01).mean() == 0
    if over.filter(BLATANT).height:
        assert number(over.filter(BLATANT), pl.col("over").max()) > 0.05
    # Some are bought under the decision of the year before; nobody honest does that.
    ended = pl.col("tt_thau").str.tail(4).cast(pl.Int64) < pl.col("ngay_yl").dt.year()
    assert rows.filter(ended & HONEST).height == 0


def test_benefit_level_wrong(world: World) -> None:
    claims = world.of("BENEFIT_LEVEL_WRONG")
    assert claims.height > 0
    share = (pl.col("t_bhtt") / pl.col("t_tongchi_bh") * 100).alias("share")
    of_card = pl.col(CARD).str.slice(2, 1).replace_strict({"1": 100, "2": 100, "3": 95, "4": 80, "5": 100}).alias("own")
    route = pl.when(pl.col("ma_doituong_kcb") == "3.1").then(0.4).otherwise(1.0)
    due = pl.when(pl.col("t_tongchi_bh") < 351_000).then(100.0).otherwise(of_card * route).alias("due")
    paid = claims.select(share, due)
    assert (paid["share"] > paid["due"] + 1).all()
    usual = world.honest().filter(~pl.col("ma_cskcb").is_in(_stations(world)) & (pl.col("t_tongchi_bh") > 400_000))
    assert usual.select(share, due).filter(pl.col("share") > pl.col("due") + 1).height == 0
    if claims.filter(BLATANT).height:
        assert number(claims.filter(BLATANT), share.max()) > 99.9, "all of it, whatever the card"


def _stations(world: World) -> list[str]:
    """Commune stations: nobody pays a part there."""
    return world.catalogue("facilities").filter(pl.col("kind") == "commune")["ma_cskcb"].to_list()


def test_totals_mismatch(world: World) -> None:
    lines = pl.concat([world.xml2.select(*KEY, "t_bhtt"), world.xml3.select(*KEY, "t_bhtt")])
    sums = lines.group_by(KEY).agg(pl.col("t_bhtt").sum().alias("of_lines"))
    heads = world.xml1.join(sums, on=KEY).with_columns(more=pl.col("t_bhtt") - pl.col("of_lines"))
    wrong = heads.filter(has("TOTALS_MISMATCH"))
    assert wrong.height > 0
    assert (wrong["more"] > 1).all()
    assert number(heads.filter(HONEST), pl.col("more").abs().max()) <= 1
    if wrong.filter(BLATANT).height:
        assert number(wrong.filter(BLATANT), (pl.col("more") / pl.col("of_lines")).max()) > 0.005
    small = wrong.filter(pl.col("intensity") == "subtle")
    assert (small["more"] < 0.03 * small["of_lines"]).all()


def test_cap_breach(world: World) -> None:
    salary = pl.when(pl.col("ngay_vao").dt.strftime("%Y%m%d") >= _raised()[0]).then(_raised()[1]).otherwise(2_340_000)
    supplies = world.xml3.filter(pl.col("goi_vtyt") != "").join(
        world.xml1.select(*KEY, "ngay_vao", card=CARD), on=KEY, how="left"
    )
    capped = supplies.filter(~pl.col("card").str.slice(2, 1).is_in(["1", "5"])).with_columns(cap=45 * salary)
    paid = (pl.col("t_bhtt").sum() - pl.col("cap").first()).alias("above")
    claims = capped.group_by(*KEY).agg(
        paid, has("CAP_BREACH").first().alias("deed"), HONEST.first().alias("clean"), pl.col("goi_vtyt").n_unique()
    )
    deeds = claims.filter("deed")
    assert deeds.height > 0
    assert deeds.height == world.of("CAP_BREACH").height
    assert (deeds["above"] > 0).all()
    assert number(claims.filter("clean"), pl.col("above").max()) <= 0
    packages = capped.group_by(*KEY, "goi_vtyt").agg(paid, has("CAP_BREACH").first().alias("deed"))
    split = packages.filter("deed").join(deeds.filter(pl.col("goi_vtyt") > 1).select(KEY), on=KEY)
    whole = packages.filter("deed").join(deeds.filter(pl.col("goi_vtyt") == 1).select(KEY), on=KEY)
    assert split.height + whole.height > 0
    assert (split["above"] < 0).any() if split.height else (whole["above"] > 0).all()


def _raised() -> tuple[str, int]:
    """The last change of the base salary, yyyymmdd, and its amount."""
    last = reference("base_salary")[-1]
    return str(last["valid_from"]).replace("-", ""), int(last["luong_co_so_vnd"])


def test_card_lending(world: World) -> None:
    claims = world.of("CARD_LENDING")
    assert claims.height > 0
    assert (claims["t_tongchi_bh"] > 1_000_000).all(), "for what one could not pay"
    assert number(claims, (pl.col("improper_amount") - pl.col("t_bhtt")).abs().max()) < 1, "nothing of it is owed"
    seen = world.xml1.select(CARD, *KEY, "can_nang", "nhom_mau", "so_cccd", "ngay_vao", "ngay_sinh", "schemes", "decoy")
    lent = seen.filter(has("CARD_LENDING"))
    own = seen.filter(HONEST)
    pairs = lent.join(own, on=CARD, suffix="_own")
    assert pairs.height > 0, "the lender is known by claims of their own"
    heavier = (pl.col("can_nang") / pl.col("can_nang_own") - 1).abs()
    blood = (pl.col("nhom_mau") != pl.col("nhom_mau_own")) & (pl.col("nhom_mau_own") != "")
    other = blood | (pl.col("ngay_sinh") != pl.col("ngay_sinh_own")) | (heavier > 0.2)
    assert number(pairs, other.mean()) > 0.25, "body or birth date of somebody else"
    same = own.join(own, on=CARD, suffix="_own").filter(pl.col("ma_lk") != pl.col("ma_lk_own"))
    assert number(same, other.mean()) < 0.02


def test_card_deceased(world: World) -> None:
    register = world.catalogue("cards").filter(pl.col("deceased_on") != "")
    died = register.select(pl.col(CARD), died=pl.col("deceased_on").str.to_date())
    claims = world.of("CARD_DECEASED")
    assert claims.height > 0
    late = claims.join(died, on=CARD).with_columns(days=(pl.col("ngay_vao").dt.date() - pl.col("died")).dt.total_days())
    assert late.height == claims.height
    assert (late["days"] >= 2).all()
    before = world.xml1.filter(~has("CARD_DECEASED")).join(late.select(CARD).unique(), on=CARD)
    assert before.height > 0, "they had been seen alive"
    if late.filter(BLATANT).height:
        assert number(late.filter(BLATANT), pl.col("days").max()) > 20, "months later"


def test_card_invalid(world: World) -> None:
    cards = world.catalogue("cards")
    register = cards.filter(pl.col("status") == "000").select(pl.col(CARD), ended=pl.col("valid_to").str.to_date())
    claims = world.xml1.join(register, on=CARD, how="left").with_columns(
        DATE, stated=pl.col("gt_the_den").str.to_date("%Y%m%d")
    )
    invalid = claims.filter(has("CARD_INVALID"))
    assert invalid.height > 0
    assert (invalid["ended"] < invalid["date"]).all()
    assert claims.filter(HONEST & (pl.col("ended") < pl.col("date"))).height == 0
    told = invalid["stated"] < invalid["date"]
    honest = invalid.filter(~told)
    assert (told | ~invalid["intensity"].eq("blatant")).all(), "the claim itself says so"
    over = cards.filter(pl.col("status") == "010").select(pl.col(CARD), since=pl.col("valid_from").str.to_date())
    assert invalid.join(over, on=CARD).filter(pl.col("since") <= pl.col("date")).height == invalid.height
    assert (honest["stated"] > honest["ended"]).all()


def test_doctor_shopping(world: World) -> None:
    claims = world.of("DOCTOR_SHOPPING")
    assert claims.height > 0
    spells = claims.group_by(CARD).agg(
        pl.len(), pl.col("ma_cskcb").n_unique().alias("places"),
        days=(pl.col("ngay_vao").max() - pl.col("ngay_vao").min()).dt.total_days(), bold=BLATANT.any(),
    )  # fmt: skip
    assert (spells["places"] >= 2).all()
    assert number(spells, pl.col("len").max()) >= 4
    if spells.filter("bold").height:
        assert number(spells.filter("bold"), pl.col("places").max()) >= 4
    usual = world.honest().filter(OUTPATIENT).group_by(CARD).agg(pl.col("ma_cskcb").n_unique().alias("places"))
    assert number(usual, pl.col("places").mean()) < 0.6 * number(spells, pl.col("places").mean())
    # The same tablets everywhere.
    tablets = world.of("DOCTOR_SHOPPING", "xml2").join(world.xml1.select(*KEY, CARD), on=KEY)
    again = tablets.group_by(CARD, "ma_thuoc").agg(pl.struct(KEY).n_unique().alias("times"))
    most = again.group_by(CARD).agg(pl.col("times").max()).join(spells, on=CARD)
    assert (most["times"] >= 0.6 * most["len"]).all()


def test_simultaneous_stays(world: World) -> None:
    claims = presence(world)
    ghosts = claims.filter(has("SIMULTANEOUS_STAYS"))
    assert ghosts.height > 0
    others = claims.filter(~has("SIMULTANEOUS_STAYS"))
    pairs = ghosts.join(others, on=CARD, suffix="_b").filter(pl.col("ma_cskcb") != pl.col("ma_cskcb_b"))
    shared = (
        pl.min_horizontal("until", "until_b") - pl.max_horizontal("ngay_vao", "ngay_vao_b")
    ).dt.total_minutes() > 0
    clash = pairs.filter(shared & (pl.col("ma_loai_kcb_b") == "03"))
    # Now and then a stay is cut or shortened by somebody else afterwards.
    assert clash.select(KEY).unique().height >= 0.9 * ghosts.height, "while their person lies in another hospital"
    honest = claims.filter(HONEST)
    apart = honest.join(honest, on=CARD, suffix="_b").filter(pl.col("ma_cskcb") != pl.col("ma_cskcb_b"))
    assert apart.filter(shared).height == 0


def test_geo_impossible(world: World) -> None:
    claims = presence(world)
    province = pl.col("ma_cskcb").str.head(2)
    far = claims.filter(has("GEO_IMPOSSIBLE"))
    assert far.height > 0
    pairs = far.join(claims, on=CARD, suffix="_b").filter(province != pl.col("ma_cskcb_b").str.head(2))
    hours = ((pl.col("ngay_vao") - pl.col("until_b")).dt.total_minutes() / 60).alias("hours")
    near = pairs.with_columns(hours).filter((pl.col("hours") > 0) & (pl.col("hours") < 10))
    assert near.select(KEY).unique().height == far.height, "hundreds of kilometres within hours"
    assert number(near, pl.col("hours").min()) < 5
    honest = claims.filter(HONEST)
    other = honest.join(honest, on=CARD, suffix="_b").filter(province != pl.col("ma_cskcb_b").str.head(2))
    assert other.with_columns(hours).filter((pl.col("hours") > 0) & (pl.col("hours") < 10)).height == 0


def companions(claims: pl.DataFrame) -> pl.DataFrame:
    """Pairs of cards and the number of days on which both were at one place."""
    days = claims.select("ma_cskcb", DATE, CARD).unique()
    pairs = days.join(days, on=["ma_cskcb", "date"], suffix="_b").filter(pl.col(CARD) < pl.col(f"{CARD}_b"))
    return pairs.group_by("ma_cskcb", CARD, f"{CARD}_b").len("days")


def test_companion_groups(world: World) -> None:
    claims = world.of("COMPANION_GROUPS")
    assert claims.height > 0
    together = companions(claims).filter(pl.col("days") >= 2)
    members = set(together[CARD]) | set(together[f"{CARD}_b"])
    assert len(members) >= 4
    assert number(claims, pl.col(CARD).is_in(list(members)).mean()) > 0.6, "most come again with the others"
    usual = companions(world.honest().filter(OUTPATIENT))
    assert number(usual, (pl.col("days") >= 2).mean()) < 0.005
    if bold(world, "COMPANION_GROUPS").height:
        rows = bold(world, "COMPANION_GROUPS")
        trips = rows.group_by("ma_cskcb", DATE).agg(
            pl.len(), hours=(pl.col("ngay_vao").max() - pl.col("ngay_vao").min()).dt.total_minutes() / 60
        )
        assert number(trips.filter(pl.col("len") >= 4), pl.col("hours").min()) < 3


def test_false_emergency(world: World) -> None:
    claims = world.of("FALSE_EMERGENCY")
    assert claims.height > 0
    registered = pl.col("ma_dkbd") == pl.col("ma_cskcb")
    assert claims.filter(registered).height == 0, "they came on their own from elsewhere"
    outpatients, stays = claims.filter(OUTPATIENT), claims.filter(pl.col("ma_loai_kcb") == "03")
    assert (outpatients["ma_doituong_kcb"] == "2").all()
    daytime = outpatients["ngay_vao"].dt.hour().is_between(7, 16)
    assert daytime.all(), "and by day"
    usual = world.honest().filter(OUTPATIENT & (pl.col("ma_doituong_kcb") == "2"))
    assert usual.height < 0.05 * world.honest().filter(OUTPATIENT).height
    assert (stays["ma_doituong_kcb"].is_in(["2", "1.5"])).all()
    slips = stays.filter(pl.col("ma_doituong_kcb") == "1.5")
    assert (slips["giay_chuyen_tuyen"] != "").all()
    if claims.filter(BLATANT).height:
        assert (claims.filter(BLATANT)["ma_doituong_kcb"] == "2").any()


def test_supplier_concentration(world: World) -> None:
    rows = world.of("SUPPLIER_CONCENTRATION", "xml2")
    assert rows.height > 0
    codes = [drugs()[key].code for row in LIKE for key in row]
    bought = world.xml2.filter(pl.col("ma_thuoc").is_in(codes)).with_columns(DECISION)
    for (place,), deeds in rows.with_columns(DECISION).group_by("ma_cskcb"):
        # The one decision that every claim of the deed buys from, and its part of what is spent here and elsewhere.
        first = deeds.select(KEY).unique().height
        numbers = deeds.group_by("decision").agg(pl.struct(KEY).n_unique().alias("claims"))
        number = numbers.filter(pl.col("claims") >= first)["decision"].to_list()
        assert number, place
        money, one = pl.col("thanh_tien_bh"), pl.col("decision").is_in(number)
        share = money.filter(one).sum() / money.sum()
        here = bought.filter((pl.col("ma_cskcb") == place) & has("SUPPLIER_CONCENTRATION")).select(share).item()
        usual = bought.filter((pl.col("ma_cskcb") == place) & HONEST).select(share).item()
        assert here > usual + 0.15, place


def test_drug_kickback(world: World) -> None:
    rows = world.of("DRUG_KICKBACK", "xml2")
    assert rows.height > 0
    prescriptions = world.xml2.select(*KEY, "ma_bac_si", "ma_thuoc", "schemes").join(
        world.xml1.select(*KEY, "ma_benh_chinh"), on=KEY
    )
    blamed = world.entities.filter((pl.col("level") == "doctor") & (pl.col("scheme") == "DRUG_KICKBACK"))["id"]
    assert blamed.len() > 0
    for name in blamed:
        facility, doctor = name.split(":")
        code = drugs()[product(doctor)].code
        own = prescriptions.filter((pl.col("ma_cskcb") == facility) & (pl.col("ma_bac_si") == doctor))
        deeds = own.filter(has("DRUG_KICKBACK"))
        with_it = deeds.filter(pl.col("ma_thuoc") == code)
        assert with_it.select(KEY).unique().height == deeds.select(KEY).unique().height, name
        peers = prescriptions.filter(pl.col("ma_bac_si") != doctor)
        claims = pl.struct(KEY).n_unique()
        part = pl.struct(KEY).filter(pl.col("ma_thuoc") == code).n_unique() / claims
        assert number(own, part) > 1.5 * number(peers, part), name
    diagnoses = (
        rows.join(world.xml1.select(*KEY, "ma_benh_chinh"), on=KEY)
        .group_by("ma_bac_si")
        .agg(pl.col("ma_benh_chinh").str.head(3).n_unique())
    )
    assert number(diagnoses, pl.col("ma_benh_chinh").max()) >= 4, "whatever the diagnosis"


def test_patient_inducement(world: World) -> None:
    claims = world.of("PATIENT_INDUCEMENT")
    assert claims.height > 0
    elsewhere = (pl.col("ma_dkbd") != pl.col("ma_cskcb")).alias("elsewhere")
    assert claims.select(elsewhere)["elsewhere"].all(), "none of them is registered here"
    places = claims["ma_cskcb"].unique().to_list()
    usual = world.honest().filter(OUTPATIENT & pl.col("ma_cskcb").is_in(places))
    assert number(usual, elsewhere.mean()) < 0.7
    groups = claims.group_by("ma_cskcb", "intensity").agg(
        pl.len(), pl.col("maxa_cu_tru").value_counts(sort=True).struct.field("count").head(3).sum().alias("top")
    )
    assert groups.filter(pl.col("top") >= 0.5 * pl.col("len")).height > 0, "from three communes or fewer"
    tests = world.xml3.filter(TESTS).group_by(KEY).len("tests")
    count = pl.col("tests").fill_null(0).mean()
    level = number(claims.join(tests, on=KEY, how="left"), count)
    assert level > number(usual.join(tests, on=KEY, how="left"), count) + 0.5


def test_self_referral_test(world: World) -> None:
    claims = world.of("SELF_REFERRAL_TEST")
    assert claims.height > 0
    sent = claims.join(world.xml1, on=CARD, suffix="_from").filter(pl.col("ma_cskcb") != pl.col("ma_cskcb_from"))
    days = (pl.col("ngay_vao").dt.date() - pl.col("ngay_vao_from").dt.date()).dt.total_days()
    origin = sent.filter(days.is_between(0, 12))
    assert origin.select(KEY).unique().height >= 0.8 * claims.height, "they were at the hospital just before"
    # A pair of places shares far more people within days than others do.
    visits = world.xml1.select(CARD, "ma_cskcb", DATE)
    pairs = visits.join(visits, on=CARD, suffix="_b").filter(
        (pl.col("ma_cskcb") != pl.col("ma_cskcb_b"))
        & (pl.col("date_b") - pl.col("date")).dt.total_days().is_between(0, 3)
    )
    flows = pairs.group_by("ma_cskcb", "ma_cskcb_b").len("people")
    linked = flows.join(origin.select("ma_cskcb_from", "ma_cskcb").unique(),
                        left_on=["ma_cskcb", "ma_cskcb_b"], right_on=["ma_cskcb_from", "ma_cskcb"])  # fmt: skip
    assert number(linked, pl.col("people").max()) >= 3 * number(flows, pl.col("people").median())
    tests = world.of("SELF_REFERRAL_TEST", "xml3").filter(TESTS).group_by(KEY).len("tests")
    assert tests.filter(pl.col("tests") >= 2).height >= 0.8 * claims.height


def test_broker_ring(world: World) -> None:
    claims = world.of("BROKER_RING")
    assert claims.height > 0
    people = claims.group_by(CARD).agg(pl.col("ma_cskcb").n_unique().alias("places"))
    assert number(people, pl.col("places").mean()) > 1.4, "the same people at two or three places"
    doctors = (
        world.of("BROKER_RING", "xml3")
        .filter(pl.col("ma_nhom") == "13")
        .group_by("ma_cskcb")
        .agg(pl.col("ma_bac_si").n_unique(), pl.struct(KEY).n_unique().alias("claims"))
    )
    busy = doctors.filter(pl.col("claims") >= 5)
    assert (busy["ma_bac_si"] <= 2).all(), "always the same doctor"
    phones = claims.filter(pl.col("dien_thoai") != "").group_by("dien_thoai").agg(pl.col(CARD).n_unique())
    assert number(phones, pl.col(CARD).max()) >= 2
    if claims.filter(BLATANT).height:
        shared = claims.filter(BLATANT & (pl.col("dien_thoai") != "")).group_by("dien_thoai")
        assert number(shared.agg(pl.col(CARD).n_unique()), pl.col(CARD).max()) >= 3


def test_certificate_trade(world: World) -> None:
    claims = world.of("CERTIFICATE_TRADE")
    assert claims.height > 0
    papers = world.of("CERTIFICATE_TRADE", "xml11")
    assert papers.height == claims.height, "every sham visit yields a certificate"
    assert (papers["don_vi"] != "").all()
    usual, length = world.honest().filter(OUTPATIENT), pl.col("so_ngay_nghi").mean()
    given = world.honest("xml11").height / usual.height
    month = pl.col("ngay_yl").dt.truncate("1mo").alias("month")
    exams = world.xml3.filter(pl.col("ma_nhom") == "13").with_columns(month)
    sold = exams.filter(has("CERTIFICATE_TRADE")).select("ma_bac_si", "month").unique()
    seen = exams.join(sold, on=["ma_bac_si", "month"]).select(KEY).unique()
    assert world.xml11.join(seen, on=KEY).height / seen.height > 1.5 * given, "far more than colleagues write"
    assert number(papers, length) > number(world.honest("xml11"), length) + 0.5
    lines = pl.concat([world.of("CERTIFICATE_TRADE", t).select(KEY) for t in ("xml2", "xml3")]).group_by(KEY).len()
    assert number(lines, pl.col("len").max()) <= 3, "and hardly any care"
    assert number(claims, pl.col("ngay_vao").dt.weekday().is_in([1, 5]).mean()) > 0.35
