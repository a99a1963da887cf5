"""Drugs their label forbids: for a disease the person has, for an age, or in pregnancy.

The rows of the family in `drug_conditions`, the other way round: the diagnosis that is there is the sign.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detectors.drug_family import Told, drug_rule
from detectors.examples import drug, stay, surgery, visit

if TYPE_CHECKING:
    from detectors.base import Rule

_LABEL = "tờ hướng dẫn sử dụng thuốc"
_OLD_CODE_VI = "Bệnh đã khỏi từ lâu mà vẫn ghi mã trông cũng như vậy."
_OLD_CODE_EN = "A disease that is long over but still coded looks the same."
_ORAL: dict[str, Any] = {"duong_dung": "1.01"}
_SUGAR: dict[str, Any] = {"ma_benh_chinh": "E11.9"}

CONTRA_TOLD: tuple[Told, ...] = (
    Told(
        id="DRG-08",
        scheme="DRUG_CONTRA",
        vi="Diclofenac khi suy tim, bệnh mạch vành, mạch não, mạch ngoại vi",
        en="Diclofenac in heart failure or vascular disease",
        law="CV 5749/QLD-ĐK 2017; CV266 TH97 (S.004.605)",
        drug="Diclofenac 50mg",
        line=_ORAL,
        wrong={"ma_benh_chinh": "M54.5", "ma_benh_kt": "I25.1"},
        right={"ma_benh_chinh": "M54.5"},
        rights=(
            (
                "dạng gel bôi",
                "gel",
                (visit(ma_benh_chinh="I50.9"), drug(ten_thuoc="Voltaren Emulgel", duong_dung="3.05")),
            ),
        ),
        gap_vi=f"Chỉ xét đường uống và đường tiêm; bỏ qua viên đặt và gel. {_OLD_CODE_VI}",
        gap_en=f"By mouth and injections only; suppositories and gels are passed over. {_OLD_CODE_EN}",
    ),
    Told(
        id="DRG-21",
        scheme="DRUG_CONTRA",
        vi="Diacerein từ 65 tuổi, có bệnh gan, hoặc không thoái hóa khớp",
        en="Diacerein at 65 and over, with liver disease, or without osteoarthritis",
        law="CV 5543/2015 và CV 889/2019 của Cục Quản lý Dược; CV266 TH21 (S.004.369)",
        drug="Diacerein 50mg",
        wrong={"ma_benh_chinh": "M54.5"},
        right={"ma_benh_chinh": "M17.1"},
        wrongs=(
            (
                "tròn 65 tuổi hôm nay",
                "65 today",
                (visit(ma_benh_chinh="M17.1", ngay_sinh="1960-03-10"), drug(ten_thuoc="Artrodar")),
            ),
            (
                "bệnh gan",
                "liver disease",
                (visit(ma_benh_chinh="M17.1", ma_benh_kt="K76.0"), drug(ten_thuoc="Diacerein 50mg")),
            ),
        ),
        rights=(
            (
                "ngày mai tròn 65 tuổi",
                "65 tomorrow",
                (visit(ma_benh_chinh="M17.1", ngay_sinh="1960-03-11"), drug(ten_thuoc="Diacerein")),
            ),
            (
                "năm nay 65 tuổi, không rõ tháng sinh",
                "65 this year, the month unknown",
                (
                    visit(ma_benh_chinh="M17.1", ngay_sinh="1960-01-01", birth_precision="year"),
                    drug(ten_thuoc="Diacerein"),
                ),
            ),
        ),
        gap_vi="Bệnh gan đã qua trông cũng như vậy. Thoái hóa khớp ghi mã khác trông như không có.",
        gap_en="A liver disease of the past looks the same. Osteoarthritis under another code looks like none.",
    ),
    Told(
        id="DRG-45",
        scheme="DRUG_CONTRA",
        vi="Acid amin + glucose + lipid khi suy tim, nhồi máu cơ tim, phù phổi",
        en="Parenteral amino acids, glucose and lipid in heart failure, infarction or lung oedema",
        law=f"{_LABEL}; CV266 KT63 (S.004.605)",
        drug="Acid amin + glucose + lipid 1440ml",
        wrong={"ma_benh_chinh": "I50.9"},
        right={"ma_benh_chinh": "K56.7"},
        gap_vi=f"Tờ hướng dẫn sử dụng khác nhau tùy sản phẩm. {_OLD_CODE_VI}",
        gap_en=f"Labels differ by product. {_OLD_CODE_EN}",
    ),
    Told(
        id="DRG-46",
        scheme="DRUG_CONTRA",
        vi="Vitamin B (Neutrivit, Savi 3B) khi u ác tính",
        en="Vitamin B products in malignancy",
        law=f"{_LABEL}; CV266 TH81 (S.004.605)",
        drug="Savi 3B",
        wrong={"ma_benh_chinh": "C50.9"},
        right={"ma_benh_chinh": "G62.9"},
        rights=(("u lành tính", "a benign tumour", (visit(ma_benh_chinh="D24"), drug(ten_thuoc="Neutrivit 5000"))),),
        gap_vi=f"Chỉ nhận biết hai sản phẩm này. {_OLD_CODE_VI}",
        gap_en=f"Only these two products are told. {_OLD_CODE_EN}",
    ),
    Told(
        id="DRG-47",
        scheme="DRUG_CONTRA",
        vi="Phalintop, Tioga khi đái tháo đường (Tioga: cả tắc, viêm đường mật)",
        en="Phalintop or Tioga in diabetes (Tioga: also bile duct obstruction or inflammation)",
        law=f"{_LABEL}; CV266 TH90, TH91 (S.004.605)",
        drug="Phalintop 10ml",
        wrong=_SUGAR,
        right={"ma_benh_chinh": "K76.0"},
        parts=("_a", "_b"),
        wrongs=(
            ("Tioga khi có sỏi mật", "Tioga with gallstones", (visit(ma_benh_chinh="K80.2"), drug(ten_thuoc="Tioga"))),
        ),
        rights=(
            (
                "Phalintop khi có sỏi mật",
                "Phalintop with gallstones",
                (visit(ma_benh_chinh="K80.2"), drug(ten_thuoc="Phalintop")),
            ),
        ),
        gap_vi="Chỉ nhận biết hai sản phẩm này, theo tên.",
        gap_en="Only these two products are told.",
    ),
    Told(
        id="DRG-48",
        scheme="DRUG_CONTRA",
        vi="Calci + vitamin D khi có sỏi tiết niệu",
        en="Calcium with vitamin D and urinary stones",
        law=f"{_LABEL}; CV266 TH98 (S.004.605)",
        drug="Caldihasan 1250mg/125IU",
        wrong={"ma_benh_chinh": "N20.0"},
        right={"ma_benh_chinh": "M81.0"},
        gap_vi=f"Chỉ nhận biết các sản phẩm nêu trong công văn, không phải mọi thuốc calci cùng mã. {_OLD_CODE_VI}",
        gap_en=f"Only the products of the letter are told, not every calcium of the code. {_OLD_CODE_EN}",
    ),
    Told(
        id="DRG-49",
        scheme="DRUG_CONTRA",
        vi="Ivabradin khi sốc tim, nhồi máu cơ tim cấp, đau thắt ngực không ổn định",
        en="Ivabradine in cardiogenic shock, acute infarction or unstable angina",
        law=f"{_LABEL}; CV266 TH85 (S.004.605)",
        drug="Ivabradin 5mg",
        wrong={"ma_benh_chinh": "I21.0"},
        right={"ma_benh_chinh": "I25.2"},
        gap_vi="Bắt đầu dùng vào cuối đợt nội trú, sau những ngày cấp tính, trông cũng như vậy.",
        gap_en="Started late in a stay, after the acute days, it looks the same.",
    ),
    Told(
        id="DRG-22",
        scheme="DRUG_CONTRA",
        severity="warn",
        vi="Levofloxacin, moxifloxacin cho người dưới 18 tuổi hoặc có thai",
        en="Levofloxacin or moxifloxacin under 18 or in pregnancy",
        law="tờ hướng dẫn sử dụng thuốc; TT37/2024 Đ8 k3; CV266 TH28, TH42 (S.004.605)",
        drug="Levofloxacin 500mg",
        line=_ORAL,
        wrong={"ma_benh_chinh": "O23.1", "gioi_tinh": 2},
        right={"ma_benh_chinh": "J18.9"},
        wrongs=(
            ("17 tuổi", "17 years old", (visit(ngay_sinh="2007-03-11"), drug(ten_thuoc="Levofloxacin 500mg", **_ORAL))),
        ),
        rights=(
            (
                "hôm nay tròn 18 tuổi",
                "18 today",
                (visit(ngay_sinh="2007-03-10"), drug(ten_thuoc="Levofloxacin 500mg", **_ORAL)),
            ),
            (
                "thuốc nhỏ mắt",
                "eye drops",
                (visit(ngay_sinh="2017-03-10"), drug(ten_thuoc="Moxifloxacin 0,5%", duong_dung="6.01")),
            ),
            (
                "bệnh lao",
                "tuberculosis",
                (visit(ngay_sinh="2012-03-10", ma_benh_chinh="A15.0"), drug(ten_thuoc="Levofloxacin", **_ORAL)),
            ),
        ),
        gap_vi=(
            "Dữ liệu không có ghi chú tình trạng đe dọa tính mạng; lao, dịch hạch, bệnh than và xơ nang được coi là "
            "lý do, theo cách hiểu của chúng tôi. Thuốc của mẹ ghi trên thẻ của con trông cũng như vậy."
        ),
        gap_en=(
            "A note that life was at stake is not in the data; tuberculosis, plague, anthrax and cystic fibrosis "
            "excuse, which is our reading. A mother's drug under her child's card looks the same."
        ),
    ),
    Told(
        id="DRG-23",
        scheme="DRUG_CONTRA",
        severity="warn",
        vi="Metformin trái chống chỉ định trên nhãn",
        en="Metformin against its label",
        law="tờ hướng dẫn sử dụng thuốc (tùy sản phẩm); TT37/2024 Đ8 k3; CV266 TH45 (S.004.605)",
        drug="Metformin 850mg",
        wrong={"ma_benh_chinh": "E11.9", "ma_benh_kt": "I10;I50.9"},
        right=_SUGAR,
        wrongs=(
            (
                "có ca mổ trong hồ sơ",
                "an operation in the claim",
                (stay(**_SUGAR), surgery("2025-03-11 08:00", muc_huong=0), drug(ten_thuoc="Glucophage XR")),
            ),
        ),
        gap_vi=(
            "Nhiều tờ hướng dẫn cho phép dùng khi bệnh tim ổn định, bệnh thận nhẹ: mã bệnh không cho biết giai đoạn "
            f"và mức ổn định. Chấn thương nào là nặng do chúng tôi lập danh sách. {_OLD_CODE_VI}"
        ),
        gap_en=(
            "Many labels allow it in stable heart disease and mild kidney disease: stage and stability are not in the "
            f"code. Which injuries are severe is our list. {_OLD_CODE_EN}"
        ),
    ),
    Told(
        id="DRG-53",
        scheme="DRUG_CONTRA",
        severity="warn",
        vi="Gliclazid + metformin (Melanov-M) trái chống chỉ định",
        en="Gliclazide-metformin against its label",
        law=f"{_LABEL}; CV266 TH77 (S.004.605)",
        drug="Melanov-M",
        wrong={"ma_benh_chinh": "E10.9"},
        right=_SUGAR,
        rights=(
            (
                "chỉ dùng gliclazid",
                "gliclazide alone",
                (visit(ma_benh_chinh="E10.9"), drug(ten_thuoc="Gliclazid 30mg")),
            ),
        ),
        gap_vi=f"Tờ hướng dẫn sử dụng khác nhau tùy sản phẩm. {_OLD_CODE_VI}",
        gap_en=f"Labels differ by product. {_OLD_CODE_EN}",
    ),
)

CONTRAS: tuple[Rule, ...] = tuple(drug_rule(told) for told in CONTRA_TOLD)
