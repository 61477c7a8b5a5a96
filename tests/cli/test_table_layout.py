"""Tables in narrow terminals: whatever the width, every number and every word is still there."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vitprof.cli.output import print_table
from vitprof.cli.table_layout import lay_out

BLOCK = "12 x attention(embed=384, heads=6, qk=64, v=64, tokens=197)"

numbers = st.floats(-1e6, 1e6).map(lambda value: f"{value:.4g}")
texts = st.lists(st.from_regex(r"[a-z=,()0-9]{1,12}", fullmatch=True), max_size=9).map(" ".join)


@st.composite
def tables(draw):
    text = [True, *draw(st.lists(st.booleans(), max_size=7))]
    headings = st.text("abc %", max_size=16).map(lambda word: " ".join(word.split()))
    columns = [draw(headings) for _ in text]
    rows = [[draw(texts if is_text else numbers) for is_text in text] for _ in range(3)]
    return columns, rows, text


@settings(max_examples=40)
@given(tables(), st.integers(20, 130))
def test_every_number_stands_whole_and_every_text_can_be_read(table, width) -> None:
    columns, rows, text = table
    parts = lay_out(columns, rows, width)
    shown = [
        [list(part.columns)[1 if number else 0 :], [list(row) for row in part.rows]]
        for number, part in enumerate(parts)
    ]
    joined = [[cell for _, lines in shown for cell in [lines[row]]] for row in range(len(rows))]
    for row, of_parts in zip(rows, joined, strict=True):
        cells = [of_parts[0][0], *(cell for part in of_parts for cell in part[1:])]
        assert len(cells) == len(row)
        for cell, original, is_text in zip(cells, row, text, strict=True):
            if is_text:
                assert re.sub(r"\s", "", cell) == re.sub(r"\s", "", original)
            else:
                assert cell == original
    headings = [heading for names, _ in shown for heading in names]
    assert ["".join(name.split()) for name in headings] == ["".join(n.split()) for n in columns]


@settings(max_examples=40)
@given(tables(), st.integers(60, 130))
def test_a_table_is_as_narrow_as_it_is_to_be(table, width) -> None:
    columns, rows, _ = table
    for part in lay_out(columns, rows, width):
        assert part.width <= width


def test_without_a_width_nothing_is_folded() -> None:
    (part,) = lay_out(("block", "ms"), [(BLOCK * 5, "1.5")], None)
    assert part.rows == ((BLOCK * 5, "1.5"),)


def test_a_text_folds_before_columns_go_below() -> None:
    (part,) = lay_out(("block", "ms each", "ms", "share"), [(BLOCK, "2.9", "35.05", "43.6%")], 64)
    assert part.folded == {0}
    assert part.rows[0][0].splitlines() == [
        "12 x attention(embed=384, heads=6,",
        "  qk=64, v=64, tokens=197)",
    ]


def test_columns_without_room_stand_below_with_the_first_repeated() -> None:
    columns = ("model", *(f"figure-{n}" for n in range(9)))
    parts = lay_out(columns, [("deit-small", *(f"{n}.5" for n in range(9)))], 50)
    assert len(parts) > 1
    assert {part.columns[0] for part in parts} == {"model"}
    assert {part.rows[0][0] for part in parts} == {"deit-small"}


def test_a_name_is_printed_as_it_is_but_for_control_characters(capsys) -> None:
    print_table(("model", "ms"), [("net[bold]\x1b[2J", "1.5")])
    out = capsys.readouterr().out
    assert r"net[bold]\x1b[2J" in out
    assert "\x1b" not in out


def in_a_terminal(columns: int, *arguments: str) -> str:
    """Run vitprof in a terminal so wide, and return what it showed."""
    process, terminal = pty.fork()
    if process == 0:  # pragma: no cover - the command itself
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1"}
        environment.pop("COLUMNS", None)
        os.execve(sys.executable, [sys.executable, "-m", "vitprof", *arguments], environment)
    shown = b""
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # Linux says so when the last writer has gone
            break
        if not data:
            break
        shown += data
    os.waitpid(process, 0)
    os.close(terminal)
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode().replace("\r\n", "\n"))


@pytest.mark.parametrize("command", [("predict", "--model", "deit-small")])
def test_a_terminal_of_80_columns_shows_all_that_a_pipe_gets(command, run, lut: Path) -> None:
    asked = (*command, "--table", str(lut))
    piped = run(*asked).out
    shown = in_a_terminal(80, *asked)
    figures = re.compile(r"\d+(?:\.\d+)?%?")
    assert "…" not in shown
    assert sorted(figures.findall(shown)) == sorted(figures.findall(piped))
    lines = [line for line in shown.splitlines() if line.startswith(" ") and "%" in line]
    assert lines
    wide = in_a_terminal(80, *asked, "--wide")
    assert wide.splitlines() == piped.splitlines()
