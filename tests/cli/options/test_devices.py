"""--devices FILE: devices of the user's own, before the command or after it."""

from __future__ import annotations

from pathlib import Path

import pytest

MINE = """
[my-board]
title = "My board"
backend = "onnxruntime"
machine = 'My board .*'
dtypes = ["fp32"]
sparsity = ["dense"]
multiples_of = { fp32 = 16 }
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    return path


def test_a_command_knows_the_devices_of_a_file(run, file: Path) -> None:
    for arguments in (("--devices", file, "devices"), ("devices", "--devices", file)):
        answer = run(*arguments, "--json")
        assert answer.code == 0, answer.err
        assert answer.json["devices"][-1]["name"] == "my-board"
        assert "not the My board" in answer.json["devices"][-1]["why_not"]
    names = [one["name"] for one in run("devices", "--json").json["devices"]]
    assert "my-board" not in names  # the next command does not


def test_files_before_and_after_the_command_are_both_taken(run, file: Path, tmp_path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(MINE.replace("my-board", "other-board"))
    answer = run("--devices", file, "devices", "--devices", other, "--json")
    assert [one["name"] for one in answer.json["devices"]][-2:] == ["my-board", "other-board"]


def test_measuring_takes_it(run, file: Path) -> None:
    answer = run("measure", "--devices", file, "--device", "my-board")
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert "not the My board" in answer.err


def test_a_wrong_file_is_one_sentence(run, tmp_path: Path) -> None:
    answer = run("devices", "--devices", tmp_path / "none.toml")
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert "none.toml' does not exist" in answer.err
