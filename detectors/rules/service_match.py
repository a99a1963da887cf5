"""Services that do not fit: with the diagnosis, with what else the claim bills, or without what they cannot go without.

A name stands for a service until codes are checked; patterns, diagnoses and times are facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import TEST_PRICE, bed, drug, exam, service, stay, surgery, visit
from detectors.expressions import (
    DRUGS,
    SERVICES,
    SURGERY,
    TESTS,
    admission,
    care_type,
    carried_out,
    day,
    days_between,
    diagnosed,
    family,
    line_hits,
    lines,
    money,
    named_service,
    with_encounter,
)
from detectors.facts import facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from data.schema import ClaimTables
    from detectors.base import Rule, Severity

PROCEDURE = 18
KEY: list[str] = list(ENCOUNTER_KEY)
FUND = TEST_PRICE * 0.8  # what the fund pays for a service of the examples
NONE = nw.lit(None, dtype=nw.Float64)
BY_NAME_VI = "Nhận biết theo tên, cho đến khi mã được kiểm tra; dịch vụ không có tên thì bỏ qua."
BY_NAME_EN = "Told by names, until codes are checked; a service without a name is passed over."
_CHRONIC_LUNG = "J44.9"


def _billed(tables: ClaimTables, belongs: nw.Expr, *columns: str) -> nw.LazyFrame[Any]:
    """Paid service lines of a family."""
    wanted = dict.fromkeys(("ten_dich_vu", "t_bhtt", *columns))
    return lines(tables, SERVICES, *wanted).filter(belongs, money("t_bhtt") > 0)


def _claims(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    return frame.select(*KEY).unique(KEY)


def _line_days(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Encounters and days on which lines were ordered or carried out."""
    return nw.concat(
        [frame.filter(~nw.col(c).is_null()).select(*KEY, date=day(nw.col(c))) for c in ("ngay_yl", "ngay_th_yl")]
    ).unique([*KEY, "date"])


def _with_diagnoses(frame: nw.LazyFrame[Any], tables: ClaimTables, *columns: str) -> nw.LazyFrame[Any]:
    """`frame` with the diagnoses of its encounter; encounters without a main one are left out."""
    joined = with_encounter(frame, tables, "ma_benh_chinh", "ma_benh_kt", *columns)
    return joined.filter(~nw.col("e_ma_benh_chinh").is_null())


def _whole(found: nw.LazyFrame[Any], share: float = 1.0) -> nw.LazyFrame[Any]:
    """Signs on lines whose whole amount, or a share of it, is at stake, without a figure to compare."""
    return line_hits(found, amount=money("t_bhtt") * share, observed=NONE, allowed=NONE)


# --- A service that the claim must, or must not, bill together with another


@dataclass(frozen=True, slots=True, kw_only=True)
class Companion:
    """A service told by name that is out of place with, or without, another one in the claim."""

    id: str
    scheme: str
    severity: Severity
    needs_other: bool  # True: a sign where the other is missing; False: a sign where it is there
    vi: str
    en: str
    law: str
    service: str  # a name of each for the examples
    other: str
    like: str | None = None  # a name that only sounds like the service
    gap_vi: str
    gap_en: str


COMPANIONS_TOLD: tuple[Companion, ...] = (
    Companion(
        id="SRV-14",
        scheme="UNBUNDLE_SERVICE",
        severity="deny",
        needs_other=False,
        vi="Test nhanh HP tính thêm khi đã nội soi dạ dày, tá tràng",
        en="HP antigen test beside gastroscopy",
        law="quyết định giá của cơ sở; CV266 KT32 (S.005.655)",
        service="Helicobacter pylori Ag test nhanh",
        other="Nội soi thực quản, dạ dày, tá tràng ống mềm",
        like="Test hơi thở tìm HP bằng C13",
        gap_vi=(
            "Xét nghiệm phân xác nhận khỏi bệnh nhiều tuần sau nội soi, trong cùng một hồ sơ dài, trông cũng như vậy."
        ),
        gap_en="A stool test to confirm the cure weeks after the endoscopy, in one long claim, looks the same.",
    ),
    Companion(
        id="SRV-17",
        scheme="DIAG_SERVICE_MISMATCH",
        severity="deny",
        needs_other=True,
        vi="Hút đờm kín khi không thở máy",
        en="Closed suction without ventilation",
        law="quyết định giá của cơ sở; CV266 KT166 (S.005.658)",
        service="Hút đờm qua ống nội khí quản/canuyn mở khí quản bằng ống thông kín",
        other="Thông khí nhân tạo xâm nhập (một ngày thở máy)",
        like="Hút đờm qua ống nội khí quản bằng ống thông một lần",
        gap_vi="Thở máy kê ở hồ sơ khác của đợt, hoặc đã nằm trong giá giường, thì không thấy.",
        gap_en="Ventilation that is billed in another claim of the stay, or is in the price of a bed, is not seen.",
    ),
    Companion(
        id="SRV-43",
        scheme="UPCODE_SERVICE",
        severity="deny",
        needs_other=True,
        vi="Nội soi sinh thiết không có giải phẫu bệnh",
        en="Endoscopy with biopsy but no pathology",
        law="quy trình kỹ thuật; CV266 KT64 (S.005.658)",
        service="Nội soi thực quản, dạ dày, tá tràng có sinh thiết",
        other="Xét nghiệm giải phẫu bệnh mô bệnh học thường quy",
        like="Nội soi đại tràng toàn bộ ống mềm không sinh thiết",
        gap_vi=(
            "Giải phẫu bệnh kê ở hồ sơ sau, hoặc do cơ sở khác kê, thì không thấy. Sinh thiết để làm test urease "
            "không cần giải phẫu bệnh. Hồ sơ không có giá nội soi không sinh thiết: lấy một tỷ lệ thay cho phần "
            "chênh, là ước tính."
        ),
        gap_en=(
            "Pathology billed in a later claim, or by another facility, is not seen. A biopsy for a urease test needs "
            "none. The price of the endoscopy without biopsy is not in the claim: a share stands for the difference, "
            "an estimate."
        ),
    ),
)


def _companion_query(told: Companion) -> Callable[[ClaimTables], nw.LazyFrame[Any]]:
    known = facts(told.id)

    def query(tables: ClaimTables) -> nw.LazyFrame[Any]:
        """Paid lines of the service in claims that bill the other one, or in those that do not."""
        others = lines(tables, SERVICES, "ten_dich_vu", "t_bhtt")
        if told.needs_other:  # done is enough, paid or not
            done = family(tables, "service_line", known.beside)
            if "urease" in known:
                done = done | family(tables, "service_line", known.urease)
            others = others.filter(done)
        else:
            others = others.filter(family(tables, "service_line", known.beside), money("t_bhtt") > 0)
        found = _billed(tables, named_service(tables, told.id)).join(
            _claims(others), on=KEY, how="anti" if told.needs_other else "semi"
        )
        return _whole(found, known.share / 100 if "share" in known else 1.0)

    return query


def _companion_rule(told: Companion) -> Rule:
    known = facts(told.id)
    share = known.share / 100 if "share" in known else 1.0
    one, other = (service(ma_nhom=PROCEDURE, ten_dich_vu=name) for name in (told.service, told.other))
    alone, together = (stay(), one), (stay(), one, other)
    by_itself, beside = ("chỉ có dịch vụ này", "alone"), ("có cả dịch vụ kia", "beside the other")
    wrong_title, right_title = (by_itself, beside) if told.needs_other else (beside, by_itself)
    wrong, right = (alone, together) if told.needs_other else (together, alone)
    like = () if told.like is None else (service(ma_nhom=PROCEDURE, ten_dich_vu=told.like),)
    made = rule(
        id=told.id,
        version=1,
        scheme=told.scheme,
        severity=told.severity,
        title_vi=told.vi,
        title_en=told.en,
        reason_vi=f"{told.vi}: quỹ chi {{amount}} cho dịch vụ này.",
        reason_en=f"{told.en}: {{amount}} is at stake for the service.",
        legal_basis=told.law,
        needs=("service_line.t_bhtt",),
        known_gaps_vi=f"{BY_NAME_VI} {told.gap_vi}",
        known_gaps_en=f"{BY_NAME_EN} {told.gap_en}",
        examples=(
            hit(*wrong_title, *wrong, amount=FUND * share),
            clear(*right_title, *right),
            *(
                clear("dịch vụ có tên gần giống", "a service of a like name", *wrong[:1], *like, *wrong[2:])
                for _ in like
            ),
            not_evaluable("thiếu thành tiền", "no amount", *right, service(t_bhtt=None)),
        ),
    )
    return made(_companion_query(told))


COMPANIONS: tuple[Rule, ...] = tuple(_companion_rule(told) for told in COMPANIONS_TOLD)


# --- A service and the diagnoses it asks for, or those it must not meet


@dataclass(frozen=True, slots=True, kw_only=True)
class Indication:
    """A service told by name and the diagnoses that decide whether it may be paid."""

    id: str
    severity: Severity
    needs_icd: bool  # True: a sign where none of the diagnoses is there; False: where one is
    vi: str
    en: str
    law: str
    service: str  # a name for the examples
    wrong: str  # main diagnoses for the examples
    right: str
    exempt: str | None = None  # a second diagnosis that excuses the wrong one
    gap_vi: str
    gap_en: str


INDICATIONS_TOLD: tuple[Indication, ...] = (
    Indication(
        id="SRV-51",
        severity="deny",
        needs_icd=True,
        vi="Bơm thông lệ đạo không có tắc lệ đạo",
        en="Lacrimal irrigation without obstruction",
        law="QĐ 3906/QĐ-BYT 2012; CV266 KT25 (S.005.649)",
        service="Bơm thông lệ đạo",
        wrong="H25.9",
        right="H04.5",
        gap_vi="Tắc bẩm sinh và chấn thương mắt cũng được coi là lý do, theo cách hiểu của chúng tôi.",
        gap_en="Congenital obstruction and injuries of the eye count as a reason too, which is our reading.",
    ),
    Indication(
        id="SRV-52",
        severity="deny",
        needs_icd=True,
        vi="Vận động trị liệu hô hấp không có bệnh phổi mạn",
        en="Respiratory therapy without chronic lung disease",
        law="QĐ 1981/QĐ-BYT 2014; CV266 KT47 (S.005.649)",
        service="Vận động trị liệu hô hấp",
        wrong="I63.9",
        right=_CHRONIC_LUNG,
        gap_vi="Người bệnh thở máy hoặc sau mổ không có bệnh phổi mạn trông cũng như vậy.",
        gap_en="Ventilated and operated patients without a chronic lung disease look the same.",
    ),
    Indication(
        id="SRV-53",
        severity="warn",
        needs_icd=False,
        vi="Nội soi thực quản dạ dày ở người suy tim",
        en="Gastroscopy in heart failure",
        law="QĐ 3805/QĐ-BYT 2014; CV266 KT84 (S.005.653)",
        service="Nội soi thực quản, dạ dày, tá tràng ống mềm",
        wrong="I50.9",
        right="K29.7",
        exempt="K92.2",
        gap_vi=(
            "Mã bệnh không cho biết mức độ suy tim. Loét chảy máu và giãn tĩnh mạch được coi là lý do, theo cách hiểu "
            "của chúng tôi."
        ),
        gap_en=(
            "The degree of heart failure is not in the code. Bleeding ulcers and varices excuse, which is our reading."
        ),
    ),
    Indication(
        id="SRV-22",
        severity="warn",
        needs_icd=False,
        vi="PHCN chống chỉ định ở người bệnh u ác tính",
        en="Contraindicated rehab in malignancy",
        law="quy trình kỹ thuật; CV266 KT79 (S.005.653)",
        service="Điều trị bằng sóng ngắn",
        wrong="C50.9",
        right="M54.5",
        gap_vi=(
            "Danh sách kỹ thuật do chúng tôi lập (chưa kiểm chứng). Ung thư đã khỏi từ lâu mà vẫn ghi mã C, hoặc kỹ "
            "thuật làm xa khối u, trông cũng như vậy."
        ),
        gap_en=(
            "The list of techniques is ours (unverified). A cancer healed long ago but still coded C, or a technique "
            "far from the tumour, looks the same."
        ),
    ),
)


def _indication_query(told: Indication) -> Callable[[ClaimTables], nw.LazyFrame[Any]]:
    known = facts(told.id)
    codes = [*known.icd, *(known.icd_also if "icd_also" in known else ())]
    excused = [c for name in ("exempt", "exempt_also") if name in known for c in known[name].value]

    def query(tables: ClaimTables) -> nw.LazyFrame[Any]:
        """Paid lines of the service in claims whose diagnoses do not allow it."""
        billed = _with_diagnoses(_billed(tables, named_service(tables, told.id)), tables)
        found = billed.filter(~diagnosed(codes) if told.needs_icd else diagnosed(codes))
        return _whole(found.filter(~diagnosed(excused)) if excused else found)

    return query


def _indication_rule(told: Indication) -> Rule:
    known = facts(told.id)
    billed = service(ma_nhom=PROCEDURE, ten_dich_vu=told.service)
    codes = ", ".join(known.icd)
    excused = (
        ()
        if told.exempt is None
        else (
            clear(
                "có lý do được chấp nhận", "excused", visit(ma_benh_chinh=told.wrong, ma_benh_kt=told.exempt), billed
            ),
        )
    )
    second = told.right if told.needs_icd else "I10"
    made = rule(
        id=told.id,
        version=1,
        scheme="DIAG_SERVICE_MISMATCH",
        severity=told.severity,
        title_vi=told.vi,
        title_en=told.en,
        reason_vi=f"{told.vi} ({'không có' if told.needs_icd else 'có'} mã bệnh {codes}); quỹ chi {{amount}}.",
        reason_en=f"{told.en} ({'no' if told.needs_icd else 'a'} diagnosis of {codes}); the fund pays {{amount}}.",
        legal_basis=told.law,
        needs=("encounter.ma_benh_chinh", "service_line.t_bhtt"),
        known_gaps_vi=f"{BY_NAME_VI} {told.gap_vi}",
        known_gaps_en=f"{BY_NAME_EN} {told.gap_en}",
        examples=(
            hit(f"bệnh chính {told.wrong}", f"with {told.wrong}", visit(ma_benh_chinh=told.wrong), billed, amount=FUND),
            clear(
                f"bệnh chính {told.right}",
                f"with {told.right}",
                visit(ma_benh_chinh=told.right, ma_benh_kt="I10"),
                billed,
            ),
            clear(
                "chẩn đoán kia là bệnh kèm theo",
                "the other diagnosis is a second one",
                visit(ma_benh_chinh="R05", ma_benh_kt=f"I10;{second}"),
                billed,
            ),
            clear("dịch vụ khác", "another service", visit(ma_benh_chinh=told.wrong), exam()),
            *excused,
            not_evaluable("thiếu chẩn đoán", "no diagnosis", visit(ma_benh_chinh=None), billed),
        ),
    )
    return made(_indication_query(told))


INDICATIONS: tuple[Rule, ...] = tuple(_indication_rule(told) for told in INDICATIONS_TOLD)


# --- Services with a condition of their own

_GIEMSA: dict[str, Any] = {"ten_dich_vu": "Nhuộm Giemsa tìm HP trong mảnh sinh thiết"}
_BIOPSY: dict[str, Any] = {"ma_nhom": 3, "ten_dich_vu": "Nội soi thực quản, dạ dày, tá tràng có sinh thiết"}


@rule(
    id="SRV-15",
    version=1,
    scheme="UNBUNDLE_SERVICE",
    severity="deny",
    title_vi="Nhuộm Giemsa tìm HP không đúng điều kiện",
    title_en="Giemsa stain for HP outside condition",
    reason_vi="Nhuộm Giemsa tìm HP kèm nội soi sinh thiết, hoặc không có phẫu thuật dạ dày; quỹ chi {amount}.",
    reason_en="Giemsa stain for HP beside a paid biopsy, or without gastric surgery; the fund pays {amount}.",
    legal_basis="quyết định giá của cơ sở; CV266 KT104 (S.001.646)",
    needs=("service_line.t_bhtt",),
    known_gaps_vi=f"{BY_NAME_VI} Bệnh phẩm của hồ sơ khác hoặc cơ sở khác, chỉ nhuộm tại đây, trông cũng như vậy.",
    known_gaps_en=f"{BY_NAME_EN} A specimen of another claim or facility that is only stained here looks the same.",
    examples=(
        hit("làm cùng sinh thiết", "beside a biopsy", visit(), service(**_BIOPSY), service(**_GIEMSA), amount=FUND),
        hit(
            "không có gì lấy bệnh phẩm",
            "nothing that gives a specimen",
            visit(),
            exam(),
            service(**_GIEMSA),
            amount=FUND,
        ),
        clear(
            "bệnh phẩm từ mổ cắt dạ dày",
            "of a gastrectomy",
            stay(),
            surgery("2025-03-11 08:00", ten_dich_vu="Cắt bán phần dạ dày"),
            service(**_GIEMSA),
        ),
        clear("sinh thiết, không nhuộm", "a biopsy without the stain", visit(), service(**_BIOPSY)),
        not_evaluable("thiếu thành tiền", "no amount", visit(), service(t_bhtt=None)),
    ),
)
def giemsa_stain(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid Giemsa stains for HP but in claims with gastric surgery and without a paid gastroscopy with biopsy."""
    biopsied = _claims(_billed(tables, named_service(tables, "SRV-15", "biopsied")))
    operated = lines(tables, SERVICES, "ten_dich_vu").filter(named_service(tables, "SRV-15", "surgery"))
    lawful = _claims(operated).join(biopsied, on=KEY, how="anti")
    return _whole(_billed(tables, named_service(tables, "SRV-15")).join(lawful, on=KEY, how="anti"))


_FROZEN: dict[str, Any] = {"ten_dich_vu": "Xét nghiệm mô bệnh học tức thì bằng phương pháp cắt lạnh"}
_ELEVENTH: dict[str, Any] = {"ngay_yl": "2025-03-11 08:30", "ngay_th_yl": "2025-03-11 08:30"}


@rule(
    id="SRV-44",
    version=1,
    scheme="PHANTOM_SERVICE",
    severity="deny",
    title_vi="Cắt lạnh tức thì không có phẫu thuật",
    title_en="Frozen section without surgery",
    reason_vi="Cắt lạnh tức thì nhưng trong ngày không có phẫu thuật, sinh thiết có hướng dẫn; quỹ chi {amount}.",
    reason_en="A frozen section without surgery or a guided biopsy on its day; the fund pays {amount}.",
    legal_basis="quy trình kỹ thuật; CV266 KT86 (S.005.657)",
    needs=("service_line.ma_nhom", "service_line.ngay_yl"),
    known_gaps_vi=(
        f"{BY_NAME_VI} Bệnh phẩm do cơ sở khác gửi đến trông cũng như vậy. Ngày xét là ngày y lệnh hoặc ngày thực hiện."
    ),
    known_gaps_en=f"{BY_NAME_EN} A specimen sent by another facility looks the same. The day is that of order or act.",
    examples=(
        hit("không có ca mổ", "no operation", stay(), service(**_FROZEN), amount=FUND),
        hit(
            "mổ hôm trước",
            "operation the day before",
            stay(),
            surgery("2025-03-10 08:00"),
            service(**_ELEVENTH, **_FROZEN),
            amount=FUND,
        ),
        clear(
            "trong khi mổ", "during the operation", stay(), surgery("2025-03-11 08:00"), service(**_ELEVENTH, **_FROZEN)
        ),
        clear(
            "sinh thiết dưới hướng dẫn",
            "guided biopsy",
            stay(),
            service(ma_nhom=PROCEDURE, ten_dich_vu="Sinh thiết phổi dưới hướng dẫn của cắt lớp vi tính"),
            service(**_FROZEN),
        ),
        not_evaluable(
            "thiếu thời điểm y lệnh", "no order time", stay(), service(ngay_yl=None, ngay_th_yl=None, **_FROZEN)
        ),
    ),
)
def frozen_section(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid frozen sections of a day on which the claim has neither surgery nor a guided biopsy."""
    sampled = (nw.col("ma_nhom") == SURGERY) | family(tables, "service_line", facts("SRV-44").guided_biopsy)
    days = _line_days(lines(tables, SERVICES, "ma_nhom", "ten_dich_vu", "ngay_yl", "ngay_th_yl").filter(sampled))
    frozen = _billed(tables, named_service(tables, "SRV-44"), "ngay_yl", "ngay_th_yl").with_columns(
        date=day(carried_out())
    )
    return _whole(frozen.filter(~nw.col("date").is_null()).join(days, on=[*KEY, "date"], how="anti"))


_ROOT: dict[str, Any] = {"ma_nhom": PROCEDURE, "ten_dich_vu": "Điều trị tủy răng số 4, 5"}
_TOOTH_XRAY: dict[str, Any] = {"ma_nhom": 2, "ten_dich_vu": "Chụp X-quang răng cận chóp"}


@rule(
    id="SRV-45",
    version=1,
    scheme="PHANTOM_SERVICE",
    severity="deny",
    title_vi="Điều trị tủy răng không chụp X-quang",
    title_en="Root canal without X-ray",
    reason_vi="Điều trị tủy răng, không có phim răng trong hồ sơ và trong {allowed} ngày trước; quỹ chi {amount}.",
    reason_en="A root canal without a dental X-ray in the claim or in the {allowed} days before; {amount} is at stake.",
    legal_basis="QĐ 3207/QĐ-BYT 2013; CV266 KT04 (S.005.658)",
    needs=("encounter.patient_id", "encounter.ngay_vao", "service_line.t_bhtt"),
    known_gaps_vi=f"{BY_NAME_VI} Phim người bệnh tự trả, mang theo, hoặc đã nằm trong giá thì không thấy.",
    known_gaps_en=f"{BY_NAME_EN} An X-ray the patient paid for, brought along, or within the price is not seen.",
    examples=(
        hit("không chụp X-quang", "no X-ray", visit(), service(**_ROOT), amount=FUND),
        hit(
            "chụp X-quang từ tháng 1",
            "an X-ray in January",
            visit("2025-01-10 08:00"),
            service(**_TOOTH_XRAY),
            visit(),
            service(**_ROOT),
            amount=FUND,
        ),
        clear("có X-quang trong hồ sơ", "an X-ray in the claim", visit(), service(**_ROOT), service(**_TOOTH_XRAY)),
        clear(
            "chụp X-quang trước đó một tuần",
            "an X-ray a week before",
            visit("2025-03-03 08:00"),
            service(**_TOOTH_XRAY),
            visit(),
            service(**_ROOT),
        ),
        not_evaluable("thiếu mã người bệnh", "no patient", visit(patient_id=None), service(**_ROOT)),
    ),
)
def root_canal(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid root canals without a dental X-ray in the claim or in an earlier one of the last weeks."""
    known = facts("SRV-45")
    roots = with_encounter(_billed(tables, named_service(tables, "SRV-45")), tables, "patient_id", "ngay_vao").filter(
        ~nw.col("e_patient_id").is_null(), ~nw.col("e_ngay_vao").is_null()
    )
    films = lines(tables, SERVICES, "ten_dich_vu").filter(family(tables, "service_line", known.image))
    seen = with_encounter(_claims(films), tables, "patient_id", "ngay_vao").select(
        "e_patient_id", p_ma_cskcb=nw.col("ma_cskcb"), p_ma_lk=nw.col("ma_lk"), p_at=nw.col("e_ngay_vao")
    )
    own = (nw.col("p_ma_cskcb") == nw.col("ma_cskcb")) & (nw.col("p_ma_lk") == nw.col("ma_lk"))
    before = nw.col("p_at") < nw.col("e_ngay_vao")
    near = days_between(nw.col("p_at"), nw.col("e_ngay_vao")) <= known.days
    covered = roots.join(seen, on="e_patient_id", how="inner").filter(own | (before & near))
    found = roots.join(_claims(covered), on=KEY, how="anti")
    return line_hits(found, amount=money("t_bhtt"), observed=NONE, allowed=nw.lit(float(known.days)))


_TARGETED: dict[str, Any] = {"ma_nhom": PROCEDURE, "ten_dich_vu": "Điều trị đích trong ung thư"}
_TARGET_DRUG: dict[str, Any] = {"ten_thuoc": "Trastuzumab 440 mg", "don_vi_tinh": "lọ", "lieu_dung": None}


@rule(
    id="SRV-54",
    version=1,
    scheme="UNBUNDLE_SERVICE",
    severity="deny",
    title_vi="Dịch vụ điều trị đích kèm thuốc đích, truyền hóa chất",
    title_en="Targeted-therapy service beside the drug or infusion",
    reason_vi="Dịch vụ điều trị đích tính kèm thuốc đích hoặc truyền hóa chất; quỹ chi {amount} cho dịch vụ.",
    reason_en="A targeted-therapy service beside the drug or a chemotherapy infusion; the fund pays {amount} for it.",
    legal_basis="TT50/2017 Đ7 k1; CV266 KT118 (S.005.443)",
    needs=("drug_line.ten_thuoc", "service_line.t_bhtt"),
    known_gaps_vi=f"{BY_NAME_VI} Thuốc đích nhận biết theo đuôi tên hoạt chất: chỉ có tên thương mại thì bỏ qua.",
    known_gaps_en=(
        f"{BY_NAME_EN} A target drug is told by the ending of its ingredient: a brand name alone is passed over."
    ),
    examples=(
        hit(
            "kê cùng thuốc đích",
            "beside the drug",
            stay(),
            service(**_TARGETED),
            drug(quantity=1, **_TARGET_DRUG),
            amount=FUND,
        ),
        hit(
            "kê cùng truyền hóa chất",
            "beside an infusion",
            stay(),
            service(**_TARGETED),
            service(ma_nhom=PROCEDURE, ten_dich_vu="Truyền hóa chất tĩnh mạch nội trú"),
            amount=FUND,
        ),
        clear("kê một mình", "alone", stay(), service(**_TARGETED), drug()),
        clear("chỉ có thuốc đích", "the drug alone", stay(), drug(quantity=1, **_TARGET_DRUG)),
        not_evaluable("thiếu tên thuốc", "no drug name", stay(), service(**_TARGETED), drug(ten_thuoc=None)),
    ),
)
def targeted_therapy(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid targeted-therapy services in claims with a paid target drug or chemotherapy infusion."""
    known = facts("SRV-54")
    drugs = lines(tables, DRUGS, "ten_thuoc", "t_bhtt").filter(
        family(tables, "drug_line", known.drug), money("t_bhtt") > 0
    )
    infusions = _billed(tables, family(tables, "service_line", known.infusion))
    beside = nw.concat([_claims(drugs), _claims(infusions)]).unique(KEY)
    return _whole(_billed(tables, named_service(tables, "SRV-54")).join(beside, on=KEY, how="semi"))


_CT: dict[str, Any] = {"ma_nhom": 2, "ten_dich_vu": "Chụp cắt lớp vi tính sọ não có tiêm thuốc cản quang"}
_CONTRAST: dict[str, Any] = {"ten_thuoc": "Iohexol 300 mg/ml", "don_vi_tinh": "lọ", "lieu_dung": None}


@rule(
    id="SRV-08",
    version=1,
    scheme="UPCODE_SERVICE",
    severity="warn",
    title_vi="CT có tiêm thuốc cản quang nhưng không dùng thuốc",
    title_en="Contrast CT without contrast agent",
    reason_vi="CT có tiêm thuốc cản quang nhưng trong ngày không có thuốc cản quang; chênh lệch ước tính {amount}.",
    reason_en="A contrast CT without a contrast agent on its day; the difference is estimated at {amount}.",
    legal_basis="quyết định giá của cơ sở; CV266 KT183 (S.005.442)",
    needs=("service_line.ngay_yl", "drug_line.ngay_yl", "drug_line.ten_thuoc"),
    known_gaps_vi=(
        f"{BY_NAME_VI} Thuốc cản quang đã nằm trong giá gói, hoặc người bệnh tự trả, thì không thấy. Hồ sơ không có "
        "giá CT không tiêm: lấy một tỷ lệ thay cho phần chênh, là ước tính."
    ),
    known_gaps_en=(
        f"{BY_NAME_EN} Contrast within the price of a package, or that the patient paid for, is not seen. The price of "
        "the plain CT is not in the claim: a share stands for the difference, an estimate."
    ),
    examples=(
        hit("không có thuốc cản quang", "no contrast", visit(), service(**_CT), drug(), amount=FUND * 0.2),
        hit(
            "thuốc cản quang vào ngày khác",
            "contrast on another day",
            stay(),
            service(**_CT),
            drug(quantity=1, ngay_yl="2025-03-12 08:00", ngay_th_yl="2025-03-12 08:00", **_CONTRAST),
            amount=FUND * 0.2,
        ),
        clear("có thuốc cản quang", "with contrast", visit(), service(**_CT), drug(quantity=1, **_CONTRAST)),
        clear(
            "thuốc cản quang kê như vật tư",
            "contrast billed as a supply",
            visit(),
            service(**_CT),
            service(ma_nhom=10, ten_vat_tu="Thuốc cản quang", ten_dich_vu=None),
        ),
        clear(
            "CT không tiêm thuốc",
            "plain CT",
            visit(),
            service(ma_nhom=2, ten_dich_vu="Chụp cắt lớp vi tính cổ không tiêm thuốc cản quang"),
        ),
        not_evaluable(
            "thiếu thời điểm y lệnh", "no order time", visit(), service(ngay_yl=None, ngay_th_yl=None, **_CT)
        ),
    ),
)
def contrast_ct(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid contrast CTs of a day on which the claim has no contrast agent."""
    known = facts("SRV-08")
    drugs = lines(tables, DRUGS, "ten_thuoc", "ngay_yl", "ngay_th_yl").filter(
        family(tables, "drug_line", known.contrast)
    )
    supplies = lines(tables, SERVICES, "ten_vat_tu", "ngay_yl", "ngay_th_yl").filter(
        family(tables, "service_line", known.contrast, column="ten_vat_tu")
    )
    given = nw.concat([_line_days(drugs), _line_days(supplies)]).unique([*KEY, "date"])
    scans = _billed(tables, named_service(tables, "SRV-08"), "ngay_yl", "ngay_th_yl").with_columns(
        date=day(carried_out())
    )
    found = scans.filter(~nw.col("date").is_null()).join(given, on=[*KEY, "date"], how="anti")
    return _whole(found, known.share / 100)


_LASIK: dict[str, Any] = {"ma_nhom": PROCEDURE, "ten_dich_vu": "Phẫu thuật lác thông thường"}
_NOSE: dict[str, Any] = {"ma_nhom": PROCEDURE, "ten_dich_vu": "Phẫu thuật nâng mũi"}


@rule(
    id="SRV-35",
    version=1,
    scheme="EXCLUDED_DISGUISED",
    severity="warn",
    title_vi="Khúc xạ, lác, thẩm mỹ tính BHYT",
    title_en="Refraction, squint or cosmetic work",
    reason_vi="Dịch vụ khúc xạ, lác hoặc thẩm mỹ lúc {observed} tuổi, không do chấn thương, dị tật; quỹ chi {amount}.",
    reason_en="Refraction, squint or cosmetic work at {observed} years, no injury or malformation; {amount} at stake.",
    legal_basis="L-BHYT Đ23; L51/2024 (chưa kiểm chứng)",
    needs=("encounter.ma_benh_chinh", "encounter.ngay_sinh", "encounter.ngay_vao", "service_line.t_bhtt"),
    known_gaps_vi=(
        f"{BY_NAME_VI} Xét theo tên có dấu: tên viết không dấu thì bỏ qua. Đo khúc xạ không phải là điều trị khúc xạ. "
        "Trẻ em được chi trả tật khúc xạ và lác đến một tuổi đã đổi năm 2025 (chưa kiểm chứng). Tạo hình sau u hoặc "
        "bỏng mà không ghi mã bệnh đó trông cũng như vậy."
    ),
    known_gaps_en=(
        f"{BY_NAME_EN} With accents kept: names written without them are passed over. Measuring the refraction is not "
        "treating it. Children are covered for refraction and squint up to an age that changed in 2025 (unverified). "
        "Repair after a tumour or a burn without its code looks the same."
    ),
    examples=(
        hit("mổ lác, 39 tuổi", "squint surgery at 39", visit(ma_benh_chinh="H50.0"), service(**_LASIK), amount=FUND),
        hit("sửa mũi, 39 tuổi", "nose at 39", visit(ma_benh_chinh="J34.2"), service(**_NOSE), amount=FUND),
        hit(
            "mổ lác, 10 tuổi, tháng 3/2025",
            "squint surgery at 10 in March 2025",
            visit(ma_benh_chinh="H50.0", ngay_sinh="2015-01-01"),
            service(**_LASIK),
        ),
        clear(
            "10 tuổi, năm 2026",
            "at 10 in 2026",
            visit("2026-03-10 08:00", ma_benh_chinh="H50.0", ngay_sinh="2016-01-01"),
            service(**_LASIK),
        ),
        clear("bốn tuổi, mổ lác", "at 4", visit(ma_benh_chinh="H50.0", ngay_sinh="2021-01-01"), service(**_LASIK)),
        clear("sau chấn thương", "after an injury", visit(ma_benh_chinh="S02.2"), service(**_NOSE)),
        clear(
            "lạc nội mạc tử cung",
            "endometriosis",
            visit(),
            service(ma_nhom=PROCEDURE, ten_dich_vu="Phẫu thuật lạc nội mạc tử cung"),
        ),
        not_evaluable("không có ngày sinh", "no birth date", visit(ngay_sinh=None), service(**_LASIK)),
    ),
)
def excluded_work(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid refraction, squint and cosmetic work above the covered age and without an injury or malformation."""
    known = facts("SRV-35")
    born = nw.col("e_ngay_sinh").cast(nw.Datetime("us"))
    age = (days_between(born, nw.col("e_ngay_vao")) / 365.25).floor()
    cosmetic = family(tables, "service_line", known.cosmetic_accented, accents=True)
    named = family(tables, "service_line", known.service_accented, accents=True)
    limit = (
        nw.when(nw.col("cosmetic"))
        .then(nw.lit(float(known["age"].periods[0].value)))
        .otherwise(known["age"].at(nw.col("e_ngay_vao")))
    )
    billed = _billed(tables, named).with_columns(cosmetic=cosmetic)
    found = (
        _with_diagnoses(billed, tables, "ngay_sinh", "ngay_vao")
        .with_columns(age=age, limit=limit)
        .filter(nw.col("age") >= nw.col("limit"), ~diagnosed(known.icd_ok))
    )
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("age"), allowed=nw.col("limit"))


_BNP: dict[str, Any] = {"ten_dich_vu": "Định lượng BNP"}
_PRO_BNP: dict[str, Any] = {"ten_dich_vu": "Định lượng proBNP (NT-proBNP)"}


@rule(
    id="SRV-11",
    version=1,
    scheme="OVER_TEST",
    severity="warn",
    title_vi="BNP, NT-proBNP không đúng điều kiện suy tim",
    title_en="BNP test outside the heart-failure condition",
    reason_vi="BNP, NT-proBNP không có mã suy tim, hoặc cả hai loại trong một hồ sơ; quỹ chi {amount}.",
    reason_en="BNP or NT-proBNP without heart failure, or both in one claim; the fund pays {amount}.",
    legal_basis="TT35/2016 Danh mục 1 mục 9; CV266 KT37 (S.005.428)",
    needs=("encounter.ma_benh_chinh", "service_line.t_bhtt"),
    known_gaps_vi=(
        f"{BY_NAME_VI} Chỉ định để loại trừ suy tim ở người khó thở trông cũng như vậy. Không xét danh mục yêu cầu "
        "loại nào trong suy thận. Nếu hồ sơ có cả hai thì nêu loại rẻ hơn."
    ),
    known_gaps_en=(
        f"{BY_NAME_EN} Ordered to rule heart failure out in a breathless patient, it looks the same. Which of the two "
        "the list asks for in renal failure is not judged. Of both in one claim the cheaper is named."
    ),
    examples=(
        hit("tăng huyết áp", "hypertension", visit(ma_benh_chinh="I10"), service(**_PRO_BNP), amount=FUND),
        hit(
            "cả hai xét nghiệm",
            "both",
            visit(ma_benh_chinh="I50.9"),
            service(**_PRO_BNP),
            service(price=60_000, **_BNP),
            amount=48_000,
        ),
        clear("có suy tim", "heart failure", visit(ma_benh_chinh="I50.9"), service(**_PRO_BNP)),
        clear(
            "bệnh tim do tăng huyết áp có suy tim, bệnh kèm theo",
            "hypertensive heart failure, second",
            visit(ma_benh_chinh="J18.9", ma_benh_kt="I11.0"),
            service(**_BNP),
        ),
        not_evaluable("thiếu chẩn đoán", "no diagnosis", visit(ma_benh_chinh=None), service(**_BNP)),
    ),
)
def bnp(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid BNP tests without heart failure, and with it the cheaper kind where both are paid."""
    known = facts("SRV-11")
    pro = family(tables, "service_line", known.pro)
    billed = _billed(tables, named_service(tables, "SRV-11")).with_columns(
        of_pro=nw.when(pro).then(money("t_bhtt")).otherwise(nw.lit(0.0)),
        of_plain=nw.when(pro).then(nw.lit(0.0)).otherwise(money("t_bhtt")),
    )
    sums = billed.group_by(*KEY).agg(pro=nw.col("of_pro").sum(), plain=nw.col("of_plain").sum())
    both = (nw.col("pro") > 0) & (nw.col("plain") > 0)
    plain_is_cheaper = nw.col("plain") <= nw.col("pro")
    is_plain = nw.col("of_plain") > 0
    cheaper = both & ((plain_is_cheaper & is_plain) | (~plain_is_cheaper & ~is_plain))
    found = _with_diagnoses(billed.join(sums, on=KEY, how="inner"), tables).filter(~diagnosed(known.icd_hf) | cheaper)
    return _whole(found)


_INJECTION: dict[str, Any] = {"ma_nhom": PROCEDURE, "ten_dich_vu": "Tiêm tĩnh mạch"}


@rule(
    id="SRV-42",
    version=1,
    scheme="UNBUNDLE_SERVICE",
    severity="deny",
    title_vi="Tiêm, truyền, cắt chỉ, tháo bột, thay băng tính ở nội trú",
    title_en="Injection, infusion, suture or cast removal billed in a stay",
    reason_vi="Dịch vụ chỉ thanh toán cho ngoại trú được tính trong đợt nội trú; quỹ chi {amount}.",
    reason_en="A service that is paid for outpatients only is billed in a stay; the fund pays {amount}.",
    legal_basis="ghi chú trong quyết định giá của cơ sở; CV266 KT144 (S.005.430)",
    needs=("encounter.ma_loai_kcb", "encounter.ngay_vao", "service_line.ngay_yl"),
    known_gaps_vi=f"{BY_NAME_VI} Thay băng chỉ xét đến 15 cm. Không xét dòng trước khi có chỉ định nhập viện.",
    known_gaps_en=f"{BY_NAME_EN} Dressings are judged up to 15 cm. Lines before the admission order are not judged.",
    examples=(
        hit("tiêm tại khoa nội trú", "injection on the ward", stay(), service(**_INJECTION), amount=FUND),
        hit(
            "cắt chỉ tại khoa nội trú",
            "stitches out",
            stay(),
            service(ma_nhom=PROCEDURE, ten_dich_vu="Cắt chỉ sau phẫu thuật"),
            amount=FUND,
        ),
        clear("ngoại trú", "outpatient", visit(), service(**_INJECTION)),
        clear(
            "trước khi nhập viện", "before admission", stay(ngay_vao_noi_tru="2025-03-10 12:00"), service(**_INJECTION)
        ),
        clear(
            "hóa trị",
            "chemotherapy",
            stay(),
            service(ma_nhom=PROCEDURE, ten_dich_vu="Truyền hóa chất tĩnh mạch nội trú"),
        ),
        clear(
            "vết thương dài",
            "long wound",
            stay(),
            service(ma_nhom=PROCEDURE, ten_dich_vu="Thay băng vết mổ dài trên 15cm đến 30 cm"),
        ),
        not_evaluable("thiếu mã loại KCB", "no care type", stay(ma_loai_kcb=None), service(**_INJECTION)),
    ),
)
def outpatient_work_in_stay(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid injections, infusions, removals of stitches and casts, and small dressings of a stay."""
    known = facts("SRV-42")
    named = family(tables, "service_line", f"{known.injection}|{known.dressing}") | family(
        tables, "service_line", known.sutures_accented, accents=True
    )
    named &= ~family(tables, "service_line", known["not"].value)
    found = with_encounter(
        _billed(tables, named, "ngay_yl", "ngay_th_yl"), tables, "ma_loai_kcb", "ngay_vao", "ngay_vao_noi_tru"
    ).filter(care_type("e_ma_loai_kcb").is_in(["03", "04"]), carried_out() >= admission("e_"))
    return _whole(found)


_DRIP: dict[str, Any] = {"ten_thuoc": "Glucose 5%", "duong_dung": "2.15", "don_vi_tinh": "chai", "lieu_dung": None}


@rule(
    id="SRV-49",
    version=1,
    scheme="OVER_DRUG_POLY",
    severity="info",
    title_vi="Truyền dịch ngoại trú không có chỉ định",
    title_en="Outpatient infusion without reason",
    reason_vi="Thuốc truyền tĩnh mạch ở lượt khám ngoại trú không có mã bệnh cần truyền; quỹ chi {amount}.",
    reason_en="An infusion in an outpatient visit without a diagnosis that asks for one; the fund pays {amount}.",
    legal_basis="L-BHYT Đ29",
    needs=("encounter.ma_loai_kcb", "encounter.ma_benh_chinh", "drug_line.duong_dung"),
    known_gaps_vi="Chẩn đoán nào cần truyền dịch do chúng tôi lập danh sách; cấp cứu ghi mã khác trông cũng như vậy.",
    known_gaps_en="Which diagnoses ask for an infusion is our list; emergencies coded otherwise look the same.",
    examples=(
        hit(
            "truyền dịch cho cảm lạnh",
            "for a cold",
            visit(ma_benh_chinh="J00"),
            drug(quantity=2, **_DRIP),
            amount=1_600,
        ),
        clear("truyền dịch cho tiêu chảy", "for diarrhoea", visit(ma_benh_chinh="A09.0"), drug(quantity=2, **_DRIP)),
        clear("trong đợt nội trú", "in a stay", stay(ma_benh_chinh="J00"), drug(quantity=2, **_DRIP)),
        clear("thuốc viên", "tablets", visit(ma_benh_chinh="J00"), drug()),
        not_evaluable("thiếu đường dùng", "no route", visit(), drug(duong_dung=None)),
    ),
)
def outpatient_infusion(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid infusion drugs of outpatient visits without a diagnosis of the list."""
    known = facts("SRV-49")
    paid = lines(tables, DRUGS, "duong_dung", "ma_nhom", "t_bhtt").filter(
        nw.col("duong_dung").str.strip_chars().is_in(known.route),
        nw.col("ma_nhom").is_in([4, 5, 6]),
        money("t_bhtt") > 0,
    )
    found = _with_diagnoses(paid, tables, "ma_loai_kcb").filter(
        care_type("e_ma_loai_kcb") == "01", ~diagnosed(known.icd_ok)
    )
    return _whole(found)


# --- What a line must say of itself


@rule(
    id="SRV-05",
    version=1,
    scheme="ANAESTHESIA_UPCODE",
    severity="info",
    title_vi="Phẫu thuật thiếu phương pháp vô cảm",
    title_en="Surgery without anaesthesia method",
    reason_vi="Dòng phẫu thuật không ghi phương pháp vô cảm (PP_VO_CAM).",
    reason_en="A surgery line names no method of anaesthesia (PP_VO_CAM).",
    legal_basis="QĐ 130 PP_VO_CAM",
    needs=("service_line.ma_nhom",),
    known_gaps_vi="Lỗi hồ sơ, không phải lỗi thanh toán: không có số tiền có dấu hiệu. Chuẩn 4210 không có trường này.",
    known_gaps_en="A fault of the record, not of the payment: no money is at stake. The 4210 format has no such field.",
    examples=(
        hit("thiếu phương pháp vô cảm", "no method", stay(), surgery("2025-03-11 08:00"), amount=0),
        clear("gây mê", "general", stay(), surgery("2025-03-11 08:00", pp_vo_cam=1)),
        clear("một xét nghiệm", "a test", stay(), service()),
        clear("hồ sơ theo chuẩn 4210", "4210", stay(standard="4210"), surgery("2025-03-11 08:00")),
        not_evaluable("thiếu nhóm chi phí", "no group", stay(), surgery("2025-03-11 08:00", ma_nhom=None)),
    ),
)
def no_anaesthesia(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid surgery lines without a method of anaesthesia."""
    found = lines(tables, SERVICES, "ma_nhom", "pp_vo_cam", "standard", "t_bhtt").filter(
        nw.col("ma_nhom") == SURGERY,
        nw.col("pp_vo_cam").is_null(),
        nw.col("standard") == "130",
        money("t_bhtt") > 0,
    )
    return _whole(found, 0.0)


@rule(
    id="SRV-48",
    version=1,
    scheme="PHANTOM_SERVICE",
    severity="info",
    title_vi="Dịch vụ thiếu người thực hiện",
    title_en="Service without performer",
    reason_vi="Dòng xét nghiệm, CĐHA, phẫu thuật, thủ thuật không ghi người thực hiện (NGUOI_THUC_HIEN).",
    reason_en="A test, image, operation or procedure names no performer (NGUOI_THUC_HIEN).",
    legal_basis="QĐ 130 NGUOI_THUC_HIEN",
    needs=("service_line.ma_nhom",),
    known_gaps_vi=(
        "Lỗi hồ sơ, không phải lỗi thanh toán: không có số tiền có dấu hiệu. Chuẩn 4210 không có trường này; dịch vụ "
        "do cơ sở khác làm (K trong mã) thì bỏ qua."
    ),
    known_gaps_en=(
        "A fault of the record, not of the payment: no money is at stake. The 4210 format has no such field; services "
        "done by another facility (K in the code) are passed over."
    ),
    examples=(
        hit("thiếu người thực hiện", "no performer", stay(), service(nguoi_thuc_hien=None), amount=0),
        clear("có người thực hiện", "with one", stay(), service()),
        clear("một lần khám", "an examination", visit(), exam()),
        clear("dòng giường", "a bed", stay(), bed()),
        clear(
            "làm ở nơi khác",
            "done elsewhere",
            visit(),
            service(nguoi_thuc_hien=None, ma_dich_vu="22.0120.1370.K.01002"),
        ),
        not_evaluable("thiếu nhóm chi phí", "no group", stay(), service(ma_nhom=None, nguoi_thuc_hien="001/CCHN")),
    ),
)
def no_performer(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid tests, images, operations and procedures without a performer."""
    found = lines(tables, SERVICES, "ma_nhom", "nguoi_thuc_hien", "ma_dich_vu", "standard", "t_bhtt").filter(
        nw.col("ma_nhom").is_in([*TESTS, SURGERY, PROCEDURE]),
        nw.col("nguoi_thuc_hien").fill_null("").str.strip_chars() == "",
        nw.col("standard") == "130",
        money("t_bhtt") > 0,
        ~nw.col("ma_dich_vu").fill_null("").str.contains(".K.", literal=True),
    )
    return _whole(found, 0.0)
