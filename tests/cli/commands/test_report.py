"""`vitprof report`: what it prints, and what it refuses."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from vitprof.models import Block
from vitprof.tables import LatencyTable, Row, Setting

PAGE = Path(__file__).parents[3] / "docs" / "json.md"


def listed(command: str) -> set[str]:
    """Return every key that docs/json.md lists for a command."""
    (line,) = [one for one in PAGE.read_text().splitlines() if one.startswith(f"| `{command}` |")]
    return set(re.findall(r"`([a-z_0-9]+)`", line))


@pytest.fixture
def table_path(row_of: Callable[..., Row], setting: Setting, tmp_path: Path) -> Path:
    rows = [
        row_of(Block.of("mlp", embed=embed, mlp=mlp, tokens=197), embed * mlp / 1e5)
        for embed in (192, 384)
        for mlp in (768, 1536)
    ]
    path = tmp_path / "lut.csv"
    LatencyTable(rows, setting).to_csv(path)
    return path


def test_it_writes_a_page_and_says_so(
    table_path: Path, tmp_path: Path, run: Callable[..., Any]
) -> None:
    out = tmp_path / "report.html"
    done = run("report", "--table", table_path, "--out", out)
    assert done.code == 0
    assert f"written: {out}" in done.err
    assert out.read_text().startswith("<!doctype html>")


def test_json_is_one_object(table_path: Path, tmp_path: Path, run: Callable[..., Any]) -> None:
    out = tmp_path / "report.html"
    done = run("report", "--table", table_path, "--out", out, "--json")
    said = json.loads(done.out)
    assert set(said) <= listed("report")
    assert said["bytes"] == out.stat().st_size
    assert said["tables"] == [
        {"table": "lut.csv", "points": 4, "ops": 1, "models": 0, "ceilings": False}
    ]


@pytest.fixture
def locked(table_path: Path) -> Iterator[Path]:
    """A folder with a table that every user can read and only its owner can write to."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "lut.csv").write_bytes(table_path.read_bytes())
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


def test_a_place_that_cannot_be_written_is_refused_and_left_as_it_was(
    locked: Path, run: Callable[..., Any], ordinary_user: None
) -> None:
    done = run("report", "--table", locked / "lut.csv", "--out", locked / "report.html")
    assert done.code == 2
    assert "cannot be written" in done.err
    assert done.is_one_sentence
    assert [path.name for path in locked.iterdir()] == ["lut.csv"]


def test_a_missing_table_and_run_are_refused(
    table_path: Path, tmp_path: Path, run: Callable[..., Any]
) -> None:
    out = tmp_path / "report.html"
    for options in (
        ("--table", tmp_path / "no.csv"),
        ("--table", table_path, "--run", tmp_path / "no"),
        ("--table", table_path, "--breakdown", tmp_path / "no.json"),
        ("--table", table_path, "--validation", tmp_path / "no.csv"),
        ("--table", table_path, "--ceilings", tmp_path / "no.json"),
        ("--table", table_path, "--table", table_path),
    ):
        done = run("report", *options, "--out", out)
        assert done.code == 2, options
        assert done.is_one_sentence, done.err
    assert not out.exists()
