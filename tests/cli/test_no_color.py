"""NO_COLOR and pipes: no command prints an escape sequence, and help has 80 columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from rich.cells import cell_len
from vitprof.cli.command_list import COMMANDS
from vitprof.cli.main import vitprof as commands


def _every_command() -> Iterator[tuple[str, ...]]:
    """Yield each command, and each of a group's."""
    for name in COMMANDS:
        yield (name,)
        command = commands.get_command(click.Context(commands), name)
        if isinstance(command, click.Group):
            yield from ((name, below) for below in command.commands)


@pytest.fixture
def no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("FORCE_COLOR", raising=False)


@pytest.mark.parametrize("command", [(), *_every_command()], ids=" ".join)
def test_help_has_80_columns_and_no_escape_sequence(run, no_color, command) -> None:
    answer = run(*command, "--help")
    assert answer.code == 0
    assert answer.out.startswith("Usage: vitprof")
    assert "\x1b" not in answer.out + answer.err
    assert max(map(cell_len, _laid_out(answer.out))) <= 80


def _laid_out(text: str) -> list[str]:
    """Return the lines that click folds: examples stand whole, to be copied."""
    return text.partition("\n  Example")[0].splitlines()


SPOKEN = (
    ("devices",),
    ("doctor", "--quick"),
    ("models",),
    ("space",),
    ("space", "vit"),
    ("schema",),
    ("schema", "predict"),
    ("completion", "bash"),
    ("predict", "lut.csv", "deit-small", "--max-latency", "80ms"),
    ("gate", "--table", "lut.csv", "--model", "deit-tiny", "--max-latency", "80ms"),
    ("compare", "--table", "lut.csv", "--model", "deit-tiny", "--model", "deit-small"),
    ("table", "info", "lut.csv"),
    ("table", "export", "lut.csv", "--format", "markdown"),
    ("table", "push", "lut.csv", "shared"),
    ("table", "merge", "lut.csv", "lut.csv", "--out", "merged.csv"),
    ("report", "--table", "lut.csv", "--out", "report.html"),
    ("predict", "lut.csv", "no-such-model"),
    ("mesure",),
)


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
@pytest.mark.parametrize("arguments", SPOKEN, ids=" ".join)
def test_answers_and_errors_have_no_escape_sequence(
    run, lut: Path, no_color, monkeypatch, arguments: tuple[str, ...], terminal: bool
) -> None:
    monkeypatch.chdir(lut.parent)
    if terminal:  # for rich, which draws the tables
        monkeypatch.setenv("TTY_COMPATIBLE", "1")
        monkeypatch.setenv("TERM", "xterm-256color")
    answer = run(*arguments)
    assert answer.out or answer.err
    assert "\x1b" not in answer.out + answer.err


def test_a_terminal_without_no_color_gets_bold_headings(run, monkeypatch) -> None:
    """So that the test above can fail."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[" in run("models").out
