"""Machines: whether the machine a service names exists, is the facility's, and can do the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from data.schema import ENCOUNTER_KEY, reused
from detectors.base import clear, hit, not_evaluable, rule
from detectors.examples import TEST_PRICE, exam, listed, service, visit
from detectors.expressions import SERVICES, TESTS, carried_out, catalogue, day, family, line_hits, lines, money
from detectors.facts import facts
from detectors.registered import unlisted

if TYPE_CHECKING:
    from data.schema import ClaimTables
    from detectors.examples import Row

KEY: list[str] = list(ENCOUNTER_KEY)
LINE = [*KEY, "row_no"]
_FUND = TEST_PRICE * 0.8
_OWN, _OTHER = "SH.1.01001.101", "SH.1.01002.101"
_SCAN: dict[str, Any] = {"ma_nhom": 2, "ten_dich_vu": "Chụp cắt lớp vi tính sọ não", "ma_dich_vu": "18.0149.0040"}
_UNGROUPED: dict[str, Any] = {**_SCAN, "ma_nhom": None}
_ENDO: dict[str, Any] = {"ma_nhom": 2, "ten_dich_vu": "Siêu âm nội soi"}


def _machine(code: str = _OWN, **fields: Any) -> Row:
    """A row of the machine catalogue of a worked example: the facility's unless it says otherwise."""
    told: dict[str, Any] = {"ma_may": code, "ma_cskcb": "01001", "name": "Máy", **fields}
    return listed("machines", **told)


def _on_machine(tables: ClaimTables, *columns: str) -> nw.LazyFrame[Any]:
    """Paid service lines that name a machine, with the `date` they were done."""
    return (
        lines(tables, SERVICES, "ma_may", "ma_dich_vu", "ngay_yl", "ngay_th_yl", "t_bhtt", *columns)
        .filter(money("t_bhtt") > 0, nw.col("ma_may").str.strip_chars() != "")
        .with_columns(date=day(carried_out()))
    )


def _sent_out(outside: str) -> nw.Expr:
    """Whether the service code says that another facility did the work."""
    return nw.col("ma_dich_vu").fill_null("").str.contains(outside)


@rule(
    id="MCH-01",
    version=1,
    scheme="MACHINE_UNAVAILABLE",
    severity="info",
    title_vi="Thiếu mã máy",
    title_en="Machine code missing",
    reason_vi="Dịch vụ làm trên máy nhưng không ghi mã máy.",
    reason_en="The service is done on a machine, none is named.",
    legal_basis="QĐ 130 MA_MAY",
    needs=("service_line.ma_nhom",),
    known_gaps_vi=(
        "Xét nghiệm làm tay hoặc bằng que thử nhận biết theo tên và bỏ qua, dịch vụ gửi cơ sở khác và hồ sơ theo "
        "chuẩn 4210 cũng vậy. Riêng dấu hiệu này không có số tiền."
    ),
    known_gaps_en=(
        "Tests done by hand or by a strip are told by name and passed over, and so are services sent to another "
        "facility and claims of the 4210 format. No money is at risk by it alone."
    ),
    examples=(
        hit("chụp không ghi mã máy", "a scan without a machine", visit(), service(**_SCAN), amount=0),
        clear("chụp có mã máy", "a scan on a machine", visit(), service(**_SCAN, ma_may="CL.1.01001.161")),
        clear("xét nghiệm que thử", "a strip test", visit(), service(ten_dich_vu="HBsAg test nhanh")),
        clear("khám bệnh", "examination", visit(), exam()),
        not_evaluable("thiếu nhóm chi phí", "no cost group", visit(), service(**_UNGROUPED)),
    ),
)
def machine_missing(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid tests, pictures and function tests that take a machine and name none."""
    known = facts("MCH-01")
    columns = ("ma_nhom", "ten_dich_vu", "ma_dich_vu", "ma_may", "t_bhtt", "standard")
    found = lines(tables, SERVICES, *columns).filter(
        nw.col("ma_nhom").is_in(TESTS),
        nw.col("standard") == "130",
        money("t_bhtt") > 0,
        nw.col("ma_may").fill_null("").str.strip_chars() == "",
        ~nw.col("ten_dich_vu").is_null(),
        ~family(tables, "service_line", known.by_hand),
        ~_sent_out(r"\.K\."),
    )
    return line_hits(
        found, amount=nw.lit(0.0), observed=nw.lit(None, dtype=nw.Float64), allowed=nw.lit(None, dtype=nw.Float64)
    )


@rule(
    id="MCH-02",
    version=3,
    scheme="MACHINE_UNAVAILABLE",
    severity="warn",
    title_vi="Mã máy không có trong danh mục máy",
    title_en="Machine not in catalogue",
    reason_vi="{observed} mã máy trên dòng không có trong danh mục máy của cơ sở vào ngày thực hiện.",
    reason_en="{observed} machines named on the line are not in the facility's list on the day.",
    legal_basis="TT12/2026 Đ7-8, Đ10 k1 c",
    needs=("service_line.ngay_yl",),
    catalogues=("machines",),
    known_gaps_vi=(
        "Bỏ qua cơ sở không có dòng nào trong danh mục máy và dịch vụ gửi cơ sở khác (….K.XXXXX). Máy đã thay mà danh "
        "mục gửi muộn trông cũng như vậy, hồ sơ không cho biết là trường hợp nào: phải hỏi cơ sở. Mã để trống do "
        "MCH-01 xét, ngày nằm giữa hai giai đoạn của máy do MCH-05 xét."
    ),
    known_gaps_en=(
        "Facilities without a single row in the machine catalogue and services sent to another facility (….K.XXXXX) "
        "are passed over. A machine that was replaced and whose list came late looks the same, and nothing in the "
        "claims tells which it is: the facility has to be asked. A blank code is MCH-01's, a day between two periods "
        "of a machine MCH-05's."
    ),
    examples=(
        hit(
            "máy không có trong danh mục",
            "an unlisted machine",
            _machine(),
            visit(),
            service(ma_may="SH.1.01001.119"),
            amount=_FUND,
        ),
        hit(
            "máy đã ra khỏi danh mục",
            "out of the list by then",
            _machine(valid_to="2024-12-31"),
            visit(),
            service(ma_may=_OWN),
            amount=_FUND,
        ),
        clear("máy có trong danh mục", "a listed machine", _machine(), visit(), service(ma_may=_OWN)),
        clear(
            "gửi cơ sở khác",
            "sent to another facility",
            _machine(),
            visit(),
            service(ma_may=_OTHER, ma_dich_vu="22.0120.1370.K.01002"),
        ),
        clear(
            "cơ sở không có danh mục máy",
            "no list of this facility",
            _machine(ma_cskcb="01002"),
            visit(),
            service(ma_may=_OWN),
        ),
        not_evaluable(
            "thiếu thời điểm y lệnh",
            "no order time",
            _machine(),
            visit(),
            service(ma_may="X", ngay_yl=None, ngay_th_yl=None),
        ),
    ),
)
def machine_not_listed(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid services on a machine that the facility's list does not hold on the day, outside its known breaks."""
    return _unlisted(tables, facts("MCH-02").outside, broken=False)


@rule(
    id="MCH-05",
    version=1,
    scheme="MACHINE_UNAVAILABLE",
    severity="deny",
    title_vi="Dịch vụ trong thời gian máy hỏng",
    title_en="Service during declared downtime",
    reason_vi="{observed} mã máy trên dòng đang trong khoảng ngừng hoạt động theo danh mục máy.",
    reason_en="{observed} machines named on the line were out of service on the day, by the machine catalogue.",
    legal_basis="ND188 Đ22; hợp đồng khám, chữa bệnh BHYT",
    needs=("service_line.ngay_yl",),
    catalogues=("machines",),
    known_gaps_vi=(
        "Danh mục cho biết thời gian hỏng qua khoảng trống giữa hai giai đoạn của máy: danh mục gửi muộn cũng để lại "
        "khoảng trống; máy không bao giờ dùng lại do MCH-02 xét. Bỏ qua dịch vụ gửi cơ sở khác (….K.XXXXX)."
    ),
    known_gaps_en=(
        "The catalogue tells downtime as a break between two periods of a machine: a list that was sent late leaves "
        "such a break too, and a machine that never came back is MCH-02's. Services sent to another facility "
        "(….K.XXXXX) are passed over."
    ),
    examples=(
        hit(
            "máy ngừng hoạt động trong tháng 3",
            "out of service in March",
            _machine(valid_to="2025-02-28"),
            _machine(valid_from="2025-04-01"),
            visit(),
            service(ma_may=_OWN),
            amount=_FUND,
        ),
        clear(
            "đã sửa xong hôm trước",
            "repaired the day before",
            _machine(valid_to="2025-02-28"),
            _machine(valid_from="2025-03-10"),
            visit(),
            service(ma_may=_OWN),
        ),
        clear(
            "máy không dùng lại nữa", "gone for good", _machine(valid_to="2025-02-28"), visit(), service(ma_may=_OWN)
        ),
        clear("máy chưa từng có trong danh mục", "never listed", _machine(), visit(), service(ma_may="SH.1.01001.119")),
        not_evaluable(
            "thiếu thời điểm y lệnh",
            "no order time",
            _machine(),
            visit(),
            service(ma_may="X", ngay_yl=None, ngay_th_yl=None),
        ),
    ),
)
def machine_out_of_service(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid services on a machine on a day between two of its periods in the facility's list."""
    return _unlisted(tables, facts("MCH-05").outside, broken=True)


def _unlisted(tables: ClaimTables, outside: str, *, broken: bool) -> nw.LazyFrame[Any]:
    """Signs on lines whose machine the list does not hold on the day: with `broken` between two periods, else not."""
    machines = catalogue(tables, "machines")
    done = _on_machine(tables).filter(~_sent_out(outside), ~nw.col("date").is_null())
    where = ["ma_cskcb", "codes", "date"]
    done = reused(done.with_columns(codes=nw.col("ma_may")))
    spans = (
        machines.select("ma_may", "ma_cskcb", "valid_from", "valid_to")
        .group_by("ma_may", "ma_cskcb")
        .agg(first_end=nw.col("valid_to").min(), last_start=nw.col("valid_from").max())
    )
    date = nw.col("date").cast(nw.Date)
    between = ((nw.col("first_end") < date) & (nw.col("last_start") > date)).fill_null(value=False)
    missing = (
        unlisted(done, machines, cell="codes", code="ma_may")
        .join(spans, on=["ma_may", "ma_cskcb"], how="left")
        .filter(between if broken else ~between)
        .group_by(*where)
        .agg(machines=nw.len())
    )
    found = done.join(missing, on=where, how="inner")
    return line_hits(found, amount=money("t_bhtt"), observed=nw.col("machines"), allowed=nw.lit(0.0))


@rule(
    id="MCH-03",
    version=1,
    scheme="MACHINE_UNAVAILABLE",
    severity="warn",
    title_vi="Loại máy không phù hợp dịch vụ",
    title_en="Machine group unlike the service",
    reason_vi="Dịch vụ {amount} ghi mã máy thuộc nhóm máy không làm được dịch vụ này.",
    reason_en="The service ({amount}) names a machine of a group that cannot do it.",
    legal_basis="QĐ 130 MA_MAY",
    needs=("service_line.ma_nhom",),
    known_gaps_vi=(
        "Chỉ xét siêu âm, X-quang, CT, MRI và nội soi, nhận biết theo tên, trên máy thuộc nhóm đã biết: máy xét "
        "nghiệm làm được việc của nhau nên không phân biệt. Bỏ qua can thiệp dưới hướng dẫn hình ảnh."
    ),
    known_gaps_en=(
        "Only ultrasound, X-ray, CT, MRI and endoscopy, told by name, on a machine of a known group: laboratory "
        "machines do each other's tests and are not told apart. Interventions under guidance are passed over."
    ),
    examples=(
        hit(
            "chụp CT trên máy siêu âm",
            "a CT on an ultrasound machine",
            visit(),
            service(**_SCAN, ma_may="SA.1.01001.001"),
            amount=_FUND,
        ),
        clear("chụp CT trên máy CT", "a CT on a CT", visit(), service(**_SCAN, ma_may="CL.1.01001.161")),
        clear(
            "một trong hai máy phù hợp",
            "one of two machines fits",
            visit(),
            service(**_SCAN, ma_may="XQ.1.01001.021;CL.1.01001.161"),
        ),
        clear("nhóm máy riêng", "a group of its own", visit(), service(**_SCAN, ma_may="CT.1.01001.161")),
        clear("siêu âm nội soi", "endoscopic ultrasound", visit(), service(**_ENDO, ma_may="NS.1.01001.1")),
        not_evaluable("thiếu nhóm chi phí", "no cost group", visit(), service(**_UNGROUPED, ma_may="SA.1.01001.001")),
    ),
)
def machine_of_another_kind(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid pictures and endoscopies whose machines are all of known groups that cannot do them."""
    known = facts("MCH-03")
    tested = reused(_on_machine(tables, "ma_nhom", "ten_dich_vu").filter(nw.col("ma_nhom").is_in(TESTS)))
    codes, every = nw.col("codes"), "|".join(known.known_groups)
    fits = {f"fits_{n}": "|".join(told["groups"]) for n, told in enumerate(known.families)}
    # machines are few where lines are many
    machines = (
        tested.select("ma_may")
        .unique()
        .with_columns(codes=nw.col("ma_may").str.to_uppercase().str.replace_all(" ", "", literal=True))
        .filter(codes.str.contains(rf"^({every})\.[^;]*(;({every})\.[^;]*)*$"))
        .with_columns(**{name: codes.str.contains(rf"(^|;)({groups})\.") for name, groups in fits.items()})
    )
    unlike = nw.col("ma_nhom").is_null() & nw.lit(value=False)
    for name, told in zip(fits, known.families, strict=True):
        unlike |= family(tables, "service_line", told["name"]) & ~nw.col(name)
    found = tested.join(machines, on="ma_may", how="inner").filter(
        ~family(tables, "service_line", known.unclear), unlike
    )
    return line_hits(
        found,
        amount=money("t_bhtt"),
        observed=nw.lit(None, dtype=nw.Float64),
        allowed=nw.lit(None, dtype=nw.Float64),
    )


@rule(
    id="MCH-04",
    version=1,
    scheme="MACHINE_UNAVAILABLE",
    severity="warn",
    title_vi="Mã máy của cơ sở khác",
    title_en="Machine of another facility",
    reason_vi="Dịch vụ {amount} ghi mã máy của cơ sở khác mà mã dịch vụ không ghi nơi thực hiện (….K.).",
    reason_en="The service ({amount}) names a machine of another facility, its code no place of execution (….K.).",
    legal_basis="QĐ 130 MA_MAY; ND188 Đ44",
    needs=("service_line.ma_nhom",),
    known_gaps_vi=(
        "Bỏ qua mã có dạng khác; khi ghi nhiều máy, chỉ cần một máy của cơ sở. Sau khi sáp nhập cơ sở, mã máy cũ "
        "trông như của cơ sở khác."
    ),
    known_gaps_en=(
        "Codes of another form are passed over; of several machines one of the facility's own is enough. After a "
        "merger of facilities old machine codes look like those of another."
    ),
    examples=(
        hit("máy của cơ sở bên cạnh", "the neighbour's machine", visit(), service(ma_may=_OTHER), amount=_FUND),
        clear("máy của chính cơ sở", "an own machine", visit(), service(ma_may=_OWN)),
        clear(
            "gửi sang cơ sở bên cạnh",
            "sent to the neighbour",
            visit(),
            service(ma_may=_OTHER, ma_dich_vu="22.0120.1370.K.01002"),
        ),
        clear("một trong hai máy là của cơ sở", "one of two is own", visit(), service(ma_may=f"{_OTHER};{_OWN}")),
        clear("mã sai mẫu", "a code of another form", visit(), service(ma_may="MAY01")),
        not_evaluable("thiếu nhóm chi phí", "no cost group", visit(), service(ma_nhom=None, ma_may=_OTHER)),
    ),
)
def machine_of_another_facility(tables: ClaimTables) -> nw.LazyFrame[Any]:
    """Paid services whose machines all belong to another facility, and whose code does not say so."""
    known = facts("MCH-04")
    done = _on_machine(tables, "ma_nhom").filter(~_sent_out(known.outside), ~nw.col("ma_nhom").is_null())
    code = nw.col("code")
    named = (
        done.select("ma_cskcb", "ma_may")
        .unique(["ma_cskcb", "ma_may"])
        .with_columns(code=nw.col("ma_may").str.to_uppercase().str.split(";"))
        .explode("code")
        .with_columns(code=code.str.strip_chars())
        .filter(code != "")
    )
    owner = code.str.replace_all("^[^.]+[.][0-9][.]", "").str.slice(0, 5)
    foreign = code.str.contains(known.form) & (owner != nw.col("ma_cskcb").str.to_uppercase())
    others = (
        named.select("ma_cskcb", "ma_may", foreign=foreign.cast(nw.Int32))
        .group_by("ma_cskcb", "ma_may")
        .agg(nw.col("foreign").min())
        .filter(nw.col("foreign") == 1)
        .select("ma_cskcb", "ma_may")
    )
    found = done.join(others, on=["ma_cskcb", "ma_may"], how="semi")
    return line_hits(
        found,
        amount=money("t_bhtt"),
        observed=nw.lit(None, dtype=nw.Float64),
        allowed=nw.lit(None, dtype=nw.Float64),
    )
