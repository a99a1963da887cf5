"""What the command line says of long work, where nobody sits at a terminal."""

from __future__ import annotations

import sys

import pytest

from service.console import Console

WORDS = {"read": ("Đọc", "Reading"), "fit": ("Học", "Learning")}


def test_a_step_says_its_name_and_each_quarter_it_passes(capsys: pytest.CaptureFixture[str]) -> None:
    with Console(as_json=True, lang="en").steps(WORDS) as step:
        step("read")
        tell = step("fit")
        for done in range(9):
            tell(done, 8)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == ["Reading …", "Learning …", *(f"Learning: {part} %" for part in (25, 50, 75, 100))]


def test_on_a_terminal_each_step_is_a_bar_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Console(as_json=False, lang="vi").steps(WORDS) as step:
        step("read")(1, 2)
        step("fit")(1, 1)
    shown = capsys.readouterr().err
    assert shown.index("Đọc") < shown.index("Học")
