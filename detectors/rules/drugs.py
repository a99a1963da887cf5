"""Drugs: quantity against the written dose, refills against what is left, and goods the fund should not buy."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY, reused
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import PILL_PRICE, drug, stay, visit
from detectors.expressions import (
    DRUGS,
    care_type,
    days_between,
    line_hits,
    lines,
    money,
    recurring,
    with_encounter,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables

DOSE, SUPPLY, PROGRAMME = facts("DRG-01"), facts("DRG-03"), facts("DRG-39")
REFILLED = ("01", "05", "07", "08")
NOT_AN_INGREDIENT = ("", "00.0000")
LASTING = r"^[0-9]+ +(bình|lọ|ống|bút|chai|tuýp|hộp) +dùng +[0-9]+ +ngày"
_EPOCH = datetime.fromisoformat("2000-01-01")


def _part(position: int) -> nw.Expr:
    """A part of LIEU_DUNG as the decree writes it: `1 viên/lần * 2 lần/ngày * 5 ngày [2 viên/ngày]`."""
    padded = nw.concat_str([nw.col("lieu_dung").str.to_lowercase(), nw.lit("***")])
    return padded.str.split("*").list.get(position).str.strip_chars()


def _number(text: nw.Expr) -> nw.Expr:
    """The number (or fraction) a text begins with; null when it begins with none."""
    digits = text.str.replace_all(r"[^0-9.,/].*$", "").str.replace_all("/$", "").str.replace_all(",", ".")
    valid = digits.str.contains(r"^[0-9]+(\.[0-9]+)?(/[1-9][0-9]*)?$")
    halves = nw.concat_str([nw.when(valid).then(digits), nw.lit("/1")]).str.split("/")
    return halves.list.get(0).cast(nw.Float64) / halves.list.get(1).cast(nw.Float64)


def _doses(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """What each distinct LIEU_DUNG says: dose, times a day, stated daily total, days, unit. Parsed once a text.

    A number is null where the text has another form than the decree's; `whole` and its `days` where it says how long
    the packs last (`1 bình dùng 30 ngày`).
    """
    packs = nw.col("lieu_dung").str.contains(LASTING)
    until = nw.col("lieu_dung").str.to_lowercase().str.replace_all(r"^.*dùng +", "")
    bracket = nw.concat_str([nw.col("lieu_dung").str.to_lowercase(), nw.lit("[")]).str.split("[").list.get(1)
    return (
        tables.drug_line.select("lieu_dung")
        .filter(~nw.col("lieu_dung").is_null())
        .unique(["lieu_dung"])
        .with_columns(
            unit=_part(0).str.replace_all(r"^[0-9.,/ ]+", "").str.replace_all("/.*$| dùng .*$", "").str.strip_chars(),
            dose=_number(_part(0)),
            times=nw.when(_part(1).str.contains("^[0-9]+ *l[ầa]n")).then(_number(_part(1))),
            days=nw.when(packs)
            .then(_number(until))
            .otherwise(nw.when(_part(2).str.contains("^[0-9]+ *ng[àa]y")).then(_number(_part(2)))),
            whole=nw.when(packs).then(_number(_part(0))),
            stated=nw.when(bracket.str.contains("/ *ngày")).then(_number(bracket.str.strip_chars())),
        )
    )


@rule(
    id="DRG-01",
    version=2,
    scheme="OVER_DRUG_QTY",
    severity="deny",
    title_vi="Số lượng vượt liều nhân số ngày",
    title_en="Quantity above dose times days",
    reason_vi="Cấp {observed} đơn vị, liều dùng ghi trên đơn chỉ cần {allowed}.",
    reason_en="{observed} units dispensed, the written dose needs {allowed}.",
    legal_basis="TT37/2024 Đ8 k3; ND90 Đ86",
    needs=("encounter.ma_loai_kcb", "drug_line.lieu_dung", "drug_line.so_luong"),
    known_gaps_vi=(
        "Chỉ xét liều ghi theo mẫu quy định, cùng đơn vị với đơn vị cấp, và thuốc nguyên hộp, lọ ghi số ngày dùng; lời "
        "văn khác, và liều tính bằng mg hoặc ml của thuốc đóng chai, thì bỏ qua. Trừ thuốc viên, mỗi liều làm tròn lên "
        "một đơn vị, vì ống đã mở không giữ lại. Liều nội trú không ghi số ngày có thể dùng đến ngày ra viện."
    ),
    known_gaps_en=(
        "Only doses written in the decree's form, in the unit that is dispensed, and packs with the days they last; "
        "any other text, and doses in mg or ml of bottles, are passed over. Anything but tablets is rounded up to a "
        "whole unit for each dose, since an opened ampoule is not kept. An inpatient dose without days may last until "
        "the day of leaving."
    ),
    examples=(
        hit(
            "40 viên, cần 20 viên",
            "40 tablets for a need of 20",
            visit(),
            drug(quantity=40),
            amount=20 * PILL_PRICE * 0.8,
        ),
        hit(
            "liều nửa viên",
            "half tablets",
            visit(),
            drug(lieu_dung="1/2 viên/lần * 2 lần/ngày * 10 ngày [1 viên/ngày]", quantity=30),
            amount=20 * PILL_PRICE * 0.8,
        ),
        hit(
            "hai bình hít, mỗi bình dùng đủ ba mươi ngày",
            "two inhalers, one lasts the thirty days",
            visit(),
            drug(lieu_dung="1 bình dùng 30 ngày", don_vi_tinh="bình", quantity=2),
            amount=PILL_PRICE * 0.8,
        ),
        clear(
            "một bình hít",
            "one inhaler",
            visit(),
            drug(lieu_dung="1 bình dùng 30 ngày", don_vi_tinh="bình", quantity=1),
        ),
        clear("đúng số cần", "exactly the need", visit(), drug()),
        clear("dư hai viên, trong mức cho phép", "two tablets above, within the tolerance", visit(), drug(quantity=22)),
        clear("liều ghi tự do", "free text", visit(), drug(lieu_dung="Uống khi đau", quantity=100)),
        clear(
            "liều tính bằng ml, cấp theo chai",
            "dose in ml, bottle dispensed",
            visit(),
            drug(lieu_dung="5 ml/lần * 2 lần/ngày * 5 ngày", quantity=1),
        ),
        clear(
            "nửa ống, mỗi lần mở một ống",
            "half an ampoule, a whole one opened each time",
            visit(),
            drug(don_vi_tinh="ống", lieu_dung="0,5 ống/lần * 2 lần/ngày * 3 ngày [1 ống/ngày]", quantity=6),
        ),
        clear(
            "liều tại khoa cho phần còn lại của đợt",
            "ward dose for the rest of the stay",
            stay(days=3),
            drug(lieu_dung="1 viên/lần * 2 lần/ngày", quantity=8),
        ),
        not_evaluable("thiếu liều dùng", "no dose", visit(), drug(lieu_dung=None)),
    ),
)
def quantity_above_dose(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid drug lines whose quantity is above what the written dose needs, by more than the tolerance."""
    tablet, packs = nw.col("unit").str.contains("^viên"), ~nw.col("whole").is_null()
    until_leaving = nw.when(care_type("e_ma_loai_kcb").is_in(["03", "04"])).then(
        days_between(nw.col("ngay_yl"), nw.col("e_ngay_ra")) + 1
    )
    paid = lines(tables, DRUGS, "lieu_dung", "don_vi_tinh", "so_luong", "ngay_yl", "t_bhtt").filter(money("t_bhtt") > 0)
    found = (
        with_encounter(paid, tables, "ma_loai_kcb", "ngay_ra")
        .join(_doses(tables).filter(~nw.col("times").is_null() | packs), on="lieu_dung", how="inner")
        .with_columns(days=nw.coalesce(nw.col("days"), until_leaving))
        .filter(nw.col("unit") == nw.col("don_vi_tinh").str.strip_chars().str.to_lowercase(), nw.col("days") > 0)
        .with_columns(dose=nw.when(tablet).then(nw.col("dose")).otherwise(nw.col("dose").ceil()))
        .with_columns(daily=nw.max_horizontal(nw.col("dose") * nw.col("times"), nw.col("stated")))
        .with_columns(need=nw.when(packs).then(nw.col("whole")).otherwise(nw.col("daily") * nw.col("days")))
        .with_columns(most=nw.col("need") * DOSE.tol)
        # The small step back keeps 1.1 x 20 from being rounded up to 23 by the last bit of a float.
        .with_columns(most=nw.when(packs).then(nw.col("most")).otherwise((nw.col("most") - 1e-6).ceil()))
        .filter(nw.col("need") > 0, money("so_luong") > nw.col("most"))
    )
    share = (money("so_luong") - nw.col("need")) / money("so_luong")
    return line_hits(found, amount=share * money("t_bhtt"), observed=money("so_luong"), allowed=nw.col("need"))


@rule(
    id="DRG-03",
    version=2,
    scheme="OVERLAP_DRUG_SUPPLY",
    severity="warn",
    title_vi="Cấp trùng hoạt chất khi còn thuốc",
    title_en="Refill before the previous supply ends",
    reason_vi=(
        "Cấp lại cùng hoạt chất khi còn {observed} ngày thuốc của lần trước, ở bất "
        "kỳ cơ sở nào (cho phép {allowed} ngày)."
    ),
    reason_en=(
        "The same ingredient again while {observed} days of the last supply remain, "
        "wherever dispensed ({allowed} allowed)."
    ),
    legal_basis="ND90 Đ84-85; TT12/2026 Đ10 k1 h",
    needs=("encounter.patient_id", "encounter.ngay_vao", "encounter.ma_loai_kcb", "drug_line.lieu_dung"),
    known_gaps_vi=(
        "Lĩnh sớm từng ít không được cộng dồn: so với đợt cấp kết thúc muộn nhất, không so tồn thuốc. Bỏ qua: lượng "
        "mỗi ngày cao hơn lần trước (tăng liều), đường dùng khác, liều không theo mẫu quy định, thuốc ra viện. Mất "
        "thuốc, cấp trước kỳ nghỉ và đổi cơ sở trông cũng như vậy."
    ),
    known_gaps_en=(
        "Small early refills do not add up: the supply that ends last is compared, not the stock. Passed over: a "
        "higher daily quantity than last time (dose raised), another route, doses not in the decree's form, discharge "
        "drugs. Lost medicine, holiday refills and a change of facility look the same."
    ),
    examples=(
        hit(
            "sau 10 ngày lại cấp 30 ngày ở nơi khác",
            "30 days again after 10 days elsewhere",
            visit("2025-03-01 08:00"),
            drug(days=30),
            visit("2025-03-11 08:00", ma_cskcb="01002"),
            drug(days=30),
            amount=20 / 30 * 60 * PILL_PRICE * 0.8,
        ),
        hit(
            "bình hít dùng ba mươi ngày, cấp lại sau mười ngày",
            "an inhaler for thirty days again after ten",
            visit("2025-03-01 08:00"),
            drug(lieu_dung="1 bình dùng 30 ngày", don_vi_tinh="bình", quantity=1),
            visit("2025-03-11 08:00"),
            drug(lieu_dung="1 bình dùng 30 ngày", don_vi_tinh="bình", quantity=1),
        ),
        clear(
            "sớm năm ngày",
            "five days early",
            visit("2025-03-01 08:00"),
            drug(days=30),
            visit("2025-03-26 08:00"),
            drug(days=30),
        ),
        clear(
            "có tăng liều",
            "dose raised",
            visit("2025-03-01 08:00"),
            drug(days=30),
            visit("2025-03-11 08:00"),
            drug(days=30, per_day=3),
        ),
        clear("một lần cấp chia hai lô", "two lots of one dispense", visit(), drug(days=30), drug(days=30)),
        clear(
            "hoạt chất khác",
            "another ingredient",
            visit(),
            drug(days=30),
            visit("2025-03-15 08:00"),
            drug(days=30, ma_thuoc="40.99"),
        ),
        clear(
            "người bệnh khác",
            "another patient",
            visit(),
            drug(days=30),
            visit("2025-03-15 08:00", patient_id="P2"),
            drug(days=30),
        ),
        not_evaluable("thiếu mã người bệnh", "no patient", visit(patient_id=None), drug(days=30)),
    ),
)
def refill_while_supplied(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Outpatient drug lines dispensed while an earlier dispense to the patient still lasts beyond the lead time."""
    dispensed = (
        with_encounter(
            lines(tables, DRUGS, "ma_thuoc", "duong_dung", "lieu_dung", "so_luong", "t_bhtt"),
            tables,
            "patient_id",
            "ma_loai_kcb",
            "ngay_vao",
        )
        .filter(
            ~nw.col("e_patient_id").is_null(),
            ~nw.col("e_ngay_vao").is_null(),
            care_type("e_ma_loai_kcb").is_in(REFILLED),
        )
        .with_columns(
            ingredient=nw.col("ma_thuoc").fill_null("").str.strip_chars(),
            route=nw.col("duong_dung").fill_null("").str.strip_chars(),
        )
        .join(_doses(tables).select("lieu_dung", "days"), on="lieu_dung", how="inner")
        .filter(~nw.col("ingredient").is_in(NOT_AN_INGREDIENT), nw.col("days") > 0, nw.col("days") <= SUPPLY.max_days)
    )
    dispense = [*ENCOUNTER_KEY, "ingredient", "route"]
    course = ["e_patient_id", "ingredient", "route"]
    order = ["arrived", *ENCOUNTER_KEY]
    dispensed = reused(recurring(dispensed, *course))
    supplies = (
        dispensed.select(
            *dispense,
            "e_patient_id",
            "days",
            quantity=money("so_luong").fill_null(0.0),
            start=days_between(nw.lit(_EPOCH), nw.col("e_ngay_vao")),
            arrived=nw.col("e_ngay_vao"),
        )
        .group_by(*dispense, "e_patient_id", "start", "arrived")
        .agg(nw.col("days").max(), nw.col("quantity").sum())
        .with_columns(daily=nw.col("quantity") / nw.col("days"), end=nw.col("start") + nw.col("days"))
        .with_columns(lasts=nw.col("end").cum_max().over(*course, order_by=order))
        .with_columns(
            left_until=nw.col("lasts").shift(1).over(*course, order_by=order),
            daily_before=nw.col("daily").shift(1).over(*course, order_by=order),
        )
        .with_columns(remaining=nw.min_horizontal(nw.col("left_until") - nw.col("start"), nw.col("days")))
        .filter(
            ~nw.col("left_until").is_null(),
            nw.col("left_until") - nw.col("start") > SUPPLY.lead_days,
            nw.col("daily") <= nw.col("daily_before") * 1.05,
        )
        .select(*dispense, "remaining", supply=nw.col("days"))
    )
    found = dispensed.join(supplies, on=dispense, how="inner").filter(money("t_bhtt") > 0)
    return line_hits(
        found,
        amount=nw.col("remaining") / nw.col("supply") * money("t_bhtt"),
        observed=nw.col("remaining"),
        allowed=nw.lit(float(SUPPLY.lead_days)),
    )


@rule(
    id="DRG-39",
    version=1,
    scheme="PROGRAM_FREE_GOODS",
    severity="deny",
    title_vi="Thuốc nguồn chương trình, viện trợ vẫn tính quỹ",
    title_en="Programme drug paid by the fund",
    reason_vi="Thuốc ghi nguồn chi trả khác quỹ (mã {observed}) nhưng quỹ chi {amount} đồng.",
    reason_en="The drug names another payer (code {observed}) yet the fund pays {amount} VND.",
    legal_basis="L-BHYT Đ23; ND90 Đ88",
    needs=("drug_line.nguon_ctra",),
    known_gaps_vi=(
        "Chuẩn 4210 không ghi nguồn chi trả của thuốc: hồ sơ đó không đánh giá được. Thuốc mua từ cả hai nguồn thì "
        "không tách."
    ),
    known_gaps_en=(
        "The 4210 format has no payer of a drug: such claims are not evaluable. A drug bought by both is not split."
    ),
    examples=(
        hit(
            "thuốc chương trình quốc gia",
            "national programme drug",
            visit(),
            drug(nguon_ctra=3),
            amount=20 * PILL_PRICE * 0.8,
        ),
        clear("thuốc nguồn quỹ BHYT", "fund drug", visit(), drug()),
        clear(
            "thuốc chương trình, không đề nghị thanh toán",
            "programme drug, nothing asked",
            visit(),
            drug(nguon_ctra=3, muc_huong=0),
        ),
        not_evaluable("thiếu nguồn chi trả", "no payer", visit(), drug(nguon_ctra=None)),
    ),
)
def programme_drug_paid(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Drug lines whose payer is a project, a programme or another source, and on which the fund pays all the same."""
    found = lines(tables, DRUGS, "nguon_ctra", "t_bhtt").filter(
        nw.col("nguon_ctra").is_in(PROGRAMME.sources), money("t_bhtt") > 0
    )
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("nguon_ctra"), allowed=nw.lit(1.0))
