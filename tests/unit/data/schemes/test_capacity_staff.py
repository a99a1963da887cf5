"""Capacity, staff, time and diagnosis: more than rooms, machines, beds and people can do, and who signs for it."""

from __future__ import annotations

from datetime import time, timedelta

import polars as pl

from tests.lib.schemed import KEY, World

PERFORMER = pl.col("nguoi_thuc_hien").str.split(";").list.first()
DAY = pl.col("ngay_th_yl").dt.date().alias("day")
EXAM = pl.col("ma_nhom") == "13"


def has(scheme: str) -> pl.Expr:
    return pl.col("schemes").list.contains(scheme)


def blatant(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("intensity") == "blatant")


def minutes(first: str, second: str) -> pl.Expr:
    return (pl.col(second) - pl.col(first)).dt.total_minutes()


def staff(world: World) -> pl.DataFrame:
    return pl.read_csv(world.folder / "catalogues" / "staff.csv", infer_schema=False)


def overlapping(lines: pl.DataFrame, who: str) -> pl.DataFrame:
    """Pairs of lines of one person or machine in two claims, with the minutes they share; `scheme` of the first."""
    part = lines.select(
        *KEY, who, "schemes", "intensity", "ngay_th_yl", "ngay_kq", pl.col("ngay_th_yl").dt.date().alias("day")
    )
    pairs = part.join(part, on=["ma_cskcb", who, "day"], suffix="_b").filter(pl.col("ma_lk") != pl.col("ma_lk_b"))
    shared = pl.min_horizontal("ngay_kq", "ngay_kq_b") - pl.max_horizontal("ngay_th_yl", "ngay_th_yl_b")
    return pairs.with_columns(shared=shared.dt.total_minutes()).filter(pl.col("shared") > 0)


def test_exam_over_65(world: World) -> None:
    rows = world.of("EXAM_OVER_65", "xml3").filter(EXAM)
    assert rows.height > 0
    exams = world.xml3.filter(EXAM).with_columns(DAY, hour=pl.col("ngay_th_yl").dt.truncate("1h"))
    marked = has("EXAM_OVER_65").any().alias("marked")
    days = exams.group_by("ma_cskcb", "ma_bac_si", "day").agg(pl.len(), marked)
    guilty, other = days.filter("marked")["len"], days.filter(~pl.col("marked"))["len"]
    assert guilty.max() >= 2 * other.quantile(0.9)
    assert guilty.mean() > 2 * other.mean()
    bold = blatant(rows)
    if bold.height:
        hours = exams.join(bold.select("ma_cskcb", "ma_bac_si").unique(), on=["ma_cskcb", "ma_bac_si"])
        busiest = hours.group_by("ma_cskcb", "ma_bac_si", "hour").len()["len"].max()
        assert busiest >= 6, "several in the same few minutes"


def test_exam_too_short(world: World) -> None:
    rows = world.of("EXAM_TOO_SHORT", "xml3").with_columns(took=minutes("ngay_th_yl", "ngay_kq"))
    assert rows.height > 0
    honest = world.honest("xml3").with_columns(took=minutes("ngay_th_yl", "ngay_kq"))
    least = honest.filter(pl.col("ma_nhom").is_in(["1", "2", "3", "13", "18"])).group_by("ma_dich_vu")
    short = rows.join(least.agg(pl.col("took").min().alias("least")), on="ma_dich_vu")
    short = short.filter(pl.col("took") < pl.col("least"))
    claims = world.of("EXAM_TOO_SHORT")
    assert short.select(KEY).unique().height >= 0.8 * claims.height, "work shorter than anybody honest does it"
    bold = blatant(rows).filter(pl.col("ma_dich_vu") == "02.0495.0195")
    assert bold.filter(pl.col("took") < 210).height > 0 or not bold.height, (
        "dialysis of less than three and a half hours"
    )


def test_doctor_time_overlap(world: World) -> None:
    rows = world.of("DOCTOR_TIME_OVERLAP", "xml3")
    assert rows.height > 0
    work = world.xml3.filter(pl.col("ma_nhom").is_in(["8", "13"])).with_columns(who=PERFORMER)
    pairs = overlapping(work, "who")
    double = pairs.filter(has("DOCTOR_TIME_OVERLAP"))
    assert double.select(KEY).unique().height >= 0.85 * world.of("DOCTOR_TIME_OVERLAP").height
    surgery = overlapping(world.honest("xml3").filter(pl.col("ma_nhom") == "8").with_columns(who=PERFORMER), "who")
    assert surgery.height == 0, "nobody honest stands at two tables"
    bold = blatant(double)
    assert not bold.height or bold["shared"].max() > 15
    assert pairs.filter(has("DOCTOR_TIME_OVERLAP"), pl.col("intensity") == "subtle")["shared"].to_list() == [] or (
        pairs.filter(has("DOCTOR_TIME_OVERLAP"), pl.col("intensity") == "subtle")["shared"].min() <= 15
    )


def test_machine_over_capacity(world: World) -> None:
    rows = world.of("MACHINE_OVER_CAPACITY", "xml3").filter(pl.col("ma_may").str.contains("^(SA|XQ)"))
    assert rows.height > 0
    studies = world.xml3.filter(pl.col("ma_may").str.contains("^(SA|XQ)"))
    days = studies.with_columns(DAY).group_by("ma_may", "day")
    counts = days.agg(pl.len(), has("MACHINE_OVER_CAPACITY").any().alias("marked"))
    assert counts.filter("marked")["len"].mean() > 1.5 * counts.filter(~pl.col("marked"))["len"].mean()
    pairs = overlapping(studies, "ma_may")
    assert overlapping(world.honest("xml3").filter(pl.col("ma_may").str.contains("^(SA|XQ)")), "ma_may").height == 0
    bold = pairs.filter(has("MACHINE_OVER_CAPACITY"), pl.col("intensity") == "blatant")
    assert bold.height > 0 or not blatant(rows).height, "two people under one probe"


def test_bed_over_capacity(world: World) -> None:
    rows = world.of("BED_OVER_CAPACITY", "xml3").filter(pl.col("ma_nhom") == "15")
    assert rows.height > 0
    beds = world.xml3.filter(pl.col("ma_nhom") == "15", minutes("ngay_th_yl", "ngay_kq") > 0)
    nights = beds.with_columns(
        day=pl.date_ranges(pl.col("ngay_th_yl").dt.date(), pl.col("ngay_kq").dt.date(), closed="left")
    ).explode("day")
    census = nights.group_by("ma_cskcb", "ma_khoa", "day").agg(pl.len(), has("BED_OVER_CAPACITY").sum().alias("extra"))
    usual = census.filter(pl.col("extra") == 0).group_by("ma_cskcb", "ma_khoa").agg(pl.col("len").mean().alias("usual"))
    peaks = census.group_by("ma_cskcb", "ma_khoa").agg(pl.col("len").max(), pl.col("extra").max())
    peaks = peaks.filter(pl.col("extra") > 2).join(usual, on=["ma_cskcb", "ma_khoa"])
    assert peaks.height > 0
    assert (peaks["len"] > 1.8 * peaks["usual"]).all(), "the ward is fuller than it ever is"
    bold = blatant(rows)
    if bold.height:
        real = beds.filter(~has("BED_OVER_CAPACITY"))
        shared = bold.join(real, on=["ma_cskcb", "ma_khoa", "ma_giuong"], suffix="_b").filter(
            pl.col("ngay_th_yl") < pl.col("ngay_kq_b"), pl.col("ngay_th_yl_b") < pl.col("ngay_kq")
        )
        assert shared.height > 0, "two people in one bed"


def test_rehab_staff_overload(world: World) -> None:
    technique = pl.col("ma_khoa") == "K16", pl.col("ma_nhom") == "18"
    rows = world.of("REHAB_STAFF_OVERLOAD", "xml3").filter(technique)
    assert rows.height > 0
    work = world.xml3.filter(technique).with_columns(DAY)
    loads = work.group_by("ma_cskcb", "nguoi_thuc_hien", "day").agg(
        minutes("ngay_th_yl", "ngay_kq").sum().alias("minutes"), has("REHAB_STAFF_OVERLOAD").any().alias("marked")
    )
    assert loads.filter("marked")["minutes"].mean() > 1.25 * loads.filter(~pl.col("marked"))["minutes"].mean()
    bold = blatant(rows)
    if bold.height:
        full = (bold["ngay_th_yl"].dt.minute() == 0).mean()
        assert full > 2 * (world.honest("xml3").filter(technique)["ngay_th_yl"].dt.minute() == 0).mean()


def test_out_of_hours(world: World) -> None:
    rows = world.of("OUT_OF_HOURS")
    assert rows.height > 0
    late = pl.col("ngay_vao").dt.time() >= time(16, 45)
    closed = late | (pl.col("ngay_vao").dt.weekday() == 7) | (
        (pl.col("ngay_vao").dt.weekday() == 6) & (pl.col("ngay_vao").dt.hour() >= 13)
    )  # fmt: skip
    assert rows.filter(closed).height == rows.height
    honest = world.honest().filter(pl.col("ma_loai_kcb") == "01")
    assert honest.filter(closed).height == 0
    bold = blatant(rows)
    night = (pl.col("ngay_vao").dt.time() >= time(17, 30)) | (pl.col("ngay_vao").dt.weekday() >= 6)
    assert bold.filter(night).height == bold.height


def test_staff_unlicensed(world: World) -> None:
    codes = staff(world).select("ma_bac_si").unique()["ma_bac_si"]
    rows = (
        world.of("STAFF_UNLICENSED", "xml3").with_columns(who=pl.col("nguoi_thuc_hien").str.split(";")).explode("who")
    )
    assert rows.height > 0
    unknown = rows.filter((pl.col("who") != "") & ~pl.col("who").is_in(codes.implode()))
    assert unknown.select(KEY).unique().height == world.of("STAFF_UNLICENSED").height, "a code nobody was given"
    assert unknown["who"].str.contains(r"^\d{6}/\d{2}-CCHN$").all()
    honest = world.honest("xml3").with_columns(who=pl.col("nguoi_thuc_hien").str.split(";")).explode("who")
    assert honest.filter((pl.col("who") != "") & ~pl.col("who").is_in(codes.implode())).height == 0
    bold = blatant(rows)
    assert not bold.height or bold.filter(EXAM, ~pl.col("ma_bac_si").is_in(codes.implode())).height > 0


def test_staff_out_of_scope(world: World) -> None:
    titles = staff(world).select("ma_bac_si", "title", pl.col("specialty").alias("home")).unique("ma_bac_si")
    orders = pl.concat(
        [world.xml2.select(*KEY, "ma_bac_si", "schemes"), world.xml3.select(*KEY, "ma_bac_si", "schemes")]
    ).join(titles, on="ma_bac_si")
    mine = orders.filter(has("STAFF_OUT_OF_SCOPE"))
    assert mine.height > 0
    by_nurse = mine.filter(pl.col("title") == "DD").select(KEY).unique()
    operated = world.of("STAFF_OUT_OF_SCOPE", "xml3").filter(pl.col("ma_nhom") == "8").with_columns(ma_bac_si=PERFORMER)
    foreign = operated.join(titles, on="ma_bac_si").filter(pl.col("home") != pl.col("ma_khoa")).select(KEY).unique()
    assert pl.concat([by_nurse, foreign]).unique().height == world.of("STAFF_OUT_OF_SCOPE").height
    assert orders.filter(pl.col("schemes").list.len() == 0, pl.col("title") == "DD").height == 0


def test_staff_absent(world: World) -> None:
    rows = world.of("STAFF_ABSENT", "xml2")
    assert rows.height > 0
    weekly = staff(world).filter(pl.col("schedule") != "24/7").select("ma_cskcb", "ma_bac_si", "title", "schedule")
    at = pl.col("ngay_yl")
    off = (
        (at.dt.weekday() == 7)
        | ((at.dt.weekday() == 6) & ~pl.col("schedule").str.contains("Sat"))
        | (at.dt.hour() < 7)
        | (at.dt.hour() >= 18)
    )
    rooms = world.honest("xml3").filter(EXAM).select(pl.col("ma_bac_si")).unique()

    def away(lines: pl.DataFrame) -> pl.DataFrame:
        """Orders signed by doctors of the consultation rooms when these are closed."""
        return lines.join(weekly, on=["ma_cskcb", "ma_bac_si"]).join(rooms, on="ma_bac_si", how="semi").filter(off)

    lines = [t.select(*KEY, "ma_bac_si", "ngay_yl", "schemes") for t in (world.xml2, world.xml3)]
    signed = away(pl.concat(lines))
    mine = signed.filter(has("STAFF_ABSENT")).select(KEY).unique()
    assert mine.height == world.of("STAFF_ABSENT").height
    stays = signed.join(world.honest().filter(pl.col("ma_loai_kcb") == "03"), on=KEY, how="semi")
    assert stays.height == 0


def test_staff_two_sites(world: World) -> None:
    home = staff(world).select(pl.col("ma_bac_si").alias("who"), pl.col("ma_cskcb").alias("home"))
    lines = world.xml3.with_columns(who=PERFORMER).filter(pl.col("who") != "").join(home, on="who")
    away = lines.filter(pl.col("ma_cskcb") != pl.col("home"))
    mine = away.filter(has("STAFF_TWO_SITES"))
    assert mine.height > 0
    assert mine.select(KEY).unique().height == world.of("STAFF_TWO_SITES").height
    assert away.filter(pl.col("schemes").list.len() == 0).height == 0
    there = lines.filter(pl.col("ma_cskcb") == pl.col("home")).select("who", DAY, pl.col("ngay_th_yl").alias("other"))
    met = mine.with_columns(DAY).join(there, on=["who", "day"])
    assert met.select(KEY).unique().height >= 0.8 * mine.select(KEY).unique().height, "they worked at home that day"
    near = met.filter((pl.col("ngay_th_yl") - pl.col("other")).abs() <= timedelta(minutes=75))
    assert near.filter(pl.col("intensity") == "blatant").height > 0 or not blatant(mine).height


PAIRS = {"K21.0": "40.679", "M17.1": "40.64", "E78.5": "40.558", "M81.9": "40.1033", "G47.0": "40.1034",
         "B18.1": "40.750", "R42": "05C.130", "J44.9": "40.990"}  # fmt: skip
"""A disease and the drug it opens."""


def test_false_diag(world: World) -> None:
    claims = world.of("FALSE_DIAG")
    assert claims.height > 0
    pairs = pl.DataFrame({"code": list(PAIRS), "ma_thuoc": list(PAIRS.values())})
    named = world.xml1.select(*KEY, code=pl.col("ma_benh_kt").str.split(";")).explode("code")
    given = world.xml2.join(pairs, on="ma_thuoc").select(*KEY, "ma_thuoc", "code", "schemes")
    both = given.join(named, on=[*KEY, "code"])
    mine = both.filter(has("FALSE_DIAG")).unique([*KEY, "code"])
    assert mine.select(KEY).unique().height == claims.height, "the disease is there because the drug is"
    honest, with_code = (x.filter(pl.col("schemes").list.len() == 0).height for x in (given, both))
    assert with_code < 0.5 * honest, "elsewhere the drug is given without it"
    doctors = world.xml3.filter(EXAM).select(*KEY, "ma_bac_si").unique(KEY)
    kept = mine.join(doctors, on=KEY).group_by("ma_cskcb", "ma_bac_si").agg(pl.len(), pl.col("code").n_unique())
    assert (kept["code"] <= 2).all(), "a doctor keeps to one product or two"


def test_diag_service_mismatch(world: World) -> None:
    claims = world.of("DIAG_SERVICE_MISMATCH")
    assert claims.height > 0
    honest, mine = world.honest(), world.of("DIAG_SERVICE_MISMATCH")
    diagnosed = [c.select(*KEY, "ma_benh_chinh", "ma_benh_kt") for c in (honest, mine)]
    lines = pl.concat(
        [
            world.xml2.select(*KEY, pl.col("ma_thuoc").alias("code"), "schemes"),
            world.xml3.filter(pl.col("ma_nhom").is_in(["1", "2", "3"])).select(
                *KEY, pl.col("ma_dich_vu").alias("code"), "schemes"
            ),
        ]
    )
    known_pairs = lines.join(diagnosed[0], on=KEY).group_by("ma_benh_chinh", "code").len("seen")
    ordered = lines.join(diagnosed[1], on=KEY).join(known_pairs, on=["ma_benh_chinh", "code"], how="left")
    rare = ordered.filter(pl.col("seen").fill_null(0) <= 2).select(KEY).unique()
    assert rare.height >= 0.6 * claims.height, "an order no honest claim of the diagnosis has"


def test_sex_age_mismatch(world: World) -> None:
    claims = world.of("SEX_AGE_MISMATCH")
    assert claims.height > 0
    scans = world.xml3.filter(pl.col("ma_dich_vu") == "18.0020.0001").select(KEY)
    clotri, alfu = (world.xml2.filter(pl.col("ma_thuoc") == c).select(KEY) for c in ("40.295", "40.416"))
    year = pl.col("ngay_sinh").str.slice(0, 4).cast(pl.Int64)
    man, old, child = pl.col("gioi_tinh") == "1", year < 1975, year > 2009
    wrong = pl.concat(
        [
            world.xml1.filter(man | old | child).join(scans, on=KEY, how="semi"),
            world.xml1.filter(man).join(clotri, on=KEY, how="semi"),
            world.xml1.filter(~man | child).join(alfu, on=KEY, how="semi"),
        ]
    ).unique(KEY)
    assert wrong.filter(has("SEX_AGE_MISMATCH")).height == claims.height
    assert wrong.filter(pl.col("schemes").list.len() == 0).height == 0
    bold = blatant(claims).filter(pl.col("ma_benh_chinh").is_in(["N76.0", "O26.8", "N40"]))
    assert bold.height > 0 or blatant(claims).height < 3


def after(world: World, scheme: str) -> pl.DataFrame:
    """Lines of inpatient claims done after NGAY_RA, with the minutes between."""
    ends = world.xml1.filter(pl.col("ma_loai_kcb") == "03").select(*KEY, "ngay_ra", "ket_qua_dtri")
    columns = [*KEY, "ngay_yl", "ngay_th_yl", "schemes", "intensity"]
    lines = pl.concat([world.xml2.select(columns), world.xml3.select(columns)]).join(ends, on=KEY)
    return lines.with_columns(late=minutes("ngay_ra", "ngay_yl")).filter(
        has(scheme) | (pl.col("schemes").list.len() == 0)
    )


def test_service_after_discharge(world: World) -> None:
    claims = world.of("SERVICE_AFTER_DISCHARGE")
    assert claims.height > 0
    lines = after(world, "SERVICE_AFTER_DISCHARGE")
    honest = lines.filter(pl.col("schemes").list.len() == 0)
    assert honest.filter(pl.col("late") > 0).height == 0
    mine = lines.filter(has("SERVICE_AFTER_DISCHARGE"))
    gone, door = pl.col("late") > 60, pl.col("late").is_between(-6, 0)
    assert mine.filter(gone | door).select(KEY).unique().height == claims.height
    assert mine.filter(gone).height > 0 or mine.filter(pl.col("intensity") != "subtle").height == 0
    assert honest.filter(door).height < 0.02 * honest.height


def test_service_after_death(world: World) -> None:
    claims = world.of("SERVICE_AFTER_DEATH")
    assert claims.height > 0
    assert set(claims["ket_qua_dtri"]) == {"5"}
    mine = after(world, "SERVICE_AFTER_DEATH").filter(has("SERVICE_AFTER_DEATH"), pl.col("late") > 0)
    assert mine.select(KEY).unique().height == claims.height
    assert not blatant(mine).height or blatant(mine)["late"].max() > 12 * 60


def test_order_time_anomaly(world: World) -> None:
    claims = world.of("ORDER_TIME_ANOMALY")
    assert claims.height > 0
    columns = [*KEY, "ma_bac_si", "ngay_yl", "ngay_th_yl", "ngay_kq", "ma_nhom", "schemes", "intensity"]
    drugs = world.xml2.with_columns(ngay_kq=pl.col("ngay_th_yl"))
    lines = pl.concat([drugs.select(columns), world.xml3.select(columns)])
    mine = lines.filter(has("ORDER_TIME_ANOMALY"))
    days = mine.with_columns(day=pl.col("ngay_yl").dt.date()).group_by("ma_cskcb", "ma_bac_si", "day")
    bulk = days.agg(pl.col("ma_lk").n_unique().alias("claims"))
    assert bulk["claims"].max() >= 3
    step = mine.with_columns(minute=pl.col("ngay_yl").dt.minute() % 5)
    bold = blatant(mine)
    backwards = (pl.col("ngay_th_yl") < pl.col("ngay_yl")) | (pl.col("ngay_kq") < pl.col("ngay_th_yl"))
    assert lines.filter(pl.col("schemes").list.len() == 0).filter(backwards).height == 0
    if bold.height:
        assert bold.filter(backwards).height > 0
        minute = bold.group_by("ma_bac_si", "ngay_yl").agg(pl.col("ma_lk").n_unique().alias("claims"))
        assert minute["claims"].max() >= 3, "one minute for the whole ward"
    else:
        assert step.height > 0
