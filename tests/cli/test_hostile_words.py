"""What files of others hold is shown sign by sign: no terminal is moved, no line is forged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from vitprof.cli.output import print_json
from vitprof.errors import UserError
from vitprof.notes import note, warn
from vitprof.verbs import devices

HOSTILE = "\x1b[2J\x1b]0;owned\x07\nFAKE: all is well\r\u202eevil\x9b\ud7ff\u2028"


def is_clean(text: str) -> bool:
    return all(c.isprintable() or c in "\n\t" for c in text)


@pytest.fixture
def hostile_table(lut: Path, tmp_path: Path) -> Path:
    """A table whose header says such words wherever it says words."""
    lines = lut.read_text().split("\n")
    header = json.loads(lines[1][2:])
    machine = header["environment"].setdefault("machine", {})
    machine["cpu"] = HOSTILE
    header["observed"] = {"governor": HOSTILE}
    header["session_sd"] = None
    lines[1] = "# " + json.dumps(header)
    path = tmp_path / "hostile.csv"
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ("table", "info", "{}"),
        ("table", "info", "{}", "--json"),
        ("table", "export", "{}", "--format", "json"),
        ("table", "export", "{}", "--format", "markdown"),
        ("predict", "--table", "{}", "--model", "deit-small"),
        ("predict", "--table", "{}", "--model", "deit-small", "--json"),
    ],
    ids=" ".join,
)
def test_words_of_a_table_are_escaped(arguments: tuple[str, ...], run, hostile_table: Path) -> None:
    answer = run(*(part.format(hostile_table) for part in arguments))
    assert answer.code == 0, answer.err
    assert is_clean(answer.out) and is_clean(answer.err)
    assert "\nFAKE" not in answer.out + answer.err
    if arguments[:2] == ("table", "info") and "--json" not in arguments:
        assert "\\x1b[2J" in answer.out


@pytest.mark.parametrize(
    ("name", "text", "arguments"),
    [
        ("a.json", json.dumps({"a\nFAKE\x1b[2J": 1.0}), ("--from", "nnmeter", "--unit", "ms")),
        (
            "a.csv",
            "OPName,Latency,Device,B,M,N,K\n"
            '"\x1b[2Jx",1,"G\u202e",1,8,16,32\nlinear,1,"G\u202e",1,8,16,32\n',
            ("--from", "neusight"),
        ),
    ],
)
def test_words_of_an_import_are_escaped(
    name: str, text: str, arguments: tuple[str, ...], run, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    out = tmp_path / "out.csv"
    answer = run(
        "table", "import", tmp_path / name, *arguments, "--device", "d\x1b[0m", "--out", out
    )
    assert answer.code in (0, 1, 2)
    assert is_clean(answer.out) and is_clean(answer.err)
    assert "\nFAKE" not in answer.err
    assert "Traceback" not in answer.err


def test_json_says_the_same_words_in_its_own_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({HOSTILE: HOSTILE, "é": 1.5})
    out = capsys.readouterr().out
    assert is_clean(out)
    assert "é" in out
    assert json.loads(out) == {HOSTILE: HOSTILE, "é": 1.5}


def test_notes_and_warnings_are_one_line_each(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def say(*_: object, **__: object) -> None:
        note(f"it is {HOSTILE}")
        warn(f"it was {HOSTILE}")
        raise UserError(f"it will be {HOSTILE}")

    monkeypatch.setattr(devices, "devices", say)
    err = run("devices").err
    assert is_clean(err)
    assert [line[:6] for line in err.splitlines()] == ["it is ", "it was", "vitpro"]


def test_a_path_with_escapes_is_escaped(run, tmp_path: Path) -> None:
    answer = run("table", "info", tmp_path / "a\x1b[2J\nFAKE.csv")
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert is_clean(answer.err)
    assert "a\\x1b[2J\\nFAKE.csv" in answer.err
