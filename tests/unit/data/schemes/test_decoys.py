"""What only looks guilty is in the data, and costs nobody anything."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from tests.lib.schemed import KEY, World


def number(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)


def of(world: World, decoy: str) -> pl.DataFrame:
    claims = world.decoys(decoy)
    assert claims.height > 0
    assert claims["improper_amount"].sum() == 0
    return claims


def test_outreach_day(world: World) -> None:
    groups = of(world, "OUTREACH_DAY").group_by("ma_cskcb", pl.col("ngay_vao").dt.date(), "maxa_cu_tru").len()
    assert number(groups["len"].max()) >= 5


def test_acute_dialysis(world: World) -> None:
    claims = of(world, "ACUTE_DIALYSIS")
    assert claims["ma_benh_kt"].str.contains("E87.7").all()
    sessions = world.decoys("ACUTE_DIALYSIS", "xml3").filter(pl.col("ten_dich_vu").str.contains("Thận nhân tạo"))
    assert (sessions.group_by(KEY).len()["len"] > 13).any()
    notes = world.decoys("ACUTE_DIALYSIS", "xml5").filter(pl.col("dien_bien_ls").str.contains("quá tải"))
    assert notes.select(KEY).n_unique() == claims.height, "each has its reason written down"


def test_second_eye(world: World) -> None:
    claims = of(world, "SECOND_EYE").select("ma_the_bhyt", "ngay_vao")
    phaco = world.xml3.filter(pl.col("ten_dich_vu").str.contains("Phaco")).select(KEY).unique()
    stays = world.xml1.join(phaco, on=KEY).select("ma_the_bhyt", first="ngay_vao")
    gap = claims.join(stays, on="ma_the_bhyt").select((pl.col("ngay_vao") - pl.col("first")).dt.total_days())
    days = gap.to_series().filter(gap.to_series() > 0)
    assert len(days) > 0
    assert days.is_between(9, 22).any()


def test_stroke_rehab_step_down(world: World) -> None:
    claims = of(world, "STROKE_REHAB_STEP_DOWN")
    assert (claims["ma_benh_chinh"] == "I69.3").all()
    before = world.xml1.filter(pl.col("ma_benh_chinh") == "I63.9").select("ma_the_bhyt", out="ngay_ra")
    both = claims.join(before, on="ma_the_bhyt").filter(
        (pl.col("ngay_vao") - pl.col("out")).is_between(timedelta(0), timedelta(days=6))
    )
    assert both.height >= 0.6 * claims.height, "the stroke stay may have got into a scheme"


def test_reoperation_same_day(world: World) -> None:
    claims = of(world, "REOPERATION_SAME_DAY")
    assert claims["ma_benh_kt"].str.contains("T81.0").all()
    surgery = world.decoys("REOPERATION_SAME_DAY", "xml3").filter(pl.col("ma_nhom") == "8")
    twice = surgery.group_by(*KEY, pl.col("ngay_th_yl").dt.date()).len().filter(pl.col("len") >= 2)
    assert twice.height == claims.height


def test_bulk_entry_after_outage(world: World) -> None:
    claims = of(world, "BULK_ENTRY_AFTER_OUTAGE")
    assert ((claims["ngay_ra"] - claims["ngay_vao"]) <= timedelta(minutes=3)).all()
    per_day = claims.sort("ngay_vao").group_by("ma_cskcb", pl.col("ngay_vao").dt.date()).agg(
        (pl.col("ngay_vao").max() - pl.col("ngay_vao").min()).alias("span"), pl.len()
    )  # fmt: skip
    assert (per_day["span"] <= per_day["len"] * timedelta(minutes=3)).all()
    lines = world.decoys("BULK_ENTRY_AFTER_OUTAGE", "xml3")
    assert (lines["ngay_yl"] == lines["ngay_kq"]).all()


def test_disaster_week(world: World) -> None:
    claims = of(world, "DISASTER_WEEK")
    exams = world.decoys("DISASTER_WEEK", "xml3").filter(pl.col("ma_nhom") == "13")
    assert exams.height == claims.height
    assert ((exams["ngay_kq"] - exams["ngay_th_yl"]) <= timedelta(minutes=4)).all()
    day = ["ma_cskcb", "ma_bac_si", pl.col("ngay_th_yl").dt.date()]
    busy = exams.group_by(*day).len()["len"].max()
    usual = world.honest("xml3").filter(pl.col("ma_nhom") == "13").group_by(*day).len()["len"].median()
    assert isinstance(busy, int)
    assert isinstance(usual, float)
    assert busy >= 2 * usual


def test_newborn_on_mothers_card(world: World) -> None:
    babies = of(world, "NEWBORN_ON_MOTHERS_CARD")
    mothers = world.xml1.filter(pl.col("ma_benh_chinh").is_in(["O80", "O82"]))
    both = babies.join(mothers, on=["ma_cskcb", "ma_the_bhyt"], suffix="_m").filter(
        (pl.col("ngay_vao") > pl.col("ngay_vao_m")) & (pl.col("ngay_vao") < pl.col("ngay_ra_m"))
    )
    assert both.height >= 0.8 * babies.height, "two people on one card at one time"
    assert (both["ma_bn"] != both["ma_bn_m"]).all()
    assert (babies["ngay_sinh"].str.slice(0, 8).str.to_date("%Y%m%d") <= babies["ngay_vao"].dt.date()).all()


def test_family_together(world: World) -> None:
    claims = of(world, "FAMILY_TOGETHER")
    same = world.xml1.select("ma_cskcb", "dien_thoai", "ma_the_bhyt", other="ngay_vao")
    near = claims.join(same, on=["ma_cskcb", "dien_thoai"]).filter(
        (pl.col("ma_the_bhyt") != pl.col("ma_the_bhyt_right"))
        & ((pl.col("ngay_vao") - pl.col("other")).abs() < timedelta(hours=2))
    )
    assert near.select(KEY).n_unique() == claims.height


def test_vendor_duplicate_lines(world: World) -> None:
    claims = of(world, "VENDOR_DUPLICATE_LINES")
    notes = world.decoys("VENDOR_DUPLICATE_LINES", "xml5")
    again = notes.filter(pl.struct(*KEY, "thoi_diem_dbls", "dien_bien_ls").is_duplicated()).select(KEY)
    lines = world.decoys("VENDOR_DUPLICATE_LINES", "xml3").filter(pl.col("thanh_tien_bv") == 0)
    repeated = lines.filter(pl.struct(*KEY, "ma_dich_vu", "ngay_th_yl").is_duplicated()).select(KEY)
    assert pl.concat([again, repeated]).unique().height == claims.height


def test_wrong_death_date(world: World) -> None:
    claims = of(world, "WRONG_DEATH_DATE")
    cards = world.catalogue("cards").filter(pl.col("deceased_on") != "")
    registered = claims.join(cards, on="ma_the_bhyt")
    assert registered.height == claims.height
    assert (registered["deceased_on"].str.to_date() < registered["ngay_vao"].dt.date()).all()
    truly = world.of("CARD_DECEASED")["ma_the_bhyt"].n_unique() / 5  # the world is five times as thick in schemes
    assert claims["ma_the_bhyt"].n_unique() > 4 * truly


def test_machine_swap(world: World) -> None:
    claims = of(world, "MACHINE_SWAP")
    known = world.catalogue("machines")["ma_may"].unique()
    lines = world.decoys("MACHINE_SWAP", "xml3").filter(
        (pl.col("ma_may") != "") & ~pl.col("ma_may").is_in(known.implode())
    )
    assert lines.select(KEY).n_unique() == claims.height
    assert number(lines.group_by("ma_cskcb").agg(pl.col("ma_may").n_unique())["ma_may"].max()) <= 3


def test_referral_rare(world: World) -> None:
    claims = of(world, "REFERRAL_RARE")
    assert (claims["ma_benh_chinh"] == "D66").all()
    usual = world.honest().filter(pl.col("ma_loai_kcb") == "03")["t_bhtt"].quantile(0.99)
    assert (claims["t_bhtt"] > usual).all()


def test_company_check_coded(world: World) -> None:
    claims = of(world, "COMPANY_CHECK_CODED")
    assert (claims["ma_loai_kcb"] == "15").all()
    assert (claims["ma_benh_chinh"] == "Z10.0").all()
    assert world.decoys("COMPANY_CHECK_CODED", "xml2").height == 0
    assert number(claims.group_by("ma_cskcb", pl.col("ngay_vao").dt.date()).len()["len"].max()) >= 3


def test_ninety_day_supply(world: World) -> None:
    claims = of(world, "NINETY_DAY_SUPPLY")
    assert (claims["so_ngay_dtri"] == 90).all()
    drugs = world.decoys("NINETY_DAY_SUPPLY", "xml2")
    assert drugs["lieu_dung"].str.contains("90 ngày").all()
    usual = world.honest("xml2").group_by("ma_thuoc").agg(pl.col("so_luong").quantile(0.5).alias("usual"))
    pills = drugs.filter(pl.col("don_vi_tinh") == "viên").join(usual, on="ma_thuoc")
    assert number((pills["so_luong"] >= 2 * pills["usual"]).mean()) > 0.7


def test_tidy_fast_doctor(world: World) -> None:
    claims = of(world, "TIDY_FAST_DOCTOR")
    exams = world.decoys("TIDY_FAST_DOCTOR", "xml3").filter(pl.col("ma_nhom") == "13")
    assert exams.height == claims.height
    assert number((exams["ngay_th_yl"].dt.minute() % 5 == 0).mean()) > 0.6
    assert ((exams["ngay_kq"] - exams["ngay_th_yl"]) <= timedelta(minutes=6)).all()


def test_missing_phone_batch(world: World) -> None:
    claims = of(world, "MISSING_PHONE_BATCH")
    assert (claims["dien_thoai"] == "").all()
    assert number(claims.group_by("ma_cskcb").len()["len"].max()) >= 3


def test_rounding_difference(world: World) -> None:
    claims = of(world, "ROUNDING_DIFFERENCE")
    columns = [*KEY, "t_bhtt"]
    lines = pl.concat([world.xml2.select(columns), world.xml3.select(columns)])
    sums = lines.group_by(KEY).agg(pl.col("t_bhtt").sum().alias("lines"))
    off = claims.join(sums, on=KEY).select((pl.col("t_bhtt") - pl.col("lines")).abs().round(2).alias("off"))["off"]
    assert off.max() == pytest.approx(0.06, abs=0.051)
    assert (off > 0).all()


def test_on_request_care(world: World) -> None:
    claims = of(world, "ON_REQUEST_CARE")
    beds = world.decoys("ON_REQUEST_CARE", "xml3").filter(pl.col("ma_nhom") == "15")
    assert beds["ma_giuong"].str.starts_with("C").all()
    assert (beds["don_gia_bv"] > beds["don_gia_bh"]).all()
    assert (claims["t_bntt"] > 0).all()


def test_late_settlement(world: World) -> None:
    claims = of(world, "LATE_SETTLEMENT")
    left = claims["ngay_ttoan"].str.slice(4, 2).cast(pl.Int64)
    assert (claims["thang_qt"].cast(pl.Int64) == left % 12 + 1).all()
