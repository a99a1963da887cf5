"""Supplies, beds, transfers and transport, other payers, charges to the patient, rewritten data and campaigns."""

from __future__ import annotations

import base64
import re
from datetime import timedelta
from pathlib import Path

import polars as pl

from data.synthetic import generate
from tests.lib.schemed import KEY, World

BLATANT = pl.col("intensity") == "blatant"
DAY = timedelta(days=1)


def number(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)


def surgeries(world: World) -> pl.DataFrame:
    return world.xml3.filter(pl.col("ma_nhom") == "8")


def supplies(world: World, name: str, scheme: str | None = None) -> pl.DataFrame:
    rows = world.honest("xml3") if scheme is None else world.of(scheme, "xml3")
    return rows.filter((pl.col("ma_nhom") == "10") & pl.col("ten_vat_tu").str.contains(name))


def test_supply_reuse(world: World) -> None:
    devices = "Bóng nong|Dây dẫn|khâu cắt nội soi"
    rows = supplies(world, devices, "SUPPLY_REUSE")
    assert rows.height > 0
    with_sticker = rows.filter(pl.col("ma_hieu_sp") != "")
    uses = with_sticker.group_by("ma_cskcb", "ma_vat_tu", "ma_hieu_sp").agg(pl.col("ma_lk").n_unique().alias("n"))
    bold = with_sticker.filter(BLATANT).select(KEY).n_unique()
    assert bold < 5 or number(uses["n"].max()) >= 2, "one device in several people"
    honest = (
        world.honest("xml3").filter(pl.col("ma_hieu_sp") != "").group_by("ma_hieu_sp").agg(pl.col("ma_lk").n_unique())
    )
    assert honest["ma_lk"].max() == 1
    assert (rows["thanh_tien_bh"] >= 0.99 * rows["so_luong"] * rows["don_gia_bh"]).all(), "at the whole price"


def test_supply_overcount(world: World) -> None:
    rows = world.of("SUPPLY_OVERCOUNT", "xml3").filter(pl.col("ma_nhom") == "10")
    assert rows.height > 0
    usual = world.honest("xml3").filter(pl.col("ma_nhom") == "10").group_by("ma_vat_tu").agg(
        pl.col("so_luong").mean().alias("usual")
    )  # fmt: skip
    more = rows.join(usual, on="ma_vat_tu").with_columns((pl.col("so_luong") / pl.col("usual")).alias("ratio"))
    assert number(more["ratio"].median()) > 1.25, "more pieces than elsewhere"
    devices = more.filter(pl.col("ten_vat_tu").str.contains("Thủy tinh|Stent|Nẹp|khâu cắt|Lưới|Bóng|Dây dẫn"))
    bold = devices.filter(BLATANT)
    assert bold.height == 0 or (bold["so_luong"] >= 2).any(), "two devices where one is put in"
    assert (world.honest("xml3").filter(pl.col("ten_vat_tu").str.contains("Thủy tinh"))["so_luong"] == 1).all()


def test_supply_without_procedure(world: World) -> None:
    claims = world.of("SUPPLY_WITHOUT_PROCEDURE")
    assert claims.height > 0
    implants = "Lưới|Nẹp|Thủy tinh|Stent|Vít|Bóng nong"
    rows = supplies(world, implants, "SUPPLY_WITHOUT_PROCEDURE").join(surgeries(world).select(KEY), on=KEY, how="anti")
    assert rows.height > 0, "an implant and no operation"
    assert set(rows.filter(BLATANT).select(KEY).iter_rows()) == set(claims.filter(BLATANT).select(KEY).iter_rows()), (
        "every blatant one"
    )
    honest = supplies(world, implants)
    assert honest.join(surgeries(world).select(KEY), on=KEY, how="anti").height <= 0.02 * honest.height


def shared_beds(world: World, rows: pl.DataFrame) -> pl.DataFrame:
    place = ["ma_cskcb", "ma_khoa", "ma_giuong"]
    beds = world.xml3.filter(pl.col("ma_nhom") == "15").select(*place, "ma_lk", "ngay_th_yl", "ngay_kq")
    mine = rows.filter(pl.col("ma_nhom") == "15")
    both = mine.join(beds, on=place, suffix="_other").filter(pl.col("ma_lk") != pl.col("ma_lk_other"))
    first = pl.max_horizontal("ngay_th_yl", "ngay_th_yl_other")
    return both.filter(pl.min_horizontal("ngay_kq", "ngay_kq_other") - first > timedelta(minutes=240))


def test_bed_share_full(world: World) -> None:
    claims = world.of("BED_SHARE_FULL")
    assert claims.height > 0
    shared = shared_beds(world, world.of("BED_SHARE_FULL", "xml3"))
    caught = claims.join(shared.select(KEY).unique(), on=KEY)
    assert (shared["tyle_tt_dv"] == 100).all()
    assert 0.2 * claims.height < caught.height
    assert caught.filter(BLATANT).height >= 0.5 * claims.filter(BLATANT).height
    stays = world.honest().filter(pl.col("ma_loai_kcb") == "03").height
    assert shared_beds(world, world.honest("xml3")).select(KEY).n_unique() < 0.1 * stays


def empty_days(world: World, claims: pl.DataFrame) -> pl.DataFrame:
    days = claims.select(
        *KEY, "intensity", pl.date_ranges(pl.col("ngay_vao").dt.date(), pl.col("ngay_ra").dt.date()).alias("day"),
        pl.col("ngay_ra").dt.date().alias("last"),
    ).explode("day")  # fmt: skip
    care = [
        world.xml2.select(*KEY, pl.col("ngay_yl").dt.date().alias("day")),
        world.xml3.filter(pl.col("ma_nhom") != "15").select(*KEY, pl.col("ngay_yl").dt.date().alias("day")),
        world.xml5.select(*KEY, pl.col("thoi_diem_dbls").dt.date().alias("day")),
    ]
    found = days.join(pl.concat(care).unique(), on=[*KEY, "day"], how="anti")
    return found.filter(pl.col("day") < pl.col("last")).group_by(*KEY, "intensity").len()


def test_bed_order_conflict(world: World) -> None:
    claims = world.of("BED_ORDER_CONFLICT")
    assert claims.height > 0
    empty = empty_days(world, claims)
    beds = world.of("BED_ORDER_CONFLICT", "xml3").filter(pl.col("ma_nhom") == "15")
    assert beds.join(claims, on=KEY).filter(pl.col("ngay_kq") == pl.col("ngay_ra")).height >= 0.9 * claims.height
    assert empty.filter(BLATANT & (pl.col("len") >= 2)).height >= 0.7 * claims.filter(BLATANT).height
    honest = world.honest().filter(pl.col("ma_loai_kcb") == "03")
    assert empty_days(world, honest).filter(pl.col("len") >= 2).height < 0.05 * honest.height


def test_transfer_abuse(world: World) -> None:
    claims = world.of("TRANSFER_ABUSE")
    assert claims.height > 0
    assert number((claims["ma_noi_di"] != "").mean()) > 0.3
    pairs = claims.filter(pl.col("ma_noi_di") != "").group_by("ma_noi_di", "ma_cskcb").len()
    sent = world.xml1.filter(pl.col("ma_noi_den") != "").select(
        "ma_bn", "ma_the_bhyt", "ma_cskcb", "ma_noi_den", "ngay_ra"
    )
    there = sent.join(
        world.xml1, left_on=["ma_the_bhyt", "ma_noi_den"], right_on=["ma_the_bhyt", "ma_cskcb"], suffix="_b"
    )
    there = there.filter((pl.col("ngay_vao") >= pl.col("ngay_ra")) & (pl.col("ngay_vao") - pl.col("ngay_ra") < DAY))
    back = there.select("ma_the_bhyt", "ma_cskcb", "ngay_ra", back_from="ngay_ra_b").join(
        claims.select("ma_the_bhyt", "ma_cskcb", "ngay_vao"), on=["ma_the_bhyt", "ma_cskcb"]
    )
    wait = pl.col("ngay_vao") - pl.col("back_from")
    returned = back.filter((wait >= timedelta(0)) & (pl.col("ngay_vao") - pl.col("ngay_ra") < 9 * DAY))
    assert returned.height > 0, "there and back again"
    assert number(pairs["len"].max()) >= 2, "the same two places"


def test_transport_false(world: World) -> None:
    rides = world.of("TRANSPORT_FALSE", "xml3").filter(pl.col("ma_nhom") == "12")
    claims = world.of("TRANSPORT_FALSE")
    assert claims.height > 0
    assert rides.select(KEY).n_unique() == claims.height
    assert rides["ma_dich_vu"].str.contains(r"^VC\.\d{5}$").all()
    home = rides.join(claims.select(*KEY, "ma_loai_rv", "ma_noi_den"), on=KEY).filter(pl.col("ma_loai_rv") != "2")
    bold = rides.filter(BLATANT)
    assert bold.height < 4 or home.filter(BLATANT).height >= 0.5 * bold.height, "rides of people who went home"


def test_work_traffic_accident(world: World) -> None:
    claims = world.of("WORK_TRAFFIC_ACCIDENT")
    assert claims.height > 0
    assert claims["ma_benh_chinh"].str.contains("^[ST]").all()
    bold = claims.filter(BLATANT)
    assert bold["ma_tai_nan"].is_in(["1", "2"]).sum() >= 0.4 * bold.height, "the bold write the cause down"
    assert (claims["t_nguonkhac"] == 0).all()
    assert number((claims["improper_amount"] - claims["t_bhtt"]).abs().max()) < 1, "nothing of it is the fund's"


def test_program_free_goods(world: World) -> None:
    rows = world.of("PROGRAM_FREE_GOODS", "xml2")
    assert world.of("PROGRAM_FREE_GOODS").height > 0
    goods = rows.filter(pl.col("ten_thuoc").str.contains("Sắt|Kẽm|Oresol|Valproat|Tenofovir") & (pl.col("t_bhtt") > 0))
    assert goods.select(KEY).n_unique() == world.of("PROGRAM_FREE_GOODS").height
    openly = goods.filter(BLATANT)
    assert (openly["nguon_ctra"] != "1").sum() >= 0.6 * openly.height, "the bold still say where they came from"
    honest = world.honest("xml2").filter((pl.col("nguon_ctra") != "1") & (pl.col("t_bhtt") > 0))
    assert honest.height == 0


def test_lam_thu_in_price(world: World) -> None:
    claims = world.of("LAM_THU_IN_PRICE")
    assert claims.height > 0
    rows = world.of("LAM_THU_IN_PRICE", "xml3").filter(
        (pl.col("don_gia_bv") > pl.col("don_gia_bh")) & (pl.col("t_bntt") > 0) & (pl.col("tyle_tt_bh") == 100)
    )
    assert rows.select(KEY).n_unique() == claims.height
    bold = rows.filter(BLATANT)
    extra = bold["don_gia_bv"] - bold["don_gia_bh"]
    assert extra.is_in([20_000.0, 50_000.0, 100_000.0]).sum() >= 0.5 * bold.height, "round sums from everybody"
    honest = world.honest("xml3").filter(pl.col("don_gia_bv") > pl.col("don_gia_bh"))
    assert honest.height < 0.001 * world.honest("xml3").height


def test_lam_thu_buy_outside(world: World) -> None:
    claims = world.of("LAM_THU_BUY_OUTSIDE")
    assert claims.height > 0
    lens = supplies(world, "Thủy tinh").select(KEY).unique()
    phaco = world.xml3.filter(pl.col("ten_dich_vu").str.contains("Phaco")).select(*KEY, "schemes").unique(KEY)
    without = phaco.join(world.xml3.filter(pl.col("ten_vat_tu").str.contains("Thủy tinh")).select(KEY).unique(), on=KEY,
                         how="anti")  # fmt: skip
    operated = claims.join(surgeries(world).select(KEY).unique(), on=KEY)
    lacking = operated.join(
        world.xml3.filter(pl.col("ten_vat_tu").str.contains("Thủy tinh|Lưới|Nẹp|Stent|khâu cắt")).select(KEY).unique(),
        on=KEY, how="anti",
    )  # fmt: skip
    assert lens.height > 0
    assert lacking.height > 0.1 * operated.height, "the companion item of the operation is missing"
    by_scheme = without.with_columns(pl.col("schemes").list.contains("LAM_THU_BUY_OUTSIDE").alias("theirs"))
    assert by_scheme["theirs"].sum() >= 0.6 * by_scheme.height, "hardly any honest lens operation lacks a lens"


def test_lam_thu_copay(world: World) -> None:
    claims = world.of("LAM_THU_COPAY")
    assert claims.height > 0
    columns = [*KEY, "muc_huong", "thanh_tien_bh", "t_bncct", "t_bhtt", "intensity"]
    rows = pl.concat([world.of("LAM_THU_COPAY", table).select(columns) for table in ("xml2", "xml3")])
    wrong = rows.filter((pl.col("t_bncct") - (pl.col("thanh_tien_bh") - pl.col("t_bhtt"))) > 1)
    assert wrong.select(KEY).n_unique() == claims.height
    exempt = wrong.filter(pl.col("muc_huong") == 100)
    assert exempt.height > 0, "a part taken from those who owe none"
    blatant = wrong.filter(BLATANT)
    assert ((blatant["t_bncct"] / blatant["thanh_tien_bh"]).round(2).is_in([0.05, 0.2])).all()


def hosos(folder: Path) -> dict[tuple[str, str], list[dict[str, str]]]:
    """Every version of every claim, in the order of the files: table -> its text."""
    found: dict[tuple[str, str], list[dict[str, str]]] = {}
    for path in sorted(folder.rglob("*.xml"), key=lambda p: p.stem.split("_")[2]):
        for hoso in re.findall("<HOSO>(.*?)</HOSO>", path.read_text(encoding="utf-8"), re.DOTALL):
            tables: dict[str, str] = {}
            for name, content in re.findall(
                r"<LOAIHOSO>(\w+)</LOAIHOSO><NOIDUNGFILE>(.*?)</NOIDUNGFILE>", hoso, re.DOTALL
            ):
                tables[name] = content if "<" in content else base64.b64decode(content).decode()
            ma_lk = re.search("<MA_LK>(.*?)</MA_LK>", tables["XML1"])
            assert ma_lk
            found.setdefault((path.stem.split("_")[0], ma_lk[1]), []).append(tables)
    return found


def same_but_payment(a: dict[str, str], b: dict[str, str]) -> bool:
    return {**a, "XML1": re.sub("<NGAY_TTOAN.*?(/>|</NGAY_TTOAN>)", "", a["XML1"])} == {
        **b, "XML1": re.sub("<NGAY_TTOAN.*?(/>|</NGAY_TTOAN>)", "", b["XML1"])
    }  # fmt: skip


def test_data_rewrite(tmp_path: Path) -> None:
    generate(tmp_path, encounters=2500, months=3, seed=6, only=["DATA_REWRITE"], thick=3)
    truth = pl.read_parquet(tmp_path / "truth" / "claims.parquet")
    guilty = truth.filter(pl.col("is_fraud"))
    assert guilty.height > 0
    versions = hosos(tmp_path / "xml")
    for key in guilty.select(KEY).iter_rows():
        assert len(versions[key]) == 2, "sent, and sent again"
        assert not same_but_payment(*versions[key]), "with another content"
    for key in truth.filter(~pl.col("is_fraud") & pl.col("decoy").is_null()).select(KEY).iter_rows():
        assert len(versions[key]) == 1 or same_but_payment(*versions[key]), "honest copies differ by the payment alone"


def test_true_correction(tmp_path: Path) -> None:
    generate(tmp_path, encounters=2500, months=3, seed=6, only=[])
    truth = pl.read_parquet(tmp_path / "truth" / "claims.parquet")
    corrected = truth.filter(pl.col("decoy") == "TRUE_CORRECTION")
    assert corrected.height > 0
    versions = hosos(tmp_path / "xml")
    assert all(len(versions[key]) == 2 for key in corrected.select(KEY).iter_rows())
    assert sum(not same_but_payment(*versions[key]) for key in corrected.select(KEY).iter_rows()) > 0


def test_budget_gaming(world: World) -> None:
    claims = world.of("BUDGET_GAMING")
    assert claims.height > 0
    assert claims["ngay_vao"].dt.month().is_in([3, 6, 9, 12]).all(), "in the last month of a quarter"
    assert (claims["ngay_vao"].dt.day() > 8).all()
    moved = claims.filter(pl.col("thang_qt").cast(pl.Int64) != pl.col("ngay_ra").dt.month())
    bold = claims.filter(BLATANT)
    assert bold.height < 8 or moved.height > 0, "some are settled in the next quarter"
    tests = pl.col("ma_nhom").is_in(["1", "2", "3"])
    more = world.of("BUDGET_GAMING", "xml3").filter(tests).group_by(KEY).len()["len"].mean()
    usual = world.honest("xml3").filter(tests).group_by(KEY).len()["len"].mean()
    assert isinstance(more, float)
    assert isinstance(usual, float)
    assert more > usual


def test_cataract_campaign(world: World) -> None:
    claims = world.of("CATARACT_CAMPAIGN")
    assert claims.height > 0
    assert (claims["ma_benh_chinh"] == "H25.9").all()
    operations = world.xml3.filter(pl.col("ten_dich_vu").str.contains("Phaco")).with_columns(
        day=pl.col("ngay_th_yl").dt.date(), surgeon=pl.col("nguoi_thuc_hien").str.split(";").list.first()
    )
    per_day = operations.group_by("ma_cskcb", "surgeon", "day").agg(
        pl.len().alias("n"), pl.col("schemes").list.contains("CATARACT_CAMPAIGN").any().alias("campaign")
    )
    assert number(per_day.filter(pl.col("campaign"))["n"].max()) >= 5
    assert number(per_day.filter(~pl.col("campaign"))["n"].mean()) < 2
    assert number(claims["ngay_sinh"].str.slice(0, 4).cast(pl.Int64).max()) <= 1973, "elderly people"


def test_mass_screening_as_care(world: World) -> None:
    claims = world.of("MASS_SCREENING_AS_CARE")
    assert claims.height > 0
    orders = world.of("MASS_SCREENING_AS_CARE", "xml3").filter(pl.col("ma_nhom").is_in(["1", "2", "3"]))
    assert orders.select(KEY).n_unique() >= 0.9 * claims.height, "a panel each"
    drugs = world.of("MASS_SCREENING_AS_CARE", "xml2").select(KEY).n_unique()
    assert drugs < 0.8 * claims.height, "hardly a drug"
    assert claims["ma_the_bhyt"].str.slice(0, 2).is_in(["DN", "HC"]).all()
    groups = claims.group_by("ma_cskcb", pl.col("ngay_vao").dt.truncate("1w")).len()
    assert number(groups["len"].max()) >= 4, "colleagues within a week"
    tired = (claims["ma_benh_chinh"] == "R53").mean()
    usual = (world.honest()["ma_benh_chinh"] == "R53").mean()
    assert isinstance(tired, float)
    assert isinstance(usual, float)
    assert tired > 5 * usual > 0


def test_dialysis_chronic_count(world: World) -> None:
    def sessions(rows: pl.DataFrame) -> pl.DataFrame:
        held = rows.filter(pl.col("ten_dich_vu").str.contains("Thận nhân tạo")).sort(*KEY, "ngay_th_yl")
        gap = pl.col("ngay_th_yl").dt.date().diff().dt.total_days().over(KEY)
        return held.group_by(*KEY, "intensity").agg(pl.len().alias("n"), (gap == 1).sum().alias("in_a_row"))

    added = sessions(world.of("DIALYSIS_CHRONIC_COUNT", "xml3"))
    assert added.height == world.of("DIALYSIS_CHRONIC_COUNT").height > 0
    honest = sessions(world.honest("xml3"))
    assert honest["in_a_row"].max() == 0
    assert (added["in_a_row"] > 0).all(), "on days after one another"
    assert added.filter(pl.col("n") > 14).height > 0
    assert number(honest["n"].max()) <= 14
