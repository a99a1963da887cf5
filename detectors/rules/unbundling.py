"""Unbundling: a step of a service billed beside the whole service, and results that are only computed.

The pairs are one family. A pair is a whole and a part, told by name, and the time in which both belong to one session;
a claim that bills both is a sign on the part. Patterns, times and exceptions are facts; here stands what is common.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import TEST_PRICE, drug, service, stay, visit
from detectors.expressions import (
    DRUGS,
    SERVICES,
    SURGERY,
    carried_out,
    clockless,
    day,
    family,
    line_hits,
    lines,
    minutes_between,
    money,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from data.schema import ClaimTables
    from detectors.base import Example, Rule, Severity

PROCEDURE = 18
KEY: list[str] = list(ENCOUNTER_KEY)
LINE = [*KEY, "line_table", "row_no"]
PARTS_4 = "TT35/2016 Đ4 k4 a"
FUND = TEST_PRICE * 0.8  # what the fund pays for a service of the examples

BY_NAME_VI = (
    "Nhận biết theo tên, cho đến khi mã được kiểm tra; dịch vụ không có tên thì bỏ qua. Thế nào là một lần làm chỉ "
    "xét theo thời gian: lần thứ hai trong khoảng đó, hoặc tổn thương thứ hai, trông cũng như vậy, bên kia của cơ thể "
    "khi không có mã vị trí cũng thế. Dòng không ghi giờ so theo ngày. Có bao nhiêu dịch vụ chính thì nêu nhiều nhất "
    "bấy nhiêu dịch vụ thành phần."
)
BY_NAME_EN = (
    "Told by names, until codes are checked; a service without a name is passed over. What one session is, is told by "
    "the time alone: a second session within it, or a second lesion, looks the same, and so does another side where "
    "no body site is coded. Lines without a clock are compared by day. As many parts are named as wholes were done."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A row of the family: how it is called, which law it rests on, and a name of each kind for the examples."""

    id: str
    severity: Severity = "deny"
    vi: str
    en: str
    law: str
    whole: str
    part: str
    other: str | None = None  # a name that looks like the part beside this whole, and is lawful
    surgery: bool = False  # the whole is an operation: cost group 8
    cheaper: bool = False  # only the lower of the two amounts is at stake
    gap_vi: str = ""
    gap_en: str = ""


PAIRS_TOLD: tuple[Pair, ...] = (
    Pair(
        id="UNB-KT01_1",
        vi="Mở sào bào kèm tạo hình tai giữa",
        en="Antrotomy with middle-ear repair",
        law=f"{PARTS_4}; CV266 KT01_1 (S.005.434)",
        whole="Phẫu thuật tạo hình tai giữa",
        part="Mở sào bào",
        surgery=True,
    ),
    Pair(
        id="UNB-KT01_2",
        vi="Mở khí quản kèm mở sụn giáp, cắt dây thanh",
        en="Tracheostomy with laryngeal surgery",
        law=f"{PARTS_4}; CV266 KT01_2 (S.005.434)",
        whole="Phẫu thuật mở sụn giáp cắt dây thanh",
        part="Mở khí quản thường quy",
        other="Chăm sóc lỗ mở khí quản",
        surgery=True,
    ),
    Pair(
        id="UNB-KT01_4",
        vi="Nhuộm soi kèm nuôi cấy định danh vi khuẩn",
        en="Gram stain with culture and identification",
        law=f"{PARTS_4}; CV266 KT01_4 (S.005.434)",
        whole="Vi khuẩn nuôi cấy và định danh phương pháp thông thường",
        part="Vi khuẩn nhuộm soi",
        gap_vi="Hai bệnh phẩm lấy cùng lúc trông như một.",
        gap_en="Two specimens taken together look like one.",
    ),
    Pair(
        id="UNB-KT01_6",
        vi="Nạo vét hạch kèm phẫu thuật dạ dày",
        en="Node dissection with gastric surgery",
        law=f"{PARTS_4}; CV266 KT01_6 (S.005.434)",
        whole="Cắt bán phần dạ dày",
        part="Nạo vét hạch D2",
        other="Nạo vét hạch cổ",
        surgery=True,
    ),
    Pair(
        id="UNB-KT01_7",
        vi="Mở bụng thăm dò kèm khâu thủng dạ dày tá tràng",
        en="Laparotomy with ulcer closure",
        law=f"{PARTS_4}; CV266 KT01_7 (S.005.434)",
        whole="Khâu lỗ thủng dạ dày tá tràng",
        part="Mở bụng thăm dò",
        surgery=True,
    ),
    Pair(
        id="UNB-KT01_8",
        vi="Cắt thân đuôi tụy kèm cắt lách cùng nối tụy ruột",
        en="Distal pancreatectomy with pancreatojejunostomy",
        law=f"{PARTS_4}; CV266 KT01_8 (S.005.434)",
        whole="Nối tụy ruột",
        part="Cắt thân đuôi tụy kèm cắt lách",
        surgery=True,
    ),
    Pair(
        id="UNB-KT01_9",
        vi="Mở thông hỗng tràng kèm cắt thực quản",
        en="Jejunostomy with oesophagectomy",
        law=f"{PARTS_4}; CV266 KT01_9 (S.005.434)",
        whole="Cắt thực quản, tạo hình thực quản bằng dạ dày",
        part="Mở thông hỗng tràng",
        surgery=True,
    ),
    Pair(
        id="UNB-KT01_10",
        vi="Cắt túi mật kèm cắt gan",
        en="Cholecystectomy with hepatectomy",
        law=f"{PARTS_4}; CV266 KT01_10 (S.005.434)",
        whole="Cắt gan phân thùy trước",
        part="Cắt túi mật",
        surgery=True,
        gap_vi="Bỏ qua tên viết không dấu. Túi mật có bệnh riêng trông cũng như vậy.",
        gap_en="Names written without accents are passed over. A gallbladder with a disease of its own looks the same.",
    ),
    Pair(
        id="UNB-KT01_11",
        vi="Tạo van chống trào ngược kèm phẫu thuật Heller kết hợp",
        en="Fundoplication with combined Heller",
        law=f"{PARTS_4}; CV266 KT01_11 (S.005.434)",
        whole="Phẫu thuật Heller kết hợp tạo van chống trào ngược",
        part="Tạo van chống trào ngược",
        other="Phẫu thuật Heller kết hợp tạo van chống trào ngược dạ dày thực quản",
        surgery=True,
    ),
    Pair(
        id="UNB-KT01_12",
        vi="Ghép xương kèm phẫu thuật cột sống",
        en="Bone graft with spine surgery",
        law=f"{PARTS_4}; CV266 KT01_12 (S.005.434)",
        whole="Cố định cột sống bằng vít qua cuống",
        part="Ghép xương tự thân",
        surgery=True,
    ),
    Pair(
        id="UNB-KT01_13",
        vi="Lấy đĩa đệm kèm thay đĩa đệm nhân tạo",
        en="Discectomy with artificial disc",
        law=f"{PARTS_4}; CV266 KT01_13 (S.005.434)",
        whole="Phẫu thuật thay đĩa đệm nhân tạo cột sống cổ",
        part="Lấy đĩa đệm đường trước",
        surgery=True,
        gap_vi="Không phân biệt đĩa đệm của hai tầng.",
        gap_en="Discs of two levels are not told apart.",
    ),
    Pair(
        id="UNB-KT01_14",
        vi="Cắt dây chằng vàng kèm cố định cột sống",
        en="Flavectomy with spinal fixation",
        law=f"{PARTS_4}; CV266 KT01_14 (S.005.434)",
        whole="Cố định cột sống thắt lưng",
        part="Cắt bỏ dây chằng vàng",
        surgery=True,
    ),
    Pair(
        id="UNB-KT01_16",
        vi="Dẫn lưu Douglas kèm cắt ruột thừa",
        en="Douglas drainage with appendectomy",
        law=f"{PARTS_4}; CV266 KT01_16 (S.005.434)",
        whole="Phẫu thuật nội soi cắt ruột thừa",
        part="Dẫn lưu áp xe Douglas",
        surgery=True,
    ),
    Pair(
        id="UNB-KT01_18",
        vi="Nội soi dạ dày chẩn đoán kèm nội soi can thiệp",
        en="Diagnostic with interventional gastroscopy",
        law=f"{PARTS_4}; CV266 KT01_18 (S.005.434)",
        whole="Nội soi can thiệp cầm máu dạ dày",
        part="Nội soi thực quản - dạ dày - tá tràng ống mềm",
        other="Nội soi thực quản - dạ dày - tá tràng cắt polyp",
        gap_vi="Nội soi chẩn đoán buổi sáng dẫn đến can thiệp buổi chiều trông cũng như vậy.",
        gap_en="A diagnostic endoscopy in the morning that leads to an intervention in the afternoon looks the same.",
    ),
    Pair(
        id="UNB-KT01_19",
        vi="Nội soi đại tràng toàn bộ kèm can thiệp ống tiêu hóa",
        en="Full colonoscopy with GI intervention",
        law=f"{PARTS_4}; CV266 KT01_19 (S.005.434)",
        whole="Nội soi can thiệp cắt polyp ống tiêu hóa",
        part="Nội soi đại trực tràng toàn bộ ống mềm",
        gap_vi="Tên chỉ ghi ống tiêu hóa có thể là dạ dày.",
        gap_en="A name that says only digestive tract may mean the stomach.",
    ),
    Pair(
        id="UNB-KT01_20",
        vi="Cắt mống mắt chu biên kèm cắt bè",
        en="Iridectomy with trabeculectomy",
        law=f"{PARTS_4}; CV266 KT01_20 (S.005.434)",
        whole="Cắt bè củng giác mạc",
        part="Cắt mống mắt chu biên",
        surgery=True,
    ),
    Pair(
        id="UNB-KT01_21",
        vi="Đặt sonde JJ kèm nội soi tán sỏi niệu quản",
        en="JJ stent with ureteroscopic lithotripsy",
        law=f"{PARTS_4}; CV266 KT01_21 (S.005.434)",
        whole="Nội soi tán sỏi niệu quản",
        part="Đặt sonde JJ niệu quản",
        other="Rút sonde JJ",
    ),
    Pair(
        id="UNB-KT189_1",
        vi="Nội soi phế quản kèm bơm rửa phế quản",
        en="Bronchoscopy with bronchial lavage",
        law="TT35/2016 Danh mục 2 mục 103; CV266 KT189_1 (S.005.434)",
        whole="Bơm rửa phế quản",
        part="Nội soi phế quản ống mềm",
        other="Nội soi phế quản sinh thiết",
    ),
    Pair(
        id="UNB-KT189_2",
        vi="Điện tâm đồ kèm lập trình máy tạo nhịp",
        en="ECG with pacemaker programming",
        law="TT35/2016 Danh mục 2 mục 47; CV266 KT189_2 (S.005.434)",
        whole="Lập trình máy tạo nhịp tim",
        part="Điện tim thường",
        other="Holter điện tâm đồ",
    ),
    Pair(
        id="UNB-KT189_3",
        vi="Thay băng bỏng kèm rạch hoại tử bỏng",
        en="Burn dressing with escharotomy",
        law="TT35/2016 Danh mục 2 mục 106; CV266 KT189_3 (S.005.434)",
        whole="Rạch hoại tử bỏng giải thoát chèn ép",
        part="Thay băng điều trị vết bỏng",
    ),
    Pair(
        id="UNB-KT189_4",
        vi="Thay băng bỏng kèm khâu cầm máu bỏng sâu",
        en="Burn dressing with emergency haemostasis",
        law="TT35/2016 Danh mục 2 mục 107; CV266 KT189_4 (S.005.434)",
        whole="Khâu cầm máu, thắt mạch máu cấp cứu chảy máu trong bỏng sâu",
        part="Thay băng điều trị vết bỏng",
    ),
    Pair(
        id="UNB-KT189_5",
        vi="Làm lại thành âm đạo, tầng sinh môn kèm đẻ",
        en="Perineal repair with delivery",
        law="TT35/2016 Danh mục 2 mục 108; CV266 KT189_5 (S.005.434)",
        whole="Đỡ đẻ thường ngôi chỏm",
        part="Làm lại thành âm đạo, tầng sinh môn",
        gap_vi="Bỏ qua tên viết không dấu.",
        gap_en="Names written without accents are passed over.",
    ),
    Pair(
        id="UNB-KT189_6",
        vi="Javal kèm đo công suất thể thủy tinh",
        en="Keratometry with lens-power measurement",
        law=f"{PARTS_4}; CV266 KT189_6 (S.005.434)",
        whole="Đo công suất thể thủy tinh nhân tạo bằng siêu âm",
        part="Đo khúc xạ giác mạc Javal",
    ),
    Pair(
        id="UNB-KT189_7",
        vi="Đặt catheter kèm thận nhân tạo cấp cứu",
        en="Catheter with emergency dialysis",
        law=f"{PARTS_4}; CV266 KT189_7 (S.005.434)",
        whole="Thận nhân tạo cấp cứu",
        part="Đặt catheter lọc máu cấp cứu",
        other="Rút catheter lọc máu cấp cứu",
    ),
    Pair(
        id="UNB-KT189_8",
        vi="Tiêm khớp kèm hút dịch cùng khớp",
        en="Injection with aspiration of the same joint",
        law=f"{PARTS_4}; CV266 KT189_8 (S.005.434)",
        whole="Hút dịch khớp gối",
        part="Tiêm khớp gối",
        other="Tiêm khớp vai",
        gap_vi="Tên không ghi khớp nào thì bỏ qua.",
        gap_en="A name without the joint is passed over.",
    ),
    Pair(
        id="UNB-KT189_9",
        vi="Cắt u buồng trứng, phần phụ kèm cắt tử cung và phần phụ",
        en="Ovarian surgery with total hysterectomy and adnexa",
        law=f"{PARTS_4}; CV266 KT189_9 (S.005.434)",
        whole="Phẫu thuật cắt tử cung hoàn toàn và hai phần phụ",
        part="Phẫu thuật cắt u buồng trứng",
        surgery=True,
    ),
    Pair(
        id="UNB-KT121",
        vi="Chụp mạch vành kèm nong, đặt stent",
        en="Coronary angiography with stenting",
        law=f"{PARTS_4}; CV266 KT121 (S.005.434)",
        whole="Can thiệp nong và đặt stent động mạch vành",
        part="Chụp động mạch vành",
        gap_vi="Chụp mạch chẩn đoán từ tối hôm trước trông cũng như vậy.",
        gap_en="A diagnostic angiography of the evening before looks the same.",
    ),
    Pair(
        id="UNB-KT128",
        vi="Hút huyết khối kèm đặt stent mạch vành",
        en="Thrombus aspiration with stenting",
        law=f"{PARTS_4}; CV266 KT128 (S.005.434)",
        whole="Nong và đặt stent động mạch vành",
        part="Hút huyết khối trong động mạch vành",
        other="Hút huyết khối động mạch chi",
    ),
    Pair(
        id="UNB-KT158",
        vi="Tiêm hậu, cạnh nhãn cầu kèm phẫu thuật mắt",
        en="Peribulbar injection with eye surgery",
        law=f"{PARTS_4}; CV266 KT158 (S.005.434)",
        whole="Phẫu thuật tán nhuyễn thể thủy tinh bằng siêu âm (Phaco)",
        part="Tiêm hậu nhãn cầu",
        surgery=True,
        gap_vi="Mũi tiêm để điều trị, không phải để gây tê, trông cũng như vậy.",
        gap_en="An injection given for treatment and not for the block looks the same.",
    ),
    Pair(
        id="UNB-KT217",
        vi="Siêu âm ổ bụng kèm siêu âm tiết niệu, tử cung phần phụ",
        en="Abdominal with urinary or uterine ultrasound",
        law=f"{PARTS_4}; CV266 KT217 (S.005.434)",
        whole="Siêu âm hệ tiết niệu (thận, tuyến thượng thận, bàng quang)",
        part="Siêu âm ổ bụng",
    ),
    Pair(
        id="UNB-KT226",
        vi="Hồng cầu lưới kèm huyết đồ",
        en="Reticulocytes with haemogram",
        law=f"{PARTS_4}; CV266 KT226 (S.005.434)",
        whole="Huyết đồ (bằng máy đếm tổng trở)",
        part="Xét nghiệm hồng cầu lưới",
    ),
    Pair(
        id="UNB-KT95",
        vi="Siêu âm kèm sinh thiết, tiêm dưới hướng dẫn siêu âm",
        en="Ultrasound with guided biopsy or injection",
        law=f"{PARTS_4}; CV266 KT95 (S.005.434)",
        whole="Chọc hút tế bào tuyến giáp dưới hướng dẫn của siêu âm",
        part="Siêu âm tuyến giáp",
        other="Siêu âm ổ bụng",
        gap_vi="Tên không ghi cơ quan nào thì bỏ qua. Siêu âm đã phát hiện tổn thương trông cũng như vậy.",
        gap_en="Names that tell no organ are passed over. The ultrasound that found the lesion looks the same.",
    ),
    Pair(
        id="UNB-4262-1",
        severity="warn",
        vi="Hút đờm kèm đặt nội khí quản, mở khí quản, nội soi, phẫu thuật",
        en="Suction with intubation, tracheostomy, endoscopy or surgery",
        law=f"CV4262 PL01; {PARTS_4}",
        whole="Đặt nội khí quản",
        part="Hút đờm hầu họng",
        gap_vi="Không xét hút đờm trong khi mổ: tên không cho biết ca mổ nào đã gồm hút đờm.",
        gap_en="Suction during surgery is not judged: which operations include it is not told by name.",
    ),
    Pair(
        id="UNB-4262-2",
        severity="warn",
        vi="Test hồi phục phế quản kèm đo chức năng hô hấp",
        en="Bronchodilator test with spirometry",
        law="CV4262 PL01",
        whole="Test hồi phục phế quản",
        part="Đo chức năng hô hấp",
        cheaper=True,
        gap_vi="Dấu hiệu đặt ở dòng đo chức năng hô hấp, dù dịch vụ nào rẻ hơn.",
        gap_en="The sign stands on the spirometry, whichever of the two is cheaper.",
    ),
    Pair(
        id="UNB-4262-3",
        severity="warn",
        vi="Streptokinase màng phổi kèm chọc, dẫn lưu màng phổi",
        en="Pleural streptokinase with pleural tap",
        law="CV4262 PL01",
        whole="Bơm streptokinase vào khoang màng phổi",
        part="Dẫn lưu màng phổi",
    ),
)


def _same_session(rule_id: str, one: nw.Expr, other: nw.Expr) -> nw.Expr:
    """Whether two times lie in one session: within the rule's hours, or on one day where it has none."""
    same_day = day(one) == day(other)
    known = facts(rule_id)
    if "session_h" not in known:
        return same_day
    near = minutes_between(one, other).abs() <= known.session_h * 60
    return near & (same_day | ~(clockless(one) | clockless(other)))


def _organ(tables: ClaimTables, rule_id: str) -> nw.Expr:
    """Number of the first organ a name tells; null where it tells none, one for all where the rule has no organs."""
    known = facts(rule_id)
    if "organs" not in known:
        return nw.lit(0)
    organ = nw.lit(None, dtype=nw.Int64)
    for number, words in reversed(list(enumerate(known.organs, start=1))):
        told = family(tables, "service_line", words, accents=True)
        organ = nw.when(told).then(nw.lit(number, dtype=nw.Int64)).otherwise(organ)
    return organ


def _parts_beside_wholes(pair: Pair) -> Callable[[ClaimTables], nw.LazyFrame[Any]]:
    known = facts(pair.id)
    accents = "whole_accented" in known

    def query(tables: ClaimTables) -> nw.LazyFrame[Any]:
        """Paid lines of the part in the session of a paid line of the whole, at another site nowhere."""
        whole = family(tables, "service_line", known.whole_accented if accents else known.whole, accents=accents)
        part = family(tables, "service_line", known.part)
        not_whole = family(tables, "service_line", known.whole_not) if "whole_not" in known else nw.lit(value=False)
        not_part = family(tables, "service_line", known.part_not) if "part_not" in known else nw.lit(value=False)
        columns = ("ma_nhom", "ten_dich_vu", "vi_tri_th_dvkt", "so_luong", "ngay_yl", "ngay_th_yl", "t_bhtt")
        billed = (
            lines(tables, SERVICES, *columns)
            .filter(whole | part)
            .filter(money("t_bhtt") > 0, ~carried_out().is_null())
            .with_columns(
                at=carried_out(),
                is_whole=whole & ~not_whole,
                is_part=part & ~not_part,
                organ=_organ(tables, pair.id),
                site=nw.col("vi_tri_th_dvkt"),
                times=nw.when(money("so_luong") > 0).then(money("so_luong")).otherwise(nw.lit(1.0)),
            )
        )
        wholes = billed.filter(nw.col("is_whole"))
        if pair.surgery:
            wholes = wholes.filter(nw.col("ma_nhom") == SURGERY)
        wholes = wholes.select(
            *KEY,
            w_at=nw.col("at"),
            w_organ=nw.col("organ"),
            w_site=nw.col("site"),
            w_times=nw.col("times"),
            w_fund=money("t_bhtt"),
        )
        found = (
            billed.filter(nw.col("is_part"), ~nw.col("is_whole"))
            .join(wholes, on=KEY, how="inner")
            .filter(
                _same_session(pair.id, nw.col("at"), nw.col("w_at")),
                nw.col("organ") == nw.col("w_organ"),
                (nw.col("site") == nw.col("w_site")) | nw.col("site").is_null() | nw.col("w_site").is_null(),
            )
            .with_columns(apart=minutes_between(nw.col("at"), nw.col("w_at")).abs())
            .group_by(*LINE, "t_bhtt", "times")
            .agg(nw.col("apart").min(), nw.col("w_times").sum(), nw.col("w_fund").max())
        )
        step = nw.min_horizontal(nw.col("w_times") / nw.col("times"), nw.lit(1.0)) * money("t_bhtt")
        at_stake = nw.min_horizontal(step, nw.col("w_fund")) if pair.cheaper else step
        within = nw.lit(float(known.session_h * 60)) if "session_h" in known else nw.lit(None, dtype=nw.Float64)
        return line_hits(found, amount=at_stake, observed=nw.col("apart"), allowed=within)

    return query


def _pair_examples(pair: Pair) -> tuple[Example, ...]:
    whole = service(ma_nhom=SURGERY if pair.surgery else PROCEDURE, ten_dich_vu=pair.whole)

    def part(name: str = pair.part, **fields: Any) -> Any:
        return service(ma_nhom=PROCEDURE, ten_dich_vu=name, **fields)

    lawful = (
        ()
        if pair.other is None
        else (clear("dịch vụ có tên gần giống", "a service of a like name", stay(), whole, part(pair.other)),)
    )
    return (
        hit(
            "dịch vụ thành phần cách dịch vụ chính năm phút",
            "the part five minutes from the whole",
            stay(),
            whole,
            part(),
            amount=FUND,
        ),
        hit(
            "ba dịch vụ thành phần, một dịch vụ chính",
            "three parts, one whole",
            stay(),
            whole,
            part(quantity=3),
            amount=FUND,
        ),
        clear(
            "dịch vụ thành phần hai ngày sau",
            "the part two days later",
            stay(),
            whole,
            part(ngay_yl="2025-03-12 08:00", ngay_th_yl="2025-03-12 08:00"),
        ),
        clear("chỉ có dịch vụ thành phần", "the part alone", stay(), part()),
        clear(
            "dịch vụ chính không được thanh toán",
            "the whole is not paid",
            stay(),
            service(ma_nhom=SURGERY, ten_dich_vu=pair.whole, price=0),
            part(),
        ),
        clear(
            "vị trí cơ thể khác", "another body site", stay(), {**whole, "vi_tri_th_dvkt": 1}, part(vi_tri_th_dvkt=2)
        ),
        *lawful,
        not_evaluable(
            "dịch vụ thành phần không ghi giờ",
            "no time of the part",
            stay(),
            whole,
            part(ngay_yl=None, ngay_th_yl=None),
        ),
    )


def _pair_rule(pair: Pair) -> Rule:
    together_vi, together_en = ("trong cùng ngày", "on one day") if "session_h" not in facts(pair.id) else ("", "")
    fields = ("ma_nhom", "ngay_yl") if pair.surgery else ("ngay_yl",)
    made = rule(
        id=pair.id,
        version=1,
        scheme="UNBUNDLE_SERVICE",
        severity=pair.severity,
        title_vi=pair.vi,
        title_en=pair.en,
        reason_vi=(
            f"{pair.vi}: một dịch vụ là công đoạn của dịch vụ kia, thực hiện {together_vi or 'trong cùng phiên'}, cách "
            "nhau {observed} phút; quỹ chi {amount} cho công đoạn này."
        ),
        reason_en=(
            f"{pair.en}: one is a step of the other, done {together_en or 'in one session'}, {{observed}} minutes "
            "apart; the fund pays {amount} for the step."
        ),
        legal_basis=pair.law,
        needs=tuple(f"service_line.{field}" for field in fields),
        known_gaps_vi=f"{BY_NAME_VI} {pair.gap_vi}".strip(),
        known_gaps_en=f"{BY_NAME_EN} {pair.gap_en}".strip(),
        examples=_pair_examples(pair),
    )
    return made(_parts_beside_wholes(pair))


PAIRS: tuple[Rule, ...] = tuple(_pair_rule(pair) for pair in PAIRS_TOLD)


CT_4262 = facts("UNB-4262-4")
_CHEST: dict[str, Any] = {"ma_nhom": 2, "ten_dich_vu": "Chụp cắt lớp vi tính lồng ngực có tiêm thuốc cản quang"}
_BELLY: dict[str, Any] = {"ma_nhom": 2, "ten_dich_vu": "Chụp cắt lớp vi tính bụng có tiêm thuốc cản quang"}
_PLAIN: dict[str, Any] = {"ma_nhom": 2, "ten_dich_vu": "Chụp cắt lớp vi tính bụng không tiêm thuốc cản quang"}
_CONTRAST: dict[str, Any] = {"ten_thuoc": "Iohexol 300 mg/ml", "don_vi_tinh": "lọ", "lieu_dung": None}


@rule(
    id="UNB-4262-4",
    version=1,
    scheme="UNBUNDLE_SERVICE",
    severity="warn",
    title_vi="CT hai vùng cùng lượt, một lần tiêm cản quang",
    title_en="Two contrast CTs with one injection",
    reason_vi="Hai CT có cản quang cách nhau {observed} phút (trong {allowed} phút) nhưng chỉ một liều cản quang.",
    reason_en="Two contrast CTs {observed} minutes apart (within {allowed}) but only one dose of contrast.",
    legal_basis="CV4262 PL01",
    needs=("service_line.ma_nhom", "service_line.ngay_yl", "drug_line.so_luong"),
    known_gaps_vi=(
        "Hồ sơ không có riêng phần giá thuốc cản quang: lấy một tỷ lệ của lần CT thứ hai, là ước tính. Không kê thuốc "
        "cản quang thì không biết số lần tiêm, nên không nêu. Thuốc cản quang nhận biết theo tên hoạt chất và sản "
        "phẩm thường dùng; chai 200 ml cho hai lần tiêm trông như một liều."
    ),
    known_gaps_en=(
        "The contrast part of the price is not in the claim: a share of the second CT stands for it, an estimate. "
        "Where no contrast medium is billed the number of injections is not known, and nothing is said. Contrast is "
        "told by the names of its ingredients and usual products; a bottle of 200 ml for two injections looks like "
        "one dose."
    ),
    examples=(
        hit(
            "ngực và bụng cách nhau mười phút, một chai",
            "chest and abdomen ten minutes apart, one bottle",
            stay(),
            service(**_CHEST),
            service(**_BELLY),
            drug(quantity=1, **_CONTRAST),
            amount=FUND * 0.2,
        ),
        clear(
            "hai chai thuốc cản quang",
            "two bottles",
            stay(),
            service(**_CHEST),
            service(**_BELLY),
            drug(quantity=2, **_CONTRAST),
        ),
        clear(
            "một trong hai lần không tiêm thuốc",
            "one of them plain",
            stay(),
            service(**_CHEST),
            service(**_PLAIN),
            drug(quantity=1, **_CONTRAST),
        ),
        clear(
            "chụp vào hôm sau",
            "the next day",
            stay(),
            service(**_CHEST),
            service(ngay_yl="2025-03-11 09:00", ngay_th_yl="2025-03-11 09:00", **_BELLY),
            drug(quantity=1, **_CONTRAST),
        ),
        clear("không kê thuốc cản quang", "no contrast billed", stay(), service(**_CHEST), service(**_BELLY)),
        not_evaluable(
            "thiếu số lượng thuốc cản quang",
            "no quantity of contrast",
            stay(),
            service(**_CHEST),
            service(**_BELLY),
            drug(so_luong=None, t_bhtt=0, **_CONTRAST),
        ),
    ),
)
def contrast_ct_twice(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """The later of two contrast CTs of different regions, close in time, in a claim with one dose of contrast."""
    known = CT_4262
    amount = money("so_luong")
    unit = nw.col("don_vi_tinh").fill_null("").str.strip_chars().str.to_lowercase()
    dose = nw.when(unit == "ml").then(nw.lit(float(known.one_dose_ml))).otherwise(nw.lit(float(known.one_dose)))
    injected = (
        lines(tables, DRUGS, "ten_thuoc", "don_vi_tinh", "so_luong")
        .filter(family(tables, "drug_line", known.contrast))
        .select(*KEY, doses=amount / dose, blank=amount.is_null().cast(nw.Float64))
        .group_by(*KEY)
        .agg(nw.col("doses").sum(), nw.col("blank").sum())
        .filter(nw.col("blank") == 0, nw.col("doses") > 0, nw.col("doses") <= 1)
        .select(*KEY)
    )
    scans = (
        lines(tables, SERVICES, "ma_nhom", "ten_dich_vu", "ngay_yl", "ngay_th_yl", "t_bhtt")
        .filter(family(tables, "service_line", known.ct))
        .filter(~family(tables, "service_line", known.ct_not), money("t_bhtt") > 0, ~carried_out().is_null())
        .with_columns(at=carried_out())
        .join(injected, on=KEY, how="semi")
    )
    first = scans.select(*KEY, o_at=nw.col("at"), o_row=nw.col("row_no"), o_name=nw.col("ten_dich_vu"))
    earlier = (nw.col("o_at") < nw.col("at")) | (
        (nw.col("o_at") == nw.col("at")) & (nw.col("o_row") < nw.col("row_no"))
    )
    found = (
        scans.join(first, on=KEY, how="inner")
        .with_columns(apart=minutes_between(nw.col("o_at"), nw.col("at")))
        .filter(
            earlier,
            nw.col("o_name") != nw.col("ten_dich_vu"),
            nw.col("apart") <= known.gap_min,
            ~(clockless(nw.col("at")) | clockless(nw.col("o_at"))),
        )
        .group_by(*LINE, "t_bhtt")
        .agg(nw.col("apart").min())
    )
    return line_hits(
        found,
        amount=money("t_bhtt") * (known.default_share / 100),
        observed=nw.col("apart"),
        allowed=nw.lit(float(known.gap_min)),
    )


def _tests(*names: str, **fields: Any) -> tuple[Any, ...]:
    return tuple(service(ten_dich_vu=name, **fields) for name in names)


@rule(
    id="UNB-CALC",
    version=1,
    scheme="UNBUNDLE_SERVICE",
    severity="warn",
    title_vi="Thanh toán chỉ số suy ra từ xét nghiệm khác",
    title_en="Derived result paid as a test",
    reason_vi="Chỉ số suy ra từ {observed} xét nghiệm khác của cùng lần lấy mẫu được thanh toán {amount}.",
    reason_en="A result derived from {observed} other tests of the same draw is paid {amount}.",
    legal_basis="TT35/2016 Đ4 k4 b",
    needs=("service_line.ma_nhom", "service_line.ngay_yl"),
    known_gaps_vi=(
        "Kết quả nào là suy ra do chúng tôi lập danh sách. Lần lấy máu nhận biết theo giờ y lệnh. Chỉ số trong danh "
        "sách mà đo thật trông cũng như vậy; LDL cholesterol chỉ xét khi tên ghi là tính toán."
    ),
    known_gaps_en=(
        "Which results are derived is our list. A draw is told by the time of the order. An item of the list that was "
        "truly measured looks the same; LDL cholesterol is judged only where its name says that it was computed."
    ),
    examples=(
        hit(
            "bilirubin gián tiếp kèm toàn phần và trực tiếp",
            "indirect bilirubin beside total and direct",
            visit(),
            *_tests(
                "Định lượng Bilirubin toàn phần", "Định lượng Bilirubin trực tiếp", "Định lượng Bilirubin gián tiếp"
            ),
            amount=FUND,
        ),
        hit(
            "globulin kèm protein và albumin",
            "globulin beside protein and albumin",
            visit(),
            *_tests("Định lượng Protein toàn phần", "Định lượng Albumin", "Định lượng Globulin"),
            amount=FUND,
        ),
        clear(
            "bilirubin toàn phần và trực tiếp",
            "total and direct",
            visit(),
            *_tests("Định lượng Bilirubin toàn phần", "Định lượng Bilirubin trực tiếp"),
        ),
        clear(
            "LDL đo trực tiếp",
            "measured LDL",
            visit(),
            *_tests(
                "Định lượng LDL-C", "Định lượng Cholesterol toàn phần", "Định lượng HDL-C", "Định lượng Triglycerid"
            ),
        ),
        clear(
            "globulin miễn dịch",
            "immunoglobulin",
            visit(),
            *_tests("Định lượng Protein toàn phần", "Định lượng Albumin", "Định lượng Immunoglobulin G"),
        ),
        clear(
            "các chỉ số gốc ở ngày khác",
            "sources of another day",
            stay(),
            *_tests("Định lượng Protein toàn phần", "Định lượng Albumin"),
            *_tests("Định lượng Globulin", ngay_yl="2025-03-12 08:00"),
        ),
        not_evaluable("không ghi thời điểm", "no time", visit(), *_tests("Định lượng Globulin", ngay_yl=None)),
    ),
)
def derived_result_paid(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid tests that only compute what other paid tests of the same draw measured."""
    known = facts("UNB-CALC")

    def paid(words: str) -> nw.LazyFrame[Any]:
        return (
            lines(tables, SERVICES, "ten_dich_vu", "ngay_yl", "t_bhtt")
            .filter(family(tables, "service_line", words))
            .filter(money("t_bhtt") > 0, ~nw.col("ngay_yl").is_null())
        )

    parts: list[nw.LazyFrame[Any]] = []
    for row in known.derived:
        found = paid(row["result"])
        for words in row["from"]:
            source = paid(words).select(*KEY, o_at=nw.col("ngay_yl"), o_row=nw.col("row_no"))
            near = minutes_between(nw.col("o_at"), nw.col("ngay_yl")).abs() <= known.draw_min
            beside = (
                found.join(source, on=KEY, how="inner")
                .filter(near, nw.col("o_row") != nw.col("row_no"))
                .select(*KEY, "row_no")
                .unique([*KEY, "row_no"])
            )
            found = found.join(beside, on=[*KEY, "row_no"], how="semi")
        parts.append(found.select(*LINE, "t_bhtt", sources=nw.lit(float(len(row["from"])))))
    named_once = nw.concat(parts).group_by(*LINE, "t_bhtt").agg(nw.col("sources").max())
    return line_hits(
        named_once, amount=money("t_bhtt"), observed=nw.col("sources"), allowed=nw.lit(None, dtype=nw.Float64)
    )
