"""`vitprof table push` and `vitprof table pull`."""

from __future__ import annotations

import pytest
from vitprof.tables import LatencyTable


@pytest.fixture
def shared(run, lut, tmp_path):
    answer = run("table", "push", lut, tmp_path / "shared", "--name", "mine", "--licence", "MIT")
    assert answer.code == 0, answer.err
    assert "written: " in answer.out
    return tmp_path / "shared"


def test_pushed_tables_are_listed_and_copied(run, shared, tmp_path) -> None:
    listed = run("table", "pull", shared)
    assert listed.code == 0, listed.err
    assert "mine" in listed.out
    assert "MIT" in listed.out
    assert not (tmp_path / "out").exists()
    copied = run("table", "pull", shared, "--out", tmp_path / "out", "--json")
    assert copied.json["tables"][0]["licence"] == "MIT"
    assert LatencyTable.read_csv(tmp_path / "out" / "mine.csv").header.licence == "MIT"
    assert (
        run("predict", "--table", tmp_path / "out" / "mine.csv", "--model", "deit-tiny").code == 0
    )


def test_the_same_again_writes_nothing(run, shared, lut) -> None:
    command = ("table", "push", lut, shared, "--name", "mine")
    assert run(*command, "--licence", "MIT", "--json").json["files"] == []
    other = run(*command)
    assert (other.code, other.is_one_sentence) == (2, True)
    assert "--fresh" in other.err


def test_a_damaged_table_is_told_and_the_exit_code_says_so(run, shared) -> None:
    path = shared / "tables" / "mine.csv"
    path.write_text(path.read_text()[:-40])
    answer = run("table", "pull", shared, "--json")
    assert answer.code == 1
    assert answer.json["tables"] == []
    assert "mine" in answer.json["refused"]
    assert "refused: " in answer.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--device", "tpu"), "no table of a device 'tpu'"),
        (("--name", "x"), "no table 'x'"),
    ],
)
def test_what_is_not_there_is_one_sentence(run, shared, options, words) -> None:
    answer = run("table", "pull", shared, *options)
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert words in answer.err


def test_a_share_is_a_share(run, lut, tmp_path) -> None:
    answer = run("table", "push", lut, tmp_path / "s", "--most-doubtful", "lots")
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert not (tmp_path / "s").exists()
