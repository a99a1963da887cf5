"""Drugs paid under a condition: for certain diagnoses, ages, routes, ratios or hospitals only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from detectors.base import clear, hit, not_evaluable, rule
from detectors.drug_family import (
    BY_NAME_EN,
    BY_NAME_VI,
    FUND,
    KEY,
    LINE,
    NONE,
    OTHER_CODE_EN,
    OTHER_CODE_VI,
    Told,
    claims_with,
    drug_named,
    drug_rule,
    expand,
    given,
    listed,
    whole,
)
from detectors.examples import bed, drug, service, stay, surgery, visit
from detectors.expressions import (
    DRUGS,
    SERVICES,
    carried_out,
    days_between,
    diagnosed,
    family,
    line_hits,
    lines,
    money,
    with_encounter,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from data.schema import ClaimTables
    from detectors.base import Rule


# --- The rows

_KNEE: dict[str, Any] = {"ma_benh_chinh": "M17.1"}
_ITEM = "TT20/2022 PL I mục"
_LABEL = "TT37/2024 Đ8 k3"
_ORAL: dict[str, Any] = {"duong_dung": "1.01"}
_INJECTED: dict[str, Any] = {"duong_dung": "2.10"}


CONDITIONS_TOLD: tuple[Told, ...] = (
    Told(
        id="DRG-10",
        vi="Amoxicilin + sulbactam ngoài điều kiện",
        en="Amoxicillin-sulbactam outside its condition",
        law=f"{_ITEM} 170; CV266 TH06 (S.004.369)",
        drug="Amoxicilin + Sulbactam 500mg + 250mg",
        wrong={"ma_benh_chinh": "J02.9"},
        right={"ma_benh_chinh": "J15.9"},
        rights=(("bệnh tai", "ear", (visit(ma_benh_chinh="H66.0"), drug(ten_thuoc="Trifamox IBL 500"))),),
        gap_vi=OTHER_CODE_VI,
        gap_en=OTHER_CODE_EN,
    ),
    Told(
        id="DRG-11",
        vi="Galantamin ngoài điều kiện",
        en="Galantamine outside its condition",
        law=f"{_ITEM} 945; CV266 TH08 (S.004.369)",
        drug="Galantamin 8mg",
        line=_ORAL,
        wrong={"ma_benh_chinh": "G51.0"},
        right={"ma_benh_chinh": "G30.9"},
        rights=(
            (
                "đường tiêm",
                "injected",
                (visit(ma_benh_chinh="G51.0"), drug(ten_thuoc="Galantamin 5mg/ml", **_INJECTED)),
            ),
        ),
        gap_vi=f"Chỉ xét đường uống. {OTHER_CODE_VI}",
        gap_en=f"Only by mouth. {OTHER_CODE_EN}",
    ),
    Told(
        id="DRG-12",
        vi="Vinpocetin ngoài điều kiện",
        en="Vinpocetine outside its condition",
        law=f"{_ITEM} 950; CV266 TH14 (S.004.369)",
        drug="Vinpocetin 5mg",
        wrong={"ma_benh_chinh": "I63.9"},
        right={"ma_benh_chinh": "F01.9"},
        gap_vi=OTHER_CODE_VI,
        gap_en=OTHER_CODE_EN,
    ),
    Told(
        id="DRG-13",
        vi="Acid thioctic tiêm ngoài điều kiện",
        en="Injected thioctic acid outside its condition",
        law=f"{_ITEM} 907; CV266 TH15 (S.004.369)",
        drug="Acid thioctic 600mg/50ml",
        line=_INJECTED,
        wrong={"ma_benh_chinh": "E11.9"},
        right={"ma_benh_chinh": "E11.4"},
        rights=(
            (
                "bệnh đa dây thần kinh ghi ở bệnh kèm theo",
                "polyneuropathy as a second code",
                (visit(ma_benh_chinh="E11.9", ma_benh_kt="G63.2*"), drug(ten_thuoc="Acid thioctic 600mg", **_INJECTED)),
            ),
            ("đường uống", "by mouth", (visit(ma_benh_chinh="E11.9"), drug(ten_thuoc="Acid thioctic 300mg", **_ORAL))),
        ),
        gap_vi=f"Chỉ xét đường tiêm. {OTHER_CODE_VI}",
        gap_en=f"Only injections. {OTHER_CODE_EN}",
    ),
    Told(
        id="DRG-14",
        vi="Ginkgo biloba ngoài điều kiện",
        en="Ginkgo outside its condition",
        law=f"{_ITEM} 946; CV266 TH19 (S.004.369)",
        drug="Cao Ginkgo biloba 40mg",
        wrong={"ma_benh_chinh": "I10"},
        right={"ma_benh_chinh": "R42"},
        rights=(
            (
                "bệnh võng mạc đái tháo đường",
                "diabetic retinopathy",
                (visit(ma_benh_chinh="E11.3"), drug(ten_thuoc="Tanakan")),
            ),
        ),
        gap_vi=(
            f"Đái tháo đường có biến chứng mắt được coi là bệnh võng mạc, theo cách hiểu của chúng tôi. {OTHER_CODE_VI}"
        ),
        gap_en=f"Diabetes with eye complications counts as retinopathy, which is our reading. {OTHER_CODE_EN}",
    ),
    Told(
        id="DRG-15",
        vi="Glucosamin ngoài thoái hóa khớp gối",
        en="Glucosamine outside knee osteoarthritis",
        law=f"{_ITEM} 80; CV266 TH20 (S.004.369)",
        drug="Glucosamin 500mg",
        wrong={"ma_benh_chinh": "M54.5"},
        right=_KNEE,
        gap_vi=f"Mã bệnh không cho biết mức độ bệnh. {OTHER_CODE_VI}",
        gap_en=f"The degree of the disease is not in the code. {OTHER_CODE_EN}",
    ),
    Told(
        id="DRG-18",
        vi="Piracetam ngoài giật rung cơ vỏ não",
        en="Piracetam outside cortical myoclonus",
        law=f"{_ITEM} 949; CV266 TH48 (S.004.369)",
        drug="Piracetam 800mg",
        wrong={"ma_benh_chinh": "R42"},
        right={"ma_benh_chinh": "G25.3"},
        gap_vi=OTHER_CODE_VI,
        gap_en=OTHER_CODE_EN,
    ),
    Told(
        id="DRG-20",
        vi="Lysin + vitamin + khoáng chất ngoài trẻ dưới 6 tuổi suy dinh dưỡng",
        en="Lysine-vitamin mix outside malnourished children under 6",
        law=f"{_ITEM} 1017; CV266 TH84 (S.004.367)",
        drug="Lysin + Vitamin + Khoáng chất",
        wrong={"ma_benh_chinh": "J18.9", "ngay_sinh": "2021-05-20"},
        right={"ma_benh_chinh": "E44.1", "ngay_sinh": "2021-05-20"},
        wrongs=(
            (
                "suy dinh dưỡng, đúng ngày tròn sáu tuổi",
                "malnourished, on the sixth birthday",
                (visit(ma_benh_chinh="E44.1", ngay_sinh="2019-03-10"), drug(ten_thuoc="Lysin + Vitamin")),
            ),
        ),
        rights=(
            (
                "trước ngày tròn sáu tuổi một ngày",
                "the day before the sixth birthday",
                (visit(ma_benh_chinh="E44.1", ngay_sinh="2019-03-11"), drug(ten_thuoc="Lysin + Vitamin")),
            ),
            (
                "năm nay sáu tuổi, không rõ tháng sinh",
                "six this year, the month unknown",
                (
                    visit(ma_benh_chinh="E44.1", ngay_sinh="2019-01-01", birth_precision="year"),
                    drug(ten_thuoc="Lysin + Vitamin"),
                ),
            ),
        ),
        gap_vi=OTHER_CODE_VI,
        gap_en=OTHER_CODE_EN,
    ),
    Told(
        id="DRG-24",
        vi="Cao quả bơ - đậu nành, Ngưu nhĩ phong - La liễu ngoài điều kiện",
        en="Avocado-soya or Ngưu nhĩ phong outside its condition",
        law="TT05/2015 mục 53, 103; CV266 TH51, TH52 (S.004.369)",
        drug="Cao toàn phần không xà phòng hóa quả bơ, đậu nành",
        wrong={"ma_benh_chinh": "M54.5"},
        right=_KNEE,
        parts=("_a", "_b"),
        wrongs=(
            (
                "thuốc trị viêm đại tràng cho bệnh khớp gối",
                "colitis drug for a knee",
                (visit(**_KNEE), drug(ten_thuoc="Ngưu nhĩ phong, La liễu")),
            ),
        ),
        rights=(
            (
                "viêm đại tràng mạn",
                "chronic colitis",
                (visit(ma_benh_chinh="K58.9"), drug(ten_thuoc="Ngưu nhĩ phong, La liễu")),
            ),
        ),
        gap_vi=OTHER_CODE_VI,
        gap_en=OTHER_CODE_EN,
    ),
    Told(
        id="DRG-43",
        vi="Aminoleban không có bệnh não gan",
        en="Aminoleban without hepatic encephalopathy",
        law=f"{_LABEL}; CV266 TH62 (S.004.604)",
        drug="Aminoleban 8% 200ml",
        wrong={"ma_benh_chinh": "K74.6"},
        right={"ma_benh_chinh": "K72.1"},
        wrongs=(
            (
                "bệnh não, không có xơ gan",
                "encephalopathy without cirrhosis",
                (visit(ma_benh_chinh="G93.4"), drug(ten_thuoc="Aminoleban")),
            ),
        ),
        rights=(
            (
                "xơ gan có bệnh não",
                "cirrhosis with encephalopathy",
                (visit(ma_benh_chinh="K74.6", ma_benh_kt="G93.4"), drug(ten_thuoc="Aminoleban")),
            ),
        ),
        gap_vi=OTHER_CODE_VI,
        gap_en=OTHER_CODE_EN,
    ),
    Told(
        id="DRG-44",
        vi="Silymarin không có bệnh gan",
        en="Silymarin without liver disease",
        law=f"{_LABEL}; CV266 TH65 (S.004.604)",
        drug="Silymarin 140mg",
        wrong={"ma_benh_chinh": "M54.5"},
        right={"ma_benh_chinh": "K76.0"},
        rights=(
            (
                "dùng cùng thuốc hại gan",
                "beside a drug that harms the liver",
                (visit(ma_benh_chinh="A15.0"), drug(ten_thuoc="Silymarin 140mg"), drug(ten_thuoc="Isoniazid 300mg")),
            ),
        ),
        gap_vi=f"Danh sách thuốc hại gan do chúng tôi lập, chỉ xét trong cùng hồ sơ. {OTHER_CODE_VI}",
        gap_en=f"Which drugs harm the liver is a list of ours, in the same claim only. {OTHER_CODE_EN}",
    ),
    Told(
        id="DRG-50",
        vi="Alfuzosin không có phì đại tiền liệt tuyến",
        en="Alfuzosin without prostatic hyperplasia",
        law=f"{_LABEL}; CV266 TH04 (S.004.604)",
        drug="Alfuzosin 10mg",
        wrong={"ma_benh_chinh": "N20.1"},
        right={"ma_benh_chinh": "N40"},
        wrongs=(
            (
                "người bệnh là nữ",
                "a woman",
                (visit(ma_benh_chinh="R33", gioi_tinh=2), drug(ten_thuoc="Xatral XL 10mg")),
            ),
        ),
        gap_vi=f"Sỏi niệu quản, dù có nơi kê, nằm ngoài tờ hướng dẫn sử dụng. {OTHER_CODE_VI}",
        gap_en=f"Ureteral stones, for which some prescribe it, are outside the label. {OTHER_CODE_EN}",
    ),
    Told(
        id="DRG-17",
        severity="warn",
        vi="Thuốc ức chế bơm proton không đúng chỉ định",
        en="Proton pump inhibitor without an indication",
        law=f"{_ITEM} 682-685; CV266 TH72 (S.004.369)",
        drug="Omeprazol 20mg",
        wrong={"ma_benh_chinh": "J02.9"},
        right={"ma_benh_chinh": "K21.0"},
        rights=(
            (
                "giường hồi sức tích cực",
                "intensive care bed",
                (
                    stay(ma_benh_chinh="A41.9"),
                    bed(ten_dich_vu="Ngày giường hồi sức tích cực"),
                    drug(ten_thuoc="Pantoprazol 40mg"),
                ),
            ),
            (
                "dùng cùng thuốc chống viêm",
                "beside an anti-inflammatory",
                (visit(ma_benh_chinh="M54.5"), drug(ten_thuoc="Omeprazol 20mg"), drug(ten_thuoc="Meloxicam 7,5mg")),
            ),
        ),
        gap_vi=(
            "Thuốc chống viêm, aspirin hoặc clopidogrel trong cùng hồ sơ được coi là chỉ định theo tờ hướng dẫn, theo "
            f"cách hiểu của chúng tôi; thuốc dùng ở nhà thì không thấy được. {OTHER_CODE_VI}"
        ),
        gap_en=(
            "An anti-inflammatory, aspirin or clopidogrel in the same claim counts as a label indication, which is "
            f"our reading; one taken at home is not seen. {OTHER_CODE_EN}"
        ),
    ),
    Told(
        id="DRG-42",
        severity="warn",
        vi="Famotidin ngoài chỉ định",
        en="Famotidine outside its label",
        law=f"{_LABEL}; CV266 TH34 (S.004.604)",
        drug="Famotidin 40mg",
        wrong={"ma_benh_chinh": "J18.9"},
        right={"ma_benh_chinh": "K25.9"},
        rights=(
            (
                "trước khi mổ",
                "before an operation",
                (
                    stay(ma_benh_chinh="K80.2"),
                    surgery("2025-03-11 08:00", ten_dich_vu="Phẫu thuật nội soi cắt túi mật"),
                    drug(ten_thuoc="Famotidin 20mg"),
                ),
            ),
        ),
        gap_vi=f"Ca mổ hoặc gây mê nhận biết theo tên dịch vụ. {OTHER_CODE_VI}",
        gap_en=f"An operation or anaesthesia is told by the name of a service. {OTHER_CODE_EN}",
    ),
    Told(
        id="DRG-52",
        severity="warn",
        vi="Antacid, Bidilucil, Tadimax không đúng chỉ định",
        en="Antacid mix, meclofenoxate or Tadimax outside its label",
        law=f"{_LABEL}; CV266 TH60, TH73, TH75 (S.004.604)",
        drug="Magnesi hydroxyd + nhôm hydroxyd",
        wrong={"ma_benh_chinh": "J02.9"},
        right={"ma_benh_chinh": "K29.7"},
        parts=("_a", "_b", "_c"),
        wrongs=(
            (
                "meclofenoxat cho đau đầu",
                "meclofenoxate for a headache",
                (visit(ma_benh_chinh="G44.2"), drug(ten_thuoc="Bidilucil 500")),
            ),
            (
                "Tadimax cho bệnh dạ dày",
                "Tadimax for a stomach",
                (visit(ma_benh_chinh="K29.7"), drug(ten_thuoc="Tadimax")),
            ),
        ),
        rights=(
            ("chấn thương sọ não", "head injury", (visit(ma_benh_chinh="S06.0"), drug(ten_thuoc="Bidilucil 500"))),
            ("bệnh tuyến tiền liệt", "prostate", (visit(ma_benh_chinh="N40"), drug(ten_thuoc="Tadimax"))),
        ),
        gap_vi=(
            f"Đau bụng và ợ nóng được coi là lý do dùng thuốc kháng acid, theo cách hiểu của chúng tôi. {OTHER_CODE_VI}"
        ),
        gap_en=(
            f"Pain in the belly and heartburn count as reasons for an antacid, which is our reading. {OTHER_CODE_EN}"
        ),
    ),
)

CONDITIONS: tuple[Rule, ...] = tuple(drug_rule(told) for told in CONDITIONS_TOLD)


# --- Drugs with a condition of their own

_PEPTIDE: dict[str, Any] = {"ten_thuoc": "Cerebrolysin 10ml", "duong_dung": "2.15"}
_HALF: dict[str, Any] = {**_PEPTIDE, "tyle_tt_bh": 50}


@rule(
    id="DRG-09",
    version=1,
    scheme="DRUG_OFF_CONDITION",
    severity="deny",
    title_vi="Peptid ngoài điều kiện hoặc quá tỷ lệ 50%",
    title_en="Peptide outside its condition or above 50%",
    reason_vi="Peptid không đúng bệnh được thanh toán, hoặc tính {observed}% (tối đa {allowed}%); dư {amount} đồng.",
    reason_en="Peptide outside its diseases, or charged at {observed}% (at most {allowed}%); {amount} VND too much.",
    legal_basis="TT20/2022 PL I mục 940; CV266 TH01 (S.004.369)",
    needs=("encounter.ma_benh_chinh", "drug_line.ten_thuoc", "drug_line.tyle_tt_bh"),
    known_gaps_vi=(
        f"{BY_NAME_VI} Đột quỵ được tính, không hỏi đã bao lâu. Z98 được tính cho mọi ca mổ, vì mã không cho biết mổ "
        f"gì; di chứng chấn thương đầu cũng được tính, theo cách hiểu của chúng tôi. {OTHER_CODE_VI}"
    ),
    known_gaps_en=(
        f"{BY_NAME_EN} Stroke counts without asking how old it is. Z98 stands for any operation, since the code does "
        f"not say which; late effects of a head injury count, which is our reading. {OTHER_CODE_EN}"
    ),
    examples=(
        hit("cho đau đầu", "for a headache", visit(ma_benh_chinh="G44.2"), drug(**_HALF), amount=FUND / 2),
        hit(
            "đột quỵ, thanh toán toàn bộ",
            "stroke, in full",
            stay(ma_benh_chinh="I63.9"),
            drug(**_PEPTIDE),
            amount=FUND / 2,
        ),
        clear("đột quỵ, thanh toán một nửa", "stroke, at half", stay(ma_benh_chinh="I63.9"), drug(**_HALF)),
        clear(
            "mổ não",
            "brain surgery",
            stay(ma_benh_chinh="D32.0"),
            surgery("2025-03-11 08:00", ten_dich_vu="Phẫu thuật lấy u não bằng đường mở nắp sọ"),
            drug(**_HALF),
        ),
        clear("thuốc khác", "another drug", visit(ma_benh_chinh="G44.2"), drug(ten_thuoc="Glycopeptid")),
        not_evaluable("thiếu chẩn đoán", "no diagnosis", visit(ma_benh_chinh=None), drug(**_HALF)),
    ),
)
def peptide(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid lines of peptides outside their diseases, and the part above the listed ratio within them."""
    known = facts("DRG-09")
    named = family(tables, "service_line", known.operation) & ~family(tables, "service_line", known.operation_not)
    operated = claims_with(tables, named, "ten_dich_vu").with_columns(operated=nw.lit(1))
    ratio = money("tyle_tt_bh")
    found = (
        given(tables, drug_named(tables, known), known)
        .join(operated, on=KEY, how="left")
        .with_columns(right=diagnosed(expand(listed(known, "icd"))) | ~nw.col("operated").is_null())
        .filter(~nw.col("right") | (ratio > known.ratio).fill_null(value=False))
    )
    above = (ratio - known.ratio) / ratio * money("t_bhtt")
    return line_hits(
        found,
        amount=nw.when(nw.col("right")).then(above).otherwise(money("t_bhtt")),
        observed=ratio,
        allowed=nw.lit(float(known.ratio)),
    )


_ENZYME: dict[str, Any] = {"ten_thuoc": "Alphachymotrypsin 4,2mg"}


@rule(
    id="DRG-16",
    version=1,
    scheme="DRUG_OFF_CONDITION",
    severity="deny",
    title_vi="Alphachymotrypsin ngoài phù nề sau mổ, chấn thương, bỏng",
    title_en="Alphachymotrypsin outside oedema after surgery, trauma or burns",
    reason_vi="Không có chấn thương, bỏng hay phẫu thuật trong {allowed} ngày; quỹ chi {amount} đồng.",
    reason_en="No injury, burn or operation within {allowed} days; the fund pays {amount} VND.",
    legal_basis="TT20/2022 PL I mục 84; CV266 TH32 (S.004.369)",
    needs=("encounter.ma_benh_chinh", "drug_line.ten_thuoc", "service_line.ma_nhom"),
    known_gaps_vi=(
        f"{BY_NAME_VI} Ca mổ nhận biết theo nhóm chi phí hoặc tên, chỉ trong các hồ sơ có tại đây: ca mổ thanh toán ở "
        f"nơi khác, hoặc của người bệnh không có mã, thì không thấy. {OTHER_CODE_VI}"
    ),
    known_gaps_en=(
        f"{BY_NAME_EN} Operations are told by their cost group or name, in the claims at hand only: one paid elsewhere "
        f"is not seen, nor one of a patient without a number. {OTHER_CODE_EN}"
    ),
    examples=(
        hit("viêm họng", "sore throat", visit(ma_benh_chinh="J02.9"), drug(**_ENZYME), amount=FUND),
        hit(
            "đã mổ hai tháng trước",
            "operated two months ago",
            stay(at="2025-01-06 08:00", ma_benh_chinh="K35.8"),
            surgery("2025-01-06 10:00"),
            visit(ma_benh_chinh="Z09.0"),
            drug(**_ENZYME),
            amount=FUND,
        ),
        clear("bong gân", "sprain", visit(ma_benh_chinh="S93.4"), drug(**_ENZYME)),
        clear(
            "sau mổ", "after the operation", stay(ma_benh_chinh="K35.8"), surgery("2025-03-10 10:00"), drug(**_ENZYME)
        ),
        clear(
            "đã mổ hai tuần trước",
            "operated two weeks ago",
            stay(at="2025-02-24 08:00", ma_benh_chinh="K35.8"),
            surgery("2025-02-24 10:00"),
            visit(ma_benh_chinh="Z09.0"),
            drug(**_ENZYME),
        ),
        clear(
            "nhổ răng",
            "a tooth pulled",
            visit(ma_benh_chinh="K08.3"),
            service(ma_nhom=18, ten_dich_vu="Nhổ răng vĩnh viễn"),
            drug(**_ENZYME),
        ),
        not_evaluable("thiếu chẩn đoán", "no diagnosis", visit(ma_benh_chinh=None), drug(**_ENZYME)),
    ),
)
def alphachymotrypsin(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid lines of the enzyme without an injury, and without an operation of the claim or shortly before it."""
    known = facts("DRG-16")
    found = given(tables, drug_named(tables, known), known).filter(~diagnosed(expand(listed(known, "icd"))))
    operation = nw.col("ma_nhom").is_in(known.surgery) | family(tables, "service_line", known.operation)
    operations = lines(tables, SERVICES, "ma_nhom", "ten_dich_vu", "ngay_yl", "ngay_th_yl").filter(operation)
    before = (
        with_encounter(operations, tables, "patient_id")
        .select("e_patient_id", at=carried_out())
        .filter(~nw.col("e_patient_id").is_null(), ~nw.col("at").is_null())
        .unique()
    )
    since = days_between(nw.col("at"), nw.col("ngay_yl"))
    recent = found.select(*LINE, "e_patient_id", "ngay_yl").join(before, on="e_patient_id", how="inner")
    healing = recent.filter(since >= 0, since <= known.days).select(*LINE).unique(LINE)
    kept = found.join(operations.select(*KEY).unique(KEY), on=KEY, how="anti").join(healing, on=LINE, how="anti")
    return line_hits(kept, amount=money("t_bhtt"), observed=NONE, allowed=nw.lit(float(known.days)))


_ZOLEDRONIC: dict[str, Any] = {"ten_thuoc": "Acid zoledronic 4mg/100ml", "duong_dung": "2.15"}


@rule(
    id="DRG-19",
    version=1,
    scheme="DRUG_OFF_CONDITION",
    severity="deny",
    title_vi="Acid zoledronic sai bệnh, sai hạng bệnh viện",
    title_en="Zoledronic acid outside its disease or hospital class",
    reason_vi="Không di căn xương tại bệnh viện hạng đặc biệt, I, II, không loãng xương; quỹ chi {amount} đồng.",
    reason_en="No bone metastasis at a hospital of class special to II, no osteoporosis; the fund pays {amount} VND.",
    legal_basis="TT20/2022 PL I mục 93; CV266 TH88 (S.004.369)",
    needs=("encounter.ma_benh_chinh", "drug_line.ten_thuoc"),
    known_gaps_vi=(
        f"{BY_NAME_VI} Chỉ xét hạng bệnh viện khi danh mục cơ sở có ghi; không xét khoa được phép điều trị loãng "
        f"xương. Đa u tủy và bệnh Paget nằm ngoài danh mục. {OTHER_CODE_VI}"
    ),
    known_gaps_en=(
        f"{BY_NAME_EN} The class is judged where the facility catalogue gives one; the departments osteoporosis must "
        f"be treated in are not judged. Myeloma and Paget's disease are outside the list. {OTHER_CODE_EN}"
    ),
    examples=(
        hit(
            "ung thư vú chưa di căn",
            "breast cancer without metastasis",
            stay(ma_benh_chinh="C50.9"),
            drug(**_ZOLEDRONIC),
            amount=FUND,
        ),
        hit(
            "di căn xương ở bệnh viện hạng III",
            "bone metastasis at class III",
            stay(ma_benh_chinh="C79.5", facility_rank="3"),
            drug(**_ZOLEDRONIC),
            amount=FUND,
        ),
        clear(
            "di căn xương ở bệnh viện hạng I",
            "bone metastasis at class I",
            stay(ma_benh_chinh="C50.9", ma_benh_kt="C79.5", facility_rank="1"),
            drug(**_ZOLEDRONIC),
        ),
        clear("không rõ hạng bệnh viện", "class unknown", stay(ma_benh_chinh="C79.5"), drug(**_ZOLEDRONIC)),
        clear("loãng xương", "osteoporosis", visit(ma_benh_chinh="M81.0", facility_rank="3"), drug(**_ZOLEDRONIC)),
        not_evaluable("thiếu chẩn đoán", "no diagnosis", stay(ma_benh_chinh=None), drug(**_ZOLEDRONIC)),
    ),
)
def zoledronic_acid(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid lines of zoledronic acid without osteoporosis and without a bone metastasis at a hospital of its class."""
    known = facts("DRG-19")
    low = nw.col("e_facility_rank").is_in(known.low_ranks).fill_null(value=False)
    found = given(tables, drug_named(tables, known), known, "facility_rank").filter(
        ~diagnosed(expand(listed(known, "icd_bone"))), ~diagnosed(expand(known.icd_metastasis)) | low
    )
    return whole(found)


_TAF: dict[str, Any] = {"ten_thuoc": "Tenofovir alafenamid 25mg"}


@rule(
    id="DRG-51",
    version=1,
    scheme="DRUG_OFF_CONDITION",
    severity="deny",
    title_vi="Tenofovir alafenamid ngoài danh mục",
    title_en="Tenofovir alafenamide off the list",
    reason_vi="Tenofovir alafenamid không có trong danh mục vào ngày kê; quỹ chi {amount} đồng.",
    reason_en="Tenofovir alafenamide was not on the list on that day; the fund pays {amount} VND.",
    legal_basis="TT20/2022; CV266 TH107 (S.004.351)",
    needs=("encounter.card_class", "drug_line.ten_thuoc", "drug_line.ngay_yl"),
    known_gaps_vi=(
        f"{BY_NAME_VI} Không biết thuốc nằm ngoài danh mục đến khi nào (chưa kiểm chứng): sau ngày cuối của tham số "
        "thì không nêu, và DRG-25 tra danh mục thuốc. Thẻ mức hưởng 5 được dùng thuốc ngoài danh mục."
    ),
    known_gaps_en=(
        f"{BY_NAME_EN} Until when it was off the list is not known (unverified): after the last day of the fact "
        "nothing is said, and DRG-25 asks the drug catalogue instead. Cards of class 5 may have drugs outside the "
        "list."
    ),
    examples=(
        hit("quỹ thanh toán", "paid by the fund", visit(ma_benh_chinh="B18.1"), drug(**_TAF), amount=FUND),
        clear(
            "tenofovir disoproxil, thuốc khác",
            "tenofovir disoproxil",
            visit(ma_benh_chinh="B18.1"),
            drug(ten_thuoc="Tenofovir disoproxil fumarat 300mg"),
        ),
        clear("người bệnh tự trả", "paid by the patient", visit(ma_benh_chinh="B18.1"), drug(muc_huong=0, **_TAF)),
        clear("thẻ của quân nhân", "a soldier's card", visit(ma_benh_chinh="B18.1", card_class="QN5"), drug(**_TAF)),
        clear(
            "sau ngày cuối đã biết",
            "after the last known day",
            visit("2026-03-10 08:00", ma_benh_chinh="B18.1"),
            drug(**_TAF),
        ),
        not_evaluable("không ghi thời điểm", "no time", visit(ma_benh_chinh="B18.1"), drug(ngay_yl=None, **_TAF)),
    ),
)
def tenofovir_alafenamide(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid lines of the drug while it is known to be off the list, but on cards that pay beyond it."""
    known = facts("DRG-51")
    paid = lines(tables, DRUGS, "ten_thuoc", "ma_thuoc", "ngay_yl", "t_bhtt").filter(
        drug_named(tables, known), money("t_bhtt") > 0, known["off_list"].at(nw.col("ngay_yl")) > 0
    )
    digit = nw.col("e_card_class").str.slice(2, 1)
    return whole(with_encounter(paid, tables, "card_class").filter(digit != "5"))
