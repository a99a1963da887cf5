"""Claims as files: the 130-family envelope with every official field, written as text.

Field names and their order come from `data.schema`; a table's row is one format string. Nothing printed depends on
whether a claim is honest.
"""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from xml.sax.saxutils import escape

from data.schema import fields
from data.synthetic.claims import Line, Visit
from data.synthetic.clock import DAY, Clock
from data.synthetic.world import Facility, Item

_FILLED: dict[str, str] = {
    "XML1": """MA_LK STT MA_BN HO_TEN SO_CCCD NGAY_SINH GIOI_TINH NHOM_MAU MA_QUOCTICH MA_DANTOC MA_NGHE_NGHIEP DIA_CHI
        MATINH_CU_TRU MAXA_CU_TRU DIEN_THOAI MA_THE_BHYT MA_DKBD GT_THE_TU GT_THE_DEN LY_DO_VV LY_DO_VNT CHAN_DOAN_VAO
        CHAN_DOAN_RV MA_BENH_CHINH MA_BENH_KT MA_DOITUONG_KCB MA_NOI_DI MA_NOI_DEN MA_TAI_NAN NGAY_VAO NGAY_VAO_NOI_TRU
        NGAY_RA GIAY_CHUYEN_TUYEN SO_NGAY_DTRI PP_DIEU_TRI KET_QUA_DTRI MA_LOAI_RV NGAY_TTOAN T_THUOC T_VTYT
        T_TONGCHI_BV T_TONGCHI_BH T_BNTT T_BNCCT T_BHTT T_NGUONKHAC T_BHTT_GDV NAM_QT THANG_QT MA_LOAI_KCB MA_KHOA
        MA_CSKCB CAN_NANG NAM_NAM_LIEN_TUC NGAY_TAI_KHAM MA_HSBA MA_TTDV""",
    "XML2": """MA_LK STT MA_THUOC MA_NHOM TEN_THUOC DON_VI_TINH HAM_LUONG DUONG_DUNG DANG_BAO_CHE LIEU_DUNG SO_DANG_KY
        TT_THAU PHAM_VI TYLE_TT_BH SO_LUONG DON_GIA THANH_TIEN_BV THANH_TIEN_BH T_NGUONKHAC_NSNN T_NGUONKHAC_VTNN
        T_NGUONKHAC_VTTN T_NGUONKHAC_CL T_NGUONKHAC MUC_HUONG T_BNTT T_BNCCT T_BHTT MA_KHOA MA_BAC_SI NGAY_YL
        NGAY_TH_YL MA_PTTT NGUON_CTRA""",
    "XML3": """MA_LK STT MA_DICH_VU MA_VAT_TU MA_NHOM GOI_VTYT TEN_VAT_TU TEN_DICH_VU DON_VI_TINH PHAM_VI SO_LUONG
        DON_GIA_BV DON_GIA_BH TT_THAU TYLE_TT_DV TYLE_TT_BH THANH_TIEN_BV THANH_TIEN_BH T_TRANTT MUC_HUONG
        T_NGUONKHAC_NSNN T_NGUONKHAC_VTNN T_NGUONKHAC_VTTN T_NGUONKHAC_CL T_NGUONKHAC T_BNTT T_BNCCT T_BHTT MA_KHOA
        MA_GIUONG MA_BAC_SI NGUOI_THUC_HIEN NGAY_YL NGAY_TH_YL NGAY_KQ MA_PTTT PP_VO_CAM MA_MAY MA_HIEU_SP""",
    "XML4": "MA_LK STT MA_DICH_VU MA_CHI_SO TEN_CHI_SO GIA_TRI DON_VI_DO KET_LUAN NGAY_KQ MA_BS_DOC_KQ",
    "XML5": "MA_LK STT DIEN_BIEN_LS THOI_DIEM_DBLS NGUOI_THUC_HIEN",
    "XML11": """MA_LK SO_CT SO_SERI SO_KCB DON_VI MA_BHXH MA_THE_BHYT CHAN_DOAN_RV PP_DIEUTRI SO_NGAY_NGHI TU_NGAY
        DEN_NGAY MA_TTDV MA_BS NGAY_CT MAU_SO""",
    "XML7": "MA_LK SO_LUU_TRU MA_YTE MA_KHOA_RV NGAY_VAO NGAY_RA CHAN_DOAN_RV PP_DIEUTRI MA_TTDV MA_BS TEN_BS NGAY_CT",
}
_TEXT = frozenset({"HO_TEN", "DIA_CHI", "LY_DO_VV", "LY_DO_VNT", "CHAN_DOAN_VAO", "CHAN_DOAN_RV", "PP_DIEU_TRI",
                   "TEN_THUOC", "HAM_LUONG", "LIEU_DUNG", "TEN_VAT_TU", "TEN_DICH_VU", "TEN_CHI_SO", "KET_LUAN",
                   "DIEN_BIEN_LS", "PP_DIEUTRI", "TEN_BS", "DON_VI"})  # fmt: skip
_SHAPE: dict[str, tuple[tuple[str, ...], str]] = {  # the elements around the rows, and the row
    "XML1": ((), "TONG_HOP"),
    "XML2": (("CHITIEU_CHITIET_THUOC", "DSACH_CHI_TIET_THUOC"), "CHI_TIET_THUOC"),
    "XML3": (("CHITIEU_CHITIET_DVKT_VTYT", "DSACH_CHI_TIET_DVKT"), "CHI_TIET_DVKT"),
    "XML4": (("CHITIEU_CHITIET_DICHVUCANLAMSANG", "DSACH_CHI_TIET_CLS"), "CHI_TIET_CLS"),
    "XML5": (("CHITIEU_CHITIET_DIENBIENLAMSANG", "DSACH_CHI_TIET_DIEN_BIEN_BENH"), "CHI_TIET_DIEN_BIEN_BENH"),
    "XML7": ((), "CHI_TIEU_DU_LIEU_GIAY_RA_VIEN"),
    "XML11": ((), "CHI_TIEU_DU_LIEU_GIAY_CHUNG_NHAN_NGHI_VIEC_HUONG_BAO_HIEM_XA_HOI"),
}
_LINES = re.compile(".{1,76}")
_AROUND = {
    table: ("".join(f"<{n}>" for n in names), "".join(f"</{n}>" for n in reversed(names)))
    for table, (names, _) in _SHAPE.items()
}


def template(table: str, *, cdata: bool) -> str:
    """A row of `table` as a format string: the fields of `_FILLED` in the official order, the others empty."""
    filled = _FILLED[table].split()
    parts: list[str] = []
    used: list[str] = []
    for official in fields(table):
        name = official.name.upper()
        if name not in filled:
            parts.append(f"<{name}/>")
            continue
        used.append(name)
        parts.append(f"<{name}><![CDATA[%s]]></{name}>" if cdata and name in _TEXT else f"<{name}>%s</{name}>")
    if used != filled:
        raise ValueError(f"{table}: fields out of the official order: {[n for n in filled if n not in used]}")
    row = _SHAPE[table][1]
    return f"<{row}>{''.join(parts)}</{row}>"


@lru_cache(maxsize=1 << 16)
def money(amount: int) -> str:
    """Hundredths of a VND as printed: trailing zeros dropped."""
    whole, rest = divmod(amount, 100)
    return f"{whole}.{rest:02d}".rstrip("0") if rest else str(whole)


@lru_cache(maxsize=1 << 14)
def thousandths(amount: int) -> str:
    """A quantity or unit price: at most three decimals."""
    whole, rest = divmod(amount, 1000)
    return f"{whole}.{rest:03d}".rstrip("0") if rest else str(whole)


def service_code(line: Line) -> str:
    """MA_DICH_VU of a line: a bed's code names its ward."""
    return line.department + line.item.code[3:] if line.item.kind == "bed" else line.item.code


Row = tuple[object, ...]


def columns(table: str) -> list[str]:
    """Names of the fields that `Tables` fills, in the order of its rows."""
    return _FILLED[table].split()


class Tables:
    """The rows of a visit: what a claim says, before it is XML or Parquet."""

    def __init__(self, clock: Clock, facilities: list[Facility]) -> None:
        self.clock = clock
        self._codes = [f.code for f in facilities]
        self._caps = [str(clock.base_salary(d) * 45) for d in range(clock.days)]

    def of(self, visit: Visit, ma_lk: str, *, paid: bool) -> list[tuple[str, list[Row]]]:
        """All tables of one encounter. `paid` fills NGAY_TTOAN."""
        lines = sorted(visit.lines, key=print_order)
        drugs = [line for line in lines if line.item.table == 2]
        others = [line for line in lines if line.item.table == 3]
        tests = [line for line in others if line.values or line.conclusion]
        text = self.clock.text
        tables: list[tuple[str, list[Row]]] = [("XML1", [self._xml1(visit, ma_lk, paid=paid)])]
        if drugs:
            tables.append(("XML2", self._xml2(visit, ma_lk, drugs)))
        if others:
            tables.append(("XML3", self._xml3(visit, ma_lk, others)))
        if tests:
            tables.append(("XML4", self._xml4(ma_lk, tests)))
        if visit.notes:
            notes: list[Row] = [(ma_lk, n, note, text(at), who) for n, (at, note, who) in enumerate(visit.notes, 1)]
            tables.append(("XML5", notes))
        if visit.stay:
            tables.append(("XML7", [self._xml7(visit, ma_lk)]))
        if visit.leave:
            tables.append(("XML11", [self._xml11(visit, ma_lk)]))
        return tables

    def _xml1(self, v: Visit, ma_lk: str, *, paid: bool) -> Row:
        p, f, text = v.patient, v.facility, self.clock.text
        left = self.clock.day_texts[v.left // DAY]
        month = v.settled or left[:6]
        departments = ";".join(dict.fromkeys([*(line.department for line in v.lines), *([v.ward] if v.ward else [])]))
        name, more = v.disease.name, v.stated_more
        other = sum(line.other for line in v.lines)
        return (
            ma_lk, 1, f"{(p.index * 7919 + f.serial * 104_729) % 10**8:08d}", f"NGƯỜI BỆNH {p.index:07d}",
            p.citizen, p.born_text, p.sex, v.blood or p.blood, "000", "01", p.job, f"Tỉnh thử {p.province}", p.province,
            p.commune, v.phone, v.card or p.card, self._codes[p.home], p.card_from, v.card_to or p.card_to,
            v.disease.complaint, v.disease.complaint if v.stay else "", name, name, v.disease.code,
            ";".join(v.secondary), v.route, v.sent_from, v.sent_to, v.injury, text(v.start),
            text(v.admitted) if v.stay else "", text(v.end), v.slip, v.days, "Nội khoa" if not v.stay else "Nội trú",
            v.result, v.discharge, text(v.left) if paid else "", money(v.drugs_total), money(v.supplies_total),
            money(v.bv + more), money(v.bh + more), money(v.own), money(v.copay + _taken(v)), money(v.fund + more),
            money(other), money(v.fund + more), month[:4], int(month[4:]), v.kind, departments[:50], f.code, v.weight,
            f"{p.card_from[:4]}0101", self.clock.day_texts[v.return_day] if v.return_day else "", f"HS{ma_lk}",
            f"{f.serial * 1000:06d}/{f.province}-CCHN",
        )  # fmt: skip

    def _xml2(self, v: Visit, ma_lk: str, lines: list[Line]) -> list[Row]:
        text, percent, code = self.clock.text, v.percent, v.facility.code
        return [
            (
                ma_lk, n, (i := line.item).code, i.group, i.name, i.unit, i.strength, i.route, i.form, line.dose,
                registration(i), line.tender or tender(i, code, self._year(line)), 1, line.cover_ratio,
                thousandths(line.quantity), thousandths(line.unit_price), money(line.bv), money(line.bh), 0, 0, 0,
                money(line.other), money(line.other), percent, money(line.bv - line.bh),
                money(line.bh - line.fund + line.taken), money(line.fund), line.department, line.doctor,
                text(line.ordered), text(line.done), 1, line.source,
            )
            for n, line in enumerate(lines, 1)
        ]  # fmt: skip

    def _xml3(self, v: Visit, ma_lk: str, lines: list[Line]) -> list[Row]:
        text, percent, code = self.clock.text, v.percent, v.facility.code
        found: list[Row] = []
        for n, line in enumerate(lines, 1):
            i = line.item
            supply = i.kind == "supply"
            package = line.package or ("G1" if i.implant else "")
            cap = self._caps[v.start // DAY] if package else ""
            found.append((
                ma_lk, n, "" if supply else service_code(line), i.code if supply else "", i.group, package,
                i.name if supply else "", "" if supply else i.name, i.unit, 1, thousandths(line.quantity),
                thousandths(line.asked or line.unit_price), thousandths(line.unit_price),
                (line.tender or tender(i, code, self._year(line))) if supply else "", line.service_ratio,
                line.cover_ratio, money(line.bv), money(line.bh), cap, percent, 0, 0, 0, money(line.other),
                money(line.other),
                money(line.bv - line.bh), money(line.bh - line.fund + line.taken), money(line.fund), line.department,
                line.bed, line.doctor, line.performer, text(line.ordered), text(line.done), text(line.result), 1,
                line.anaesthesia or "", line.machine, line.serial,
            ))  # fmt: skip
        return found

    def _year(self, line: Line) -> str:
        """The year whose tender an order is of."""
        return self.clock.day_texts[line.ordered // DAY][:4]

    def _xml4(self, ma_lk: str, lines: list[Line]) -> list[Row]:
        found: list[Row] = []
        for line in lines:
            i, at, who = line.item, self.clock.text(line.result), line.performer
            if line.conclusion:
                found.append((ma_lk, len(found) + 1, i.code, "", i.name, "", "", line.conclusion, at, who))
            elif i.indicators:
                for (name, _, _, unit), value in zip(i.indicators, line.values, strict=True):
                    found.append((ma_lk, len(found) + 1, i.code, name, name, value, unit, "", at, who))
            else:
                found.append((ma_lk, len(found) + 1, i.code, i.key.upper(), i.name, line.values[0], "", "", at, who))
        return found

    def _xml7(self, v: Visit, ma_lk: str) -> Row:
        text = self.clock.text
        return (
            ma_lk, f"LT{ma_lk}", f"{v.facility.code}/{ma_lk}", v.ward, text(v.start), text(v.end), v.disease.name,
            "Nội trú", f"{v.facility.serial * 1000:06d}/{v.facility.province}-CCHN", v.doctor.code,
            f"BÁC SĨ {v.doctor.code[:6]}", self.clock.day_texts[v.end // DAY],
        )  # fmt: skip

    def _xml11(self, v: Visit, ma_lk: str) -> Row:
        days, p = self.clock.day_texts, v.patient
        first = v.left // DAY
        return (
            ma_lk, f"CT{ma_lk}", f"S{v.facility.code}{ma_lk[-6:]}", f"{v.facility.code}/{ma_lk}", p.employer,
            p.card[-10:], p.card, v.disease.name, "Nội khoa", v.leave, days[first], days[first + v.leave - 1],
            f"{v.facility.serial * 1000:06d}/{v.facility.province}-CCHN", v.doctor.code, days[first], "CT07",
        )  # fmt: skip


class Printer:
    """Prints the HOSO of a visit in a facility's manner."""

    def __init__(self, clock: Clock, facilities: list[Facility]) -> None:
        self.tables = Tables(clock, facilities)
        self._templates = {cdata: {table: template(table, cdata=cdata) for table in _FILLED} for cdata in (True, False)}

    def hoso(self, visit: Visit, ma_lk: str, *, paid: bool) -> str:
        """The HOSO element: all tables of one encounter."""
        f = visit.facility
        templates = self._templates[f.cdata]
        parts = ["<HOSO>"]
        for table, rows in self.tables.of(visit, ma_lk, paid=paid):
            shape = templates[table]
            printed = [shape % (row if f.cdata else _escaped(row)) for row in rows]
            parts.append(_filehoso(table, printed, f.wrapped))
        parts.append("</HOSO>")
        return "".join(parts)


def _escaped(row: Row) -> Row:
    return tuple(escape(value) if isinstance(value, str) and ("&" in value or "<" in value) else value for value in row)


def _taken(visit: Visit) -> int:
    return sum(line.taken for line in visit.lines)


def registration(item: Item) -> str:
    """SO_DANG_KY of a drug."""
    return f"VD-{10000 + item.index * 37}-{20 + item.index % 6}"


def tender(item: Item, facility: str, year: str) -> str:
    """TT_THAU of a drug or supply: the facility's tender of the year."""
    return f"{100 + item.index % 7}/QĐ-TST.{facility};G1;N{1 + item.index % 4};{year}"


def print_order(line: Line) -> tuple[int, int, str]:
    """Lines are numbered by order, execution and code, whoever wrote them."""
    return (line.ordered, line.done, line.item.code)


def _filehoso(name: str, rows: list[str], manner: str) -> str:
    opening, closing = _AROUND[name]
    inner = f"{opening}{''.join(rows)}{closing}"
    if manner != "inline":
        raw = base64.b64encode(b'<?xml version="1.0" encoding="utf-8"?>' + inner.encode()).decode("ascii")
        inner = raw if manner == "plain" else "\n".join(_LINES.findall(raw))
    return f"<FILEHOSO><LOAIHOSO>{name}</LOAIHOSO><NOIDUNGFILE>{inner}</NOIDUNGFILE></FILEHOSO>\n"
