"""Claim envelopes as small XML texts, whole or broken in one named way."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

FIXTURES = Path(__file__).parents[1] / "fixtures" / "claims"

SUMMARY = {
    "MA_LK": "LK1",
    "HO_TEN": "NGƯỜI BỆNH THỬ",
    "NGAY_SINH": "198500000000",
    "GIOI_TINH": "1",
    "MA_THE_BHYT": "DN4990000000001",
    "NGAY_VAO": "202510060800",
    "NGAY_RA": "202510061030",
    "T_TONGCHI_BV": "1000",
    "T_TONGCHI_BH": "1000",
    "T_BHTT": "800",
    "MA_CSKCB": "99001",
}


def row(tag: str, cells: Mapping[str, str]) -> str:
    """One flat row element."""
    return f"<{tag}>" + "".join(f"<{name}>{text}</{name}>" for name, text in cells.items()) + f"</{tag}>"


def summary(ma_lk: str = "LK1", **cells: str) -> str:
    """An XML1 text."""
    return row("TONG_HOP", SUMMARY | {"MA_LK": ma_lk} | cells)


def drugs(*rows: Mapping[str, str]) -> str:
    """An XML2 text."""
    lines = "".join(row("CHI_TIET_THUOC", cells) for cells in rows)
    return f"<CHITIEU_CHITIET_THUOC><DSACH_CHI_TIET_THUOC>{lines}</DSACH_CHI_TIET_THUOC></CHITIEU_CHITIET_THUOC>"


def packed(text: str, *, width: int | None = None, encoding: str = "utf-8") -> str:
    """`text` in base64, wrapped at `width` columns."""
    code = base64.b64encode(text.encode(encoding)).decode()
    return "\r\n".join(code[i : i + width] for i in range(0, len(code), width)) if width else code


def hoso(*files: tuple[str, str]) -> str:
    """A HOSO of (LOAIHOSO, NOIDUNGFILE content)."""
    return (
        "<HOSO>"
        + "".join(
            f"<FILEHOSO><LOAIHOSO>{name}</LOAIHOSO><NOIDUNGFILE>{content}</NOIDUNGFILE></FILEHOSO>"
            for name, content in files
        )
        + "</HOSO>"
    )


def claim(ma_lk: str = "LK1", **cells: str) -> str:
    """A HOSO of one inline XML1."""
    return hoso(("XML1", summary(ma_lk, **cells)))


def envelope(*records: str, declared: int | None = None, facility: str = "99001") -> str:
    """The envelope around HOSO texts."""
    count = len(records) if declared is None else declared
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f"<GIAMDINHHS><THONGTINDONVI><MACSKCB>{facility}</MACSKCB></THONGTINDONVI>"
        f"<THONGTINHOSO><NGAYLAP>20251007</NGAYLAP><SOLUONGHOSO>{count}</SOLUONGHOSO><DANHSACHHOSO>\n"
        + "\n".join(records)
        + "\n</DANHSACHHOSO></THONGTINHOSO><CHUKYDONVI/></GIAMDINHHS>"
    )
