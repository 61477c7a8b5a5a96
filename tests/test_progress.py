"""A spinner while a library works: on a terminal, where it is wanted, and gone afterwards."""

from __future__ import annotations

import pytest
from vitprof.progress import shown_wait, waits_are_shown


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make rich take stderr for a terminal."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.parametrize("wanted", [True, False])
def test_a_wait_is_shown_where_it_is_wanted(terminal, capsys, wanted: bool) -> None:
    before = waits_are_shown.set(wanted)
    try:
        with shown_wait("exporting [red]net\x1b[2J to ONNX", after_s=0):
            pass
    finally:
        waits_are_shown.reset(before)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert ("exporting [red]net[2J to ONNX" in captured.err) == wanted


def test_a_short_wait_shows_nothing(terminal, capsys) -> None:
    before = waits_are_shown.set(True)
    try:
        with shown_wait("reading", after_s=1000):
            pass
    finally:
        waits_are_shown.reset(before)
    assert capsys.readouterr().err == ""


def test_a_wait_inside_another_has_no_spinner_of_its_own(terminal, capsys) -> None:
    before = waits_are_shown.set(True)
    try:
        with shown_wait("predicting", after_s=0), shown_wait("exporting", after_s=0):
            pass
        with shown_wait("writing", after_s=0):
            pass
    finally:
        waits_are_shown.reset(before)
    shown = capsys.readouterr().err
    assert "predicting" in shown
    assert "exporting" not in shown
    assert "writing" in shown


def test_a_log_gets_no_spinner(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    before = waits_are_shown.set(True)
    try:
        with shown_wait("exporting", after_s=0):
            pass
    finally:
        waits_are_shown.reset(before)
    assert capsys.readouterr().err == ""
