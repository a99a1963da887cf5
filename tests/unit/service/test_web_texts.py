"""Texts of the pages: complete in both languages, all used, none accusing."""

import re
import string
from pathlib import Path

import pytest

from service.web.names import scheme_names
from service.web.texts import TEXTS, Words

WEB = Path(__file__).resolve().parents[3] / "service" / "web"
SOURCES = {
    path: path.read_text(encoding="utf-8")
    for path in [*WEB.rglob("*.py"), *WEB.rglob("*.html")]
    if path.name != "texts.py"
}
WHOLE = re.compile(r"[\"']([a-z_]+\.[a-z0-9_]+(?:\.[a-z_]+)?)[\"']")
BUILT = re.compile(r"""["']([a-z_]+)\.(?:\{|["'] ~)""")  # f"outcome.{…}" and "outcome." ~ …
BY_NAME = frozenset(
    {"action", "object", "change", "lane"}
)  # families whose last part is data: an unknown one shows as it is


def test_every_key_used_exists() -> None:
    families = {key.partition(".")[0] for key in TEXTS}
    for path, source in SOURCES.items():
        for key in re.findall(r"\bt\(\s*[\"']([a-z0-9_.]+)[\"']\s*[,)]", source):
            assert key in TEXTS, f"{path.name} uses {key}"
        for family in BUILT.findall(source):
            if family in families:
                assert any(key.startswith(f"{family}.") for key in TEXTS), f"{path.name} builds {family}.…"


def test_every_text_is_used() -> None:
    used = {key for source in SOURCES.values() for key in WHOLE.findall(source)}
    built = {family for source in SOURCES.values() for family in BUILT.findall(source)} | BY_NAME
    unused = [key for key in TEXTS if key not in used and key.partition(".")[0] not in built]
    assert unused == []


@pytest.mark.parametrize("key", TEXTS)
def test_both_languages_say_it_with_the_same_values(key: str) -> None:
    vi, en = TEXTS[key]
    assert vi.strip()
    assert en.strip()
    names = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in (vi, en)]
    assert names[0] == names[1]


def test_no_text_accuses() -> None:
    shown = [text for pair in TEXTS.values() for text in pair]
    shown += [*scheme_names("vi").values(), *scheme_names("en").values()]
    for text in shown:
        assert not re.search(r"gian lận|trục lợi|kê khống|fraud|fake|false|cheat", text, re.IGNORECASE), text


def test_a_missing_value_is_an_error_and_not_a_gap_in_the_page() -> None:
    with pytest.raises(KeyError):
        Words("vi")("pager.text", first=1)
