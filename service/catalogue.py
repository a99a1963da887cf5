"""Writes the pages of docs/ that follow from the code: rules, features, data checks, schemes. `make catalogue`."""

from __future__ import annotations

from pathlib import Path

from data import checks
from data.schema import reference
from data.synthetic.injection import all_decoys, all_schemes
from data.synthetic.schemes import NOT_GENERATED
from detectors.rulebook import catalogue_markdown
from features.base import Level, discover

DOCS = Path(__file__).resolve().parents[1] / "docs"

_LEVELS: tuple[tuple[Level, str, str], ...] = (
    ("line", "Dòng chi phí", "line"),
    ("encounter", "Hồ sơ", "encounter"),
    ("patient", "Người bệnh, tính đến một hồ sơ", "patient as of a claim"),
    ("doctor_month", "Bác sĩ, tháng", "doctor and month"),
    ("facility_month", "Cơ sở, tháng", "facility and month"),
)


SUMMARY_OF_SCHEMES = (
    "**Tóm tắt.** `minhbach generate` cài vào hồ sơ giả lập những dấu hiệu dưới đây, mỗi dấu hiệu ở ba mức kín đáo, "
    "rõ, lộ liễu; và những mồi nhử: hồ sơ đúng hoặc dữ liệu lỗi mà trông như sai. Bảng `truth/` cho biết hồ sơ nào là "
    "gì. Xem [synthetic.md](synthetic.md)."
)


def pages() -> dict[str, str]:
    """Every generated page of `docs/`, by file name."""
    return {"catalogue.md": _rules_and_features(), "checks.md": checks.catalogue_markdown(), "schemes.md": _schemes()}


def _rules_and_features() -> str:
    parts = [catalogue_markdown().rstrip(), "", "# Đặc trưng / Features", ""]
    for level, vi, en in _LEVELS:
        parts += [f"## {vi} / {en}", "", "| column | meaning |", "| --- | --- |"]
        for builder in discover(level):
            parts += [f"| `{column}` | {text} |" for column, text in builder.columns.items()]
        parts.append("")
    return "\n".join(parts)


def _schemes() -> str:
    names = {row["scheme"]: row["name_vi"] for row in reference("schemes")}
    parts = [
        "# Dấu hiệu giả lập / Generated schemes",
        "",
        SUMMARY_OF_SCHEMES,
        "",
        "Written by `make catalogue` from `data/synthetic/`; each scheme is one file there.",
        "",
        "| id | tên | kind | by | levels | what is done |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    parts += [
        f"| `{s.id}` | {names.get(s.id, '')} | {s.kind} | {s.actor} | {s.levels} | {_first_line(s)} |"
        for s in all_schemes()
    ]
    parts += ["", "## Mồi nhử / Decoys", "", "| id | kind | what it is |", "| --- | --- | --- |"]
    parts += [f"| `{d.id}` | {d.kind} | {_first_line(d)} |" for d in all_decoys()]
    parts += ["", "## Chưa giả lập / Not generated", "", "| id | tên | why |", "| --- | --- | --- |"]
    parts += [f"| `{scheme}` | {names.get(scheme, '')} | {why} |" for scheme, why in sorted(NOT_GENERATED.items())]
    return "\n".join(parts) + "\n"


def _first_line(deed: object) -> str:
    return (type(deed).__doc__ or "").strip().split("\n")[0]


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
