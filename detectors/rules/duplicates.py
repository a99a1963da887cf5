"""Duplicates: one line twice in a claim, one claim twice under two numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY, reused
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import EXAM_PRICE, PILL_PRICE, TEST_PRICE, drug, exam, service, stay, visit
from detectors.expressions import (
    DRUGS,
    SERVICES,
    SURGERY,
    care_type,
    day,
    earlier_pairs,
    icd_in,
    line_hits,
    lines,
    minutes_between,
    money,
    named,
    pair_hits,
    with_encounter,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables

SAME_LINE, SAME_CLAIM = facts("TOT-11"), facts("TOT-10")
TWO_SIDED_GROUPS = (2, 3, SURGERY, 18)

_SAME_MINUTE: dict[str, Any] = {"ngay_yl": "2025-03-10 08:30", "ngay_th_yl": "2025-03-10 08:40"}


def _coded(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Every line that has a code, whatever its table, and a quantity."""
    held = ("so_luong", "t_bhtt", "ngay_yl")
    service = nw.coalesce(nw.col("ma_vat_tu"), nw.col("ma_dich_vu"))
    drugs = lines(tables, DRUGS, "ma_thuoc", *held).with_columns(code=nw.col("ma_thuoc").str.strip_chars())
    services = lines(tables, SERVICES, "ma_vat_tu", "ma_dich_vu", *held).with_columns(code=service.str.strip_chars())
    columns = [*ENCOUNTER_KEY, "line_table", "code", *held]
    return nw.concat([drugs.select(columns), services.select(columns)]).filter(
        ~nw.col("code").is_null(), ~nw.col("so_luong").is_null()
    )


def _items(tables: ClaimTables, of: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """The lines of the encounters `of` with one code whatever their table, and what tells two of them apart."""
    shared = ("ma_nhom", "so_luong", "t_bhtt", "ngay_yl", "ngay_th_yl", "ma_bac_si", "tt_thau")
    blank = nw.lit("")

    def text(column: str) -> nw.Expr:
        return nw.col(column).fill_null("")

    drugs = tables.drug_line.join(of, on=list(ENCOUNTER_KEY), how="semi").select(
        *ENCOUNTER_KEY,
        "row_no",
        *shared,
        line_table=nw.lit("drug_line"),
        code=nw.col("ma_thuoc").str.strip_chars(),
        name=text("ten_thuoc"),
        price=money("don_gia"),
        ratio=nw.lit(100.0),
        mark=nw.concat_str([text("so_dang_ky"), text("ham_luong"), text("lieu_dung")], separator="|"),
        site=blank,
    )
    services = tables.service_line.join(of, on=list(ENCOUNTER_KEY), how="semi").select(
        *ENCOUNTER_KEY,
        "row_no",
        *shared,
        line_table=nw.lit("service_line"),
        code=nw.coalesce(nw.col("ma_vat_tu"), nw.col("ma_dich_vu")).str.strip_chars(),
        name=text("ten_dich_vu"),
        price=money("don_gia_bh"),
        ratio=money("tyle_tt_dv"),
        mark=nw.concat_str(
            [text("ma_hieu_sp"), text("goi_vtyt"), text("ma_may"), text("nguoi_thuc_hien"), text("ma_giuong")],
            separator="|",
        ),
        site=nw.col("vi_tri_th_dvkt").cast(nw.String).fill_null(""),
    )
    return nw.concat([drugs, services])


@rule(
    id="TOT-11",
    version=1,
    scheme="DUP_LINE",
    severity="warn",
    title_vi="Trùng dòng trong hồ sơ",
    title_en="Duplicate line in a claim",
    reason_vi=(
        "Dòng giống hệt một dòng khác của hồ sơ (lần thứ {observed}): cùng mã, giờ y lệnh, người chỉ định, số lượng."
    ),
    reason_en=(
        "The line repeats another of the claim (number {observed}): same code, order time, practitioner, quantity."
    ),
    legal_basis="TT12/2026 Đ10 k1 k; ND90 Đ86",
    needs=("drug_line.ngay_yl", "service_line.ngay_yl", "drug_line.so_luong", "service_line.so_luong"),
    known_gaps_vi=(
        "Bỏ qua: đường huyết và khí máu lặp lại, dịch vụ ở bộ phận có đôi (thường không ghi bên nào), một lần cấp "
        "chia hai lô (khác gói thầu, số đăng ký, giá hoặc số lượng), thuốc nội trú không ghi giờ thực hiện (các liều "
        "trong ngày). Mã cũ và mã mới của một dịch vụ không được nhận ra là một. Lỗi xuất dữ liệu lặp dòng ở nhiều cơ "
        "sở cùng nhà cung cấp phần mềm trông cũng như vậy: xem phần mềm trước khi xem cơ sở."
    ),
    known_gaps_en=(
        "Passed over: repeated glucose and blood gas, services on paired organs (the side is often not coded), two "
        "lots of one dispense (another tender, registration, price or quantity), inpatient drugs without an execution "
        "time (doses of one day). An old and a new code of one service are not recognised as the same. An export "
        "fault that repeats lines at many facilities of one vendor looks the same: check the vendor before the "
        "facility."
    ),
    examples=(
        hit(
            "một xét nghiệm hai lần trong cùng phút",
            "one test twice in the same minute",
            visit(),
            service(**_SAME_MINUTE),
            service(**_SAME_MINUTE),
            amount=TEST_PRICE * 0.8,
        ),
        hit(
            "một thuốc hai lần",
            "one drug twice",
            visit(),
            drug(ngay_yl="2025-03-10 08:30", ngay_th_yl=None),
            drug(ngay_yl="2025-03-10 08:30", ngay_th_yl=None),
            amount=20 * PILL_PRICE * 0.8,
        ),
        clear("cùng xét nghiệm vào lúc sau", "the same test later", visit(), service(), service()),
        clear(
            "một lần cấp chia hai lô",
            "two lots of one dispense",
            visit(),
            drug(ngay_yl="2025-03-10 08:30", ngay_th_yl=None, quantity=12),
            drug(ngay_yl="2025-03-10 08:30", ngay_th_yl=None, quantity=8),
        ),
        clear(
            "hai khớp gối",
            "both knees",
            visit(),
            *(service(ma_nhom=2, ten_dich_vu="Chụp X-quang khớp gối", **_SAME_MINUTE) for _ in range(2)),
        ),
        clear(
            "các liều trong ngày tại khoa",
            "doses of one day on the ward",
            stay(),
            drug(ngay_yl="2025-03-10 08:30", ngay_th_yl=None),
            drug(ngay_yl="2025-03-10 08:30", ngay_th_yl=None),
        ),
        not_evaluable("thiếu thời điểm y lệnh", "no time of order", visit(), service(ngay_yl=None)),
    ),
)
def duplicate_line(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid lines equal to an earlier line of the same encounter in everything that would tell them apart."""
    dated = (money("t_bhtt") > 0, ~nw.col("ngay_yl").is_null())
    moment = [*ENCOUNTER_KEY, "line_table", "code", "ngay_yl"]
    # Grouping on the short key first keeps the wide one to the few lines that can be duplicates at all.
    close = reused(
        _coded(tables).filter(*dated).group_by(*moment).agg(alike=nw.len()).filter(nw.col("alike") > 1).select(*moment)
    )
    paid = with_encounter(_items(tables, close.select(*ENCOUNTER_KEY)), tables, "ma_loai_kcb").filter(
        *dated, ~nw.col("so_luong").is_null()
    )
    two_sided = (
        nw.col("ma_nhom").is_in(TWO_SIDED_GROUPS)
        & (nw.col("site") == "")
        & nw.col("name").str.contains(SAME_LINE.two_sided)
    )
    ward_dose = (
        (nw.col("line_table") == "drug_line")
        & nw.col("ngay_th_yl").is_null()
        & ~care_type("e_ma_loai_kcb").is_in(["01", "05", "07", "08"]).fill_null(value=False)
    )
    same = ("so_luong", "ngay_th_yl", "ma_bac_si", "tt_thau", "price", "ratio", "mark", "site")
    found = (
        paid.join(close, on=moment, how="semi")
        .filter(~named("name", SAME_LINE.exempt), ~two_sided, ~ward_dose)
        .with_columns(copy=nw.col("ma_lk").cum_count().over(*moment, *same, order_by="row_no"))
        .filter(nw.col("copy") > 1)
    )
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("copy"), allowed=nw.lit(1.0))


@rule(
    id="TOT-10",
    version=1,
    scheme="DUP_CLAIM",
    severity="deny",
    title_vi="Hồ sơ nghi trùng nội dung",
    title_en="Two claims with the same content",
    reason_vi=(
        "Các dòng trùng {observed} với một hồ sơ khác của cùng người bệnh, cùng cơ sở trong 3 ngày (ngưỡng {allowed})."
    ),
    reason_en=(
        "The lines agree to {observed} with another claim of this patient here within 3 days (threshold {allowed})."
    ),
    legal_basis="TT12/2026 Đ10 k1 h; ND90 Đ88",
    needs=("encounter.patient_id", "encounter.ngay_vao", "drug_line.so_luong", "service_line.so_luong"),
    known_gaps_vi=(
        "Bỏ qua đợt có chu kỳ (lọc máu, hóa trị, truyền máu, phục hồi chức năng) vào các ngày khác nhau. Bản chép dời "
        "sang tháng sau, hoặc sang điểm khác của cùng hệ thống, thì không thấy."
    ),
    known_gaps_en=(
        "Planned cycles (dialysis, chemotherapy, transfusion, rehabilitation) on different days are passed over. A "
        "copy moved to the next month, or to another site of the group, is not seen."
    ),
    examples=(
        hit(
            "hôm sau lại đúng năm dòng đó",
            "the same five lines the next day",
            *(
                row
                for arrived in ("2025-03-10 08:00", "2025-03-11 09:00")
                for row in (
                    visit(arrived),
                    exam(),
                    *(service(ma_dich_vu=f"23.000{n}.1493", price=TEST_PRICE) for n in range(4)),
                )
            ),
            amount=(4 * TEST_PRICE + EXAM_PRICE) * 0.8,
        ),
        clear(
            "lọc máu cách ngày",
            "dialysis every other day",
            *(
                row
                for arrived in ("2025-03-10 08:00", "2025-03-12 08:00")
                for row in (
                    visit(arrived, ma_benh_chinh="N18.5"),
                    *(service(ma_dich_vu=f"23.000{n}.1493") for n in range(4)),
                )
            ),
        ),
        clear(
            "lĩnh thuốc sau một tháng",
            "refill a month later",
            *(
                row
                for arrived in ("2025-03-10 08:00", "2025-04-08 08:00")
                for row in (visit(arrived), *(drug(ma_thuoc=f"40.{n}") for n in range(4)))
            ),
        ),
        clear(
            "hai dòng thì quá ít để kết luận",
            "two lines are too few to tell",
            visit(),
            exam(),
            drug(),
            visit("2025-03-11 08:00"),
            exam(),
            drug(),
        ),
        not_evaluable("thiếu mã người bệnh", "no patient", visit(patient_id=None), exam()),
    ),
)
def duplicate_claim(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Later claims whose set of (code, quantity) is nearly that of an earlier claim of the patient at the facility."""
    thing = ["code", "quantity"]
    prior = {"ma_cskcb": "p_ma_cskcb", "ma_lk": "p_ma_lk"}
    cycle = icd_in("ma_benh_chinh", SAME_CLAIM.exempt) & (day(nw.col("ngay_vao")) != day(nw.col("p_ngay_vao")))
    close = reused(
        earlier_pairs(tables, "ma_benh_chinh", "t_bhtt", same=("patient_id", "ma_cskcb")).filter(
            minutes_between(nw.col("p_ngay_vao"), nw.col("ngay_vao")) <= SAME_CLAIM.days * 1440,
            ~cycle,
            money("t_bhtt") > 0,
        )
    )
    either = [close.select(*ENCOUNTER_KEY), close.select(**{own: nw.col(before) for own, before in prior.items()})]
    items = reused(
        _coded(tables)
        .join(nw.concat(either).unique(), on=list(ENCOUNTER_KEY), how="semi")
        .select(*ENCOUNTER_KEY, "code", quantity=money("so_luong"))
        .unique([*ENCOUNTER_KEY, *thing])
    )
    sizes = reused(items.group_by(*ENCOUNTER_KEY).agg(size=nw.len()).filter(nw.col("size") >= SAME_CLAIM.min_lines))
    pairs = reused(
        close.join(sizes, on=list(ENCOUNTER_KEY), how="inner").join(
            sizes.rename({**prior, "size": "p_size"}), on=list(prior.values()), how="inner"
        )
    )
    pair = [*ENCOUNTER_KEY, *prior.values()]
    shared = (
        pairs.select(*pair)
        .join(items, on=list(ENCOUNTER_KEY), how="inner")
        .join(items.rename(prior), on=[*prior.values(), *thing], how="inner")
        .group_by(*pair)
        .agg(shared=nw.len())
    )
    union = nw.col("size") + nw.col("p_size") - nw.col("shared")
    found = (
        pairs.join(shared, on=pair, how="inner")
        .with_columns(alike=nw.col("shared").cast(nw.Float64) / union.cast(nw.Float64))
        .filter(nw.col("alike") >= SAME_CLAIM.jaccard)
    )
    return pair_hits(found, amount=money("t_bhtt"), observed=nw.col("alike"), allowed=nw.lit(SAME_CLAIM.jaccard))
