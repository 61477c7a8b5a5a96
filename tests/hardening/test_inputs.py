"""The campaign's own judgement: a command that misbehaves is a fault, in a real worker process."""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from pathlib import Path

import pytest
from hardening_parts import inputs, inputs_worker, targets
from hardening_parts.honest import SPEC
from hardening_parts.outcomes import read_rows, write_rows
from hardening_parts.page import page
from vitprof.cli import main as command_line


def refuses(_: list[str]) -> None:
    print("vitprof: 'tiny.json' is wrong; correct it.", file=sys.stderr)
    sys.exit(2)


def names_no_file(_: list[str]) -> None:
    print("vitprof: that is wrong.", file=sys.stderr)
    sys.exit(2)


def says_two(_: list[str]) -> None:
    print("vitprof: 'tiny.json' is wrong.\nvitprof: and so is tiny.json.", file=sys.stderr)
    sys.exit(2)


def raises(_: list[str]) -> None:
    raise KeyError("x")


def prints_raw(_: list[str]) -> None:
    print("\x1b[2J")
    sys.exit(0)


def ends_otherwise(_: list[str]) -> None:
    sys.exit(7)


def leaves_a_folder(_: list[str]) -> None:
    tempfile.mkdtemp()
    sys.exit(0)


def writes_outside(_: list[str]) -> None:
    Path("../escaped").write_text("x")
    sys.exit(0)


def writes_elsewhere(_: list[str]) -> None:
    Path(os.environ["ELSEWHERE"]).write_text("x")
    sys.exit(0)


def starts_a_process(_: list[str]) -> None:
    os.system("true")
    sys.exit(0)


def dies(_: list[str]) -> None:
    os._exit(3)


def takes_all_memory(_: list[str]) -> None:
    bytearray(2 * inputs_worker.MEMORY_BYTES)
    sys.exit(0)


def never_ends(_: list[str]) -> None:
    while True:
        pass


JUDGED = {
    refuses: None,
    names_no_file: "file not named",
    says_two: "2 sentences",
    raises: "traceback: KeyError",
    prints_raw: "printed raw",
    ends_otherwise: "exit code 7",
    leaves_a_folder: "left behind",
    writes_outside: "outside",
    writes_elsewhere: "did",
    starts_a_process: "os.system",
    dies: "died: 3",
    takes_all_memory: "traceback: MemoryError",
    never_ends: "processor time",
}


@pytest.fixture
def honest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "honest"
    folder.mkdir()
    (folder / "tiny.json").write_text(str(SPEC).replace("'", '"'))
    (folder / "lut.csv").write_text("")
    monkeypatch.setattr(inputs, "IMPORTS", ())
    monkeypatch.setenv("ELSEWHERE", str(tmp_path / "elsewhere"))
    return folder


def test_each_misbehaviour_is_a_fault(honest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {}
    for behave in JUDGED:
        monkeypatch.setattr(command_line, "main", behave)
        monkeypatch.setattr(inputs, "CPU_SECONDS", 0.2 if behave is never_ends else 60.0)
        with inputs._Workers(honest) as workers:
            found[behave] = workers.call("spec predict", 1)["fault"]
    for behave, words in JUDGED.items():
        fault = found[behave]
        assert (fault is None) == (words is None), (behave.__name__, fault)
        assert words is None or words in fault, (behave.__name__, fault)


def test_a_campaign_goes_on_and_keeps_the_inputs_of_faults(
    honest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def every_third(arguments: list[str]) -> None:
        text = Path("tiny.json").read_bytes()
        sys.exit(7) if len(text) % 3 == 0 else refuses(arguments)

    monkeypatch.setattr(command_line, "main", every_third)
    monkeypatch.setattr(inputs, "make", lambda folder, names: None)
    asked = argparse.Namespace(
        out=tmp_path, only="spec predict", count=4, seed=0, faults=False
    )  # 12 calls, for its share is 3
    (row,) = inputs.run(asked)
    journal = (tmp_path / "inputs.jsonl").read_text()
    assert (row.calls, row.done) == (12, 0)
    assert row.refused + row.faults == 12
    assert row.faults > 0 and row.refused > 0
    kept = tmp_path / "corpus" / "spec-predict" / str(row.first_seed) / "tiny.json"
    assert len(kept.read_bytes()) % 3 == 0
    assert inputs.run(asked) == [row]
    assert (tmp_path / "inputs.jsonl").read_text() == journal, "no call is made twice"
    write_rows(tmp_path, "inputs", [row])
    assert read_rows(tmp_path, "inputs") == [row]
    assert "| specs | spec predict | 12 | 0 |" in page({"inputs": [row]})


def test_a_seed_makes_the_same_file(honest: Path, tmp_path: Path) -> None:
    target = targets.TARGETS["spec predict"]

    def made(seed: str) -> bytes:
        target.prepare(honest, tmp_path, random.Random(seed), tmp_path / "canary")
        return (tmp_path / "tiny.json").read_bytes()

    files = {made(str(seed)) for seed in range(30)}
    assert len(files) > 20
    assert made("7") == made("7")
