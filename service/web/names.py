"""Names of codes in words, from the reference tables: schemes, diagnoses, care types, provinces, groups of cost."""

from __future__ import annotations

from functools import cache

from data.schema import code_names, reference
from service.web.formats import Lang


@cache
def _schemes(lang: Lang) -> dict[str, str]:
    return {row["scheme"]: row[f"name_{lang}"] for row in reference("schemes")}


def scheme_name(scheme: str, lang: Lang) -> str:
    """A scheme in neutral words; the id itself when the table does not have it."""
    return _schemes(lang).get(scheme, scheme)


def scheme_names(lang: Lang) -> dict[str, str]:
    """Every scheme in neutral words, by id."""
    return _schemes(lang)


@cache
def _diagnosis_groups() -> tuple[tuple[str, str, dict[Lang, str]], ...]:
    ranges: list[tuple[str, str, dict[Lang, str]]] = []
    for row in reference("icd10_chapters_groups"):
        first, _, last = row["group_range"].partition("-")
        names: dict[Lang, str] = {"vi": row["group_name_vi"], "en": row["group_name_en"]}
        ranges.append((first, last or first, names))
    return tuple(ranges)


def diagnosis_group(icd: str | None, lang: Lang) -> str:
    """Name of the ICD-10 group a code lies in, such as J00-J06; empty when the code is absent or unknown."""
    stem = (icd or "")[:3].upper()
    found = next((names for first, last, names in _diagnosis_groups() if stem and first <= stem <= last), None)
    return found[lang] if found else ""


def care_type(code: str | None, lang: Lang) -> str:
    """Name of MA_LOAI_KCB; the code when it has no name."""
    return code_names("MA_LOAI_KCB", lang).get(code or "", code or "")


def cost_group(code: object, lang: Lang) -> str:
    """Name of MA_NHOM; the code when it has no name."""
    text = "" if code is None else str(code)
    return code_names("MA_NHOM", lang).get(text, text)


def department(code: str | None, lang: Lang) -> str:
    """Name of MA_KHOA; the code when it has no name."""
    return code_names("MA_KHOA", lang).get(code or "", code or "")


def sex(code: object, lang: Lang) -> str:
    """Name of GIOI_TINH; empty when absent."""
    text = "" if code is None else str(code)
    return code_names("GIOI_TINH", lang).get(text, text)


@cache
def provinces() -> dict[str, str]:
    """Names of the province codes that facility codes begin with (63 old codes, some of them current)."""
    return {
        row["old_code"]: row["old_name"].removeprefix("Tỉnh ").removeprefix("Thành phố ")
        for row in reference("provinces_63_to_34")
    }
