"""Services: operations at their lawful share, and services and diagnoses that fit the person."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY, reference
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import SURGERY_PRICE, TEST_PRICE, exam, service, stay, surgery, visit
from detectors.expressions import (
    SERVICES,
    SURGERY,
    days_between,
    encounter_hits,
    line_hits,
    lines,
    minutes_between,
    money,
    with_encounter,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables

SECOND, QUANTITY, SEX, AGE = facts("SRV-01"), facts("SRV-03"), facts("SRV-30"), facts("SRV-31")


@rule(
    id="SRV-01",
    version=1,
    scheme="MULTI_SURGERY_FULL",
    severity="deny",
    title_vi="Phẫu thuật thứ hai cùng cuộc mổ tính quá tỷ lệ",
    title_en="Second surgery above its ratio",
    reason_vi="Phẫu thuật thứ hai trong cùng cuộc mổ tính {observed}% giá (tối đa {allowed}%).",
    reason_en="The second surgery of one operation is charged at {observed}% of its price (at most {allowed}%).",
    legal_basis="TT35/2016 Đ4d k2; CV266 KT08 (T.008.667)",
    needs=("service_line.ma_nhom", "service_line.tyle_tt_dv"),
    known_gaps_vi=(
        "Phẫu thuật đắt nhất của cuộc mổ được tính đủ. Không có giờ kết thúc thì chỉ tính phút bắt đầu; giờ bắt đầu "
        "để trống thì không xét. Mổ lại thật sự trong vòng 15 phút trông cũng như vậy. Nhóm 8 của chuẩn 4210 có cả "
        "thủ thuật, nên không xét hồ sơ đó."
    ),
    known_gaps_en=(
        "The dearest surgery of the operation is the full one. Without an end time a surgery counts as its start "
        "minute; a blank start is not judged. A true re-operation within 15 minutes looks the same. The 4210 group 8 "
        "also holds procedures, so those claims are not judged."
    ),
    examples=(
        hit(
            "hai phẫu thuật cùng lúc, cùng kíp, đều tính đủ",
            "two operations at once, same team, both in full",
            stay(),
            surgery("2025-03-11 08:00"),
            surgery("2025-03-11 08:30", price=2_000_000, ma_dich_vu="10.0464.0464"),
            amount=2_000_000 * 0.8 * 0.5,
        ),
        hit(
            "kíp mổ khác",
            "another team",
            stay(),
            surgery("2025-03-11 08:00"),
            surgery("2025-03-11 09:10", price=2_000_000, nguoi_thuc_hien="009/CCHN"),
            amount=2_000_000 * 0.8 * 0.2,
        ),
        clear(
            "phẫu thuật thứ hai tính một nửa",
            "second at half",
            stay(),
            surgery("2025-03-11 08:00"),
            surgery("2025-03-11 08:30", ratio=50),
        ),
        clear(
            "phẫu thuật thứ hai do kíp khác, tính 80%",
            "second by another team at 80%",
            stay(),
            surgery("2025-03-11 08:00"),
            surgery("2025-03-11 08:30", ratio=80, nguoi_thuc_hien="009/CCHN"),
        ),
        clear(
            "mổ lại vào buổi tối",
            "re-operation in the evening",
            stay(),
            surgery("2025-03-11 08:00"),
            surgery("2025-03-11 19:00"),
        ),
        not_evaluable("thiếu tỷ lệ thanh toán", "no ratio", stay(), surgery("2025-03-11 08:00", tyle_tt_dv=None)),
    ),
)
def second_surgery(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Surgeries that overlap or follow at once a dearer one of the same encounter and are charged above their share."""
    columns = ("ma_nhom", "don_gia_bh", "tyle_tt_dv", "ngay_th_yl", "ngay_kq", "nguoi_thuc_hien", "t_bhtt", "standard")
    cut = (
        lines(tables, SERVICES, *columns)
        .filter(
            nw.col("ma_nhom") == SURGERY,
            nw.col("standard") == "130",
            money("t_bhtt") > 0,
            money("tyle_tt_dv") > SECOND.same,
            ~nw.col("ngay_th_yl").is_null(),
        )
        .select(
            *ENCOUNTER_KEY,
            "line_table",
            "row_no",
            "t_bhtt",
            ratio=money("tyle_tt_dv"),
            price=money("don_gia_bh"),
            start=nw.col("ngay_th_yl"),
            end=nw.max_horizontal(nw.col("ngay_th_yl"), nw.col("ngay_kq")),
            team=nw.col("nguoi_thuc_hien").fill_null(""),
        )
    )
    other = cut.select(*ENCOUNTER_KEY, **{f"o_{c}": nw.col(c) for c in ("row_no", "price", "start", "end", "team")})
    dearer = (nw.col("o_price") > nw.col("price")) | (
        (nw.col("o_price") == nw.col("price")) & (nw.col("o_row_no") < nw.col("row_no"))
    )
    follows = minutes_between(nw.col("o_end"), nw.col("start")) <= SECOND.gap_min
    precedes = minutes_between(nw.col("end"), nw.col("o_start")) <= SECOND.gap_min
    # An unknown team gets the milder limit.
    same_team = (nw.col("team") == nw.col("o_team")) & (nw.col("team") != "")
    found = (
        cut.join(other, on=list(ENCOUNTER_KEY), how="inner")
        .filter(dearer, follows, precedes)
        .with_columns(limit=nw.when(same_team).then(nw.lit(float(SECOND.same))).otherwise(nw.lit(float(SECOND.other))))
        .group_by(*ENCOUNTER_KEY, "line_table", "row_no", "t_bhtt", "ratio")
        .agg(nw.col("limit").min())
        .filter(nw.col("ratio") > nw.col("limit"))
    )
    ratio, limit = nw.col("ratio"), nw.col("limit")
    return line_hits(found, amount=(ratio - limit) / ratio * money("t_bhtt"), observed=ratio, allowed=limit)


@rule(
    id="SRV-03",
    version=1,
    scheme="DUP_LINE",
    severity="warn",
    title_vi="Phẫu thuật có số lượng lớn hơn 1",
    title_en="Surgery quantity above 1",
    reason_vi="Dòng phẫu thuật có số lượng {observed} (thông thường {allowed}).",
    reason_en="A surgery line has the quantity {observed} (normally {allowed}).",
    legal_basis="TT35/2016 Đ4d k2",
    needs=("service_line.ma_nhom", "service_line.so_luong"),
    known_gaps_vi=(
        "Cho phép hai khi có mã vị trí cơ thể hoặc tên ghi hai bên. Nhóm 8 của chuẩn 4210 có cả thủ thuật, nên không "
        "xét hồ sơ đó."
    ),
    known_gaps_en=(
        "Two are allowed where a body site is coded or the name speaks of both sides. The 4210 group 8 also holds "
        "procedures, so those claims are not judged."
    ),
    examples=(
        hit(
            "ba lần cắt ruột thừa",
            "three appendectomies",
            stay(),
            surgery("2025-03-11 08:00", quantity=3),
            amount=2 * SURGERY_PRICE * 0.8,
        ),
        clear("một lần", "one", stay(), surgery("2025-03-11 08:00")),
        clear(
            "mổ hai bên",
            "both sides",
            stay(),
            surgery("2025-03-11 08:00", quantity=2, ten_dich_vu="Phẫu thuật thoát vị bẹn hai bên"),
        ),
        not_evaluable("thiếu số lượng", "no quantity", stay(), surgery("2025-03-11 08:00", so_luong=None)),
    ),
)
def surgery_quantity(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid surgery lines with a quantity above one, two where both sides are meant."""
    sided = ~nw.col("vi_tri_th_dvkt").is_null() | nw.col("ten_dich_vu").fill_null("").str.contains(QUANTITY.both_sides)
    columns = ("ma_nhom", "so_luong", "ten_dich_vu", "vi_tri_th_dvkt", "t_bhtt", "standard")
    found = (
        lines(tables, SERVICES, *columns)
        .filter(nw.col("ma_nhom") == SURGERY, nw.col("standard") == "130", money("t_bhtt") > 0)
        .with_columns(
            limit=nw.when(sided).then(nw.lit(float(QUANTITY.max_both_sides))).otherwise(nw.lit(float(QUANTITY.max)))
        )
        .filter(money("so_luong") > nw.col("limit"))
    )
    share = (money("so_luong") - nw.col("limit")) / money("so_luong")
    return line_hits(found, amount=share * money("t_bhtt"), observed=money("so_luong"), allowed=nw.col("limit"))


@rule(
    id="SRV-30",
    version=1,
    scheme="SEX_AGE_MISMATCH",
    severity="warn",
    title_vi="Dịch vụ không phù hợp giới",
    title_en="Service not for this sex",
    reason_vi="Dịch vụ dành cho giới khác với giới tính ghi trên hồ sơ (mã {observed}).",
    reason_en="The service is for the sex other than the one on the claim (code {observed}).",
    legal_basis="TT12/2026 Đ10 k1 k",
    needs=("encounter.gioi_tinh", "service_line.ma_nhom"),
    known_gaps_vi=(
        "Xét theo tên có dấu, cho đến khi danh mục dịch vụ ghi giới: chỉ cảnh báo, không từ chối. Tên liệt kê cơ quan "
        "của một vùng (tiết niệu, tiểu khung, ổ bụng) dùng cho cả hai giới. Bỏ qua trẻ sơ sinh và giới tính mã 3. "
        "Giới tính mặc định sai khi tiếp đón trông cũng như vậy."
    ),
    known_gaps_en=(
        "By name, with accents kept, until a service catalogue gives the sex: a warning and not a refusal. Names that "
        "list the organs of a region (urinary tract, pelvis, abdomen) are for both sexes. Newborns and sex code 3 are "
        "passed over. A wrong default sex at reception looks the same."
    ),
    examples=(
        hit(
            "siêu âm sản khoa cho nam",
            "obstetric ultrasound of a man",
            visit(gioi_tinh=1),
            service(ma_nhom=2, ten_dich_vu="SIÊU ÂM TỬ CUNG PHẦN PHỤ"),
            amount=TEST_PRICE * 0.8,
        ),
        clear(
            "siêu âm sản khoa cho nữ",
            "of a woman",
            visit(gioi_tinh=2),
            service(ma_nhom=2, ten_dich_vu="Siêu âm tử cung phần phụ"),
        ),
        clear(
            "siêu âm tiết niệu, tên có ghi tiền liệt tuyến",
            "urinary tract, which names the prostate",
            visit(gioi_tinh=2),
            service(ma_nhom=2, ten_dich_vu="Siêu âm hệ tiết niệu (thận, bàng quang, tiền liệt tuyến)"),
        ),
        clear(
            "không xác định giới tính",
            "sex undetermined",
            visit(gioi_tinh=3),
            service(ten_dich_vu="Sinh thiết tinh hoàn"),
        ),
        not_evaluable("thiếu giới tính", "no sex", visit(gioi_tinh=None), exam()),
    ),
)
def service_of_other_sex(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid services whose name belongs to the other sex."""
    name, sex = nw.col("ten_dich_vu").fill_null(""), nw.col("e_gioi_tinh")
    age_days = days_between(nw.col("e_ngay_sinh").cast(nw.Datetime("us")), nw.col("e_ngay_vao"))
    hers, his = name.str.contains(SEX.female), name.str.contains(SEX.male)
    found = with_encounter(
        lines(tables, SERVICES, "ten_dich_vu", "t_bhtt").filter(hers | his, ~name.str.contains(SEX.exempt_names)),
        tables,
        "gioi_tinh",
        "ngay_sinh",
        "ngay_vao",
    ).filter(
        ((sex == 1) & hers & ~his) | ((sex == 2) & his & ~hers),
        ~(age_days < SEX.newborn_days).fill_null(value=False),
        money("t_bhtt") > 0,
    )
    return line_hits(found, amount=money("t_bhtt"), observed=sex, allowed=nw.lit(None, dtype=nw.Float64))


@cache
def _flagged(annex: str) -> tuple[str, ...]:
    """ICD-10 codes without the dot that the annex of QĐ 4469 lists."""
    return tuple(r["icd10_nodot"] for r in reference("icd10_edit_flags") if annex in r["annexes"].split("|"))


@rule(
    id="SRV-31",
    version=1,
    scheme="SEX_AGE_MISMATCH",
    severity="warn",
    title_vi="Mã bệnh chính không phù hợp giới, tuổi",
    title_en="Main diagnosis wrong for sex or age",
    reason_vi="Mã bệnh chính không phù hợp giới tính hoặc tuổi ({observed} tuổi) của người bệnh.",
    reason_en="The main diagnosis does not fit the patient's sex or age ({observed} years).",
    legal_basis="QĐ 4469/QĐ-BYT 2020 (TT06/2026 từ 01/07/2026)",
    needs=("encounter.ma_benh_chinh", "encounter.gioi_tinh", "encounter.ngay_sinh", "encounter.ngay_vao"),
    known_gaps_vi=(
        "Chỉ xét bệnh chính; mọi giới hạn tuổi được nới một năm, vì nhiều ngày sinh chỉ có năm. Không xét giới hạn "
        "theo ngày và trong năm đầu (phụ lục A3.5, A3.6) và mã không được làm bệnh chính (A2). Mã sơ sinh trên hồ sơ "
        "của phụ nữ 13 đến 55 tuổi được coi là mẹ và con. Di chứng giữ mã bệnh thời nhỏ."
    ),
    known_gaps_en=(
        "Main diagnosis only; a year of slack on every age bound, since many birth dates hold only the year. Limits "
        "in days and in the first year (annexes A3.5, A3.6) and codes that may not be main (A2) are not judged. "
        "Newborn codes on the record of a woman of 13 to 55 are taken as mother and child. Sequels keep childhood "
        "codes."
    ),
    examples=(
        hit("nam mang mã thai nghén", "pregnancy of a man", visit(ma_benh_chinh="O26.9", gioi_tinh=1), exam()),
        hit(
            "uốn ván sơ sinh ở người 40 tuổi", "newborn tetanus at 40", visit(ma_benh_chinh="A33", gioi_tinh=1), exam()
        ),
        clear("nữ mang mã thai nghén", "pregnancy of a woman", visit(ma_benh_chinh="O26.9", gioi_tinh=2), exam()),
        clear(
            "mã sơ sinh trên hồ sơ của mẹ",
            "newborn code on the mother's record",
            visit(ma_benh_chinh="P59.9", gioi_tinh=2),
            exam(),
        ),
        clear("viêm phổi", "pneumonia", visit(), exam()),
        not_evaluable("không có ngày sinh", "no birth date", visit(ngay_sinh=None), exam()),
    ),
)
def diagnosis_of_another(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Encounters whose main diagnosis is flagged for the other sex or for an age the patient is far from."""
    code, age, sex = nw.col("code"), nw.col("age"), nw.col("gioi_tinh")
    wrong = (code.is_in(_flagged("A4.1")) & (sex == 1)) | (code.is_in(_flagged("A4.2")) & (sex == 2))
    motherly = code.str.contains("^P") & (sex == 2) & (age >= 13) & (age <= 55)
    for annex, (youngest, oldest) in AGE.age_bounds.items():
        outside = (age < youngest - AGE.age_slack_years) | (age > oldest + AGE.age_slack_years)
        wrong = wrong | (code.is_in(_flagged(annex)) & outside & ~motherly)
    born = nw.col("ngay_sinh").cast(nw.Datetime("us"))
    found = (
        tables.encounter.filter(money("t_bhtt") > 0)
        .with_columns(
            code=nw.col("ma_benh_chinh").str.strip_chars().str.to_uppercase().str.replace_all(r"[^A-Z0-9]", ""),
            age=days_between(born, nw.col("ngay_vao")) / 365.25,
        )
        .filter(age >= 0, wrong)
    )
    years = age.floor()
    return encounter_hits(found, amount=money("t_bhtt"), observed=years, allowed=nw.lit(None, dtype=nw.Float64))
