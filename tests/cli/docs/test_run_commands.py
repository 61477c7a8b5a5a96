"""Command lines of README.md and docs/ really run, with small models, data and times.

How each line is accounted for is in tests/doc_commands/small.py, in three visible lists; a line
that none of them has fails here. Lines that become the same by the small settings run once.
"""

from __future__ import annotations

import itertools
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from doc_commands.collect import ROOT, CommandLine, all_command_lines
from doc_commands.parsed import shelled
from doc_commands.small import Account, account_of, small
from doc_commands.world import write_trained, write_world

WRITTEN_BY = ("--out", "--plot", "--trace")


def accounts() -> dict[CommandLine, tuple[list[str], Account | None]]:
    """Return vitprof's own lines, with their arguments and what becomes of them."""
    found = {}
    for line in all_command_lines():
        arguments = shelled(line.text).arguments
        if arguments is not None:
            found[line] = (arguments, account_of(arguments, line.text))
    return found


ACCOUNTS = accounts()
RUN = {
    line: small(given) for line, (given, told) in ACCOUNTS.items() if told and told.kind == "run"
}


def test_every_line_is_accounted_for(record_property: Callable[[str, object], None]) -> None:
    missing = [f"{line.place}: {line.text}" for line, (_, told) in ACCOUNTS.items() if told is None]
    assert missing == []
    counts = Counter(told.kind for _, told in ACCOUNTS.values() if told)
    for kind, count in counts.items():
        record_property(kind, count)
    print(dict(counts))
    # At least so many of them are really run, here or with small settings by a test of their own.
    assert counts["run"] >= 80
    assert counts["run"] + counts["elsewhere"] >= 0.75 * counts.total()


def test_a_test_that_runs_a_command_elsewhere_names_it() -> None:
    for line, (arguments, told) in ACCOUNTS.items():
        if told and told.kind == "elsewhere":
            text = (ROOT / told.where).read_text()
            verb = arguments[0].replace("-", "_")
            named = f'"{arguments[0]}"' in text or re.search(rf"\b{verb}\w*\(", text)
            assert named, f"{line.place}: {told.where}"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    write_world(folder)
    return folder


Done = tuple[int, str]
DONE: dict[tuple[str, ...], Done] = {}


@pytest.fixture
def done(world: Path, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a command line in a folder of its own that holds the world; each but once."""

    def of(arguments: list[str], place: Path) -> Done:
        key = tuple(arguments)
        if key not in DONE:
            shutil.copytree(world, place)
            for option, value in itertools.pairwise(arguments):
                if option == "--out":  # what the world has under that name is of another line
                    shutil.rmtree(place / value, ignore_errors=True)
                    (place / value).unlink(missing_ok=True)
            monkeypatch.chdir(place)
            answer = run(*arguments)
            DONE[key] = (answer.code, answer.err)
            for option, value in itertools.pairwise(arguments):
                if answer.code in (0, 1) and option in WRITTEN_BY:
                    assert (place / value).exists(), f"{value} was not written"
        return DONE[key]

    def after_the_world(arguments: list[str]) -> Done:
        for name, (made_by, needed_for) in MADE.items():
            needed = arguments == made_by or re.search(needed_for, " ".join(arguments))
            if needed and not (world / name).exists():
                place = tmp_path / name
                code, err = of(made_by, place)
                assert code in (0, 1), err
                if (place / name).is_dir():
                    shutil.copytree(place / name, world / name)
                    write_trained(world)
                else:
                    shutil.copy(place / name, world / name)
        return of(arguments, tmp_path / "here")

    return after_the_world


TRAIN = "train --data digits --epochs 9 --batch 32 --augment none --model m --out x"
# What the world gets by commands, and what for: a trained model, a table of this machine.
MADE = {
    "digits": (small(TRAIN.split(" ")), r"--model (digits|half|my-vit)|my-vit$|weights"),
    "measured.csv": (small(["measure", "--out", "lut.csv"]), r"--table measured\.csv"),
}


@pytest.mark.slow
@pytest.mark.docs
@pytest.mark.parametrize("form", sorted(set(map(tuple, RUN.values()))), ids=" ".join)
def test_a_printed_command_runs(form: tuple[str, ...], done) -> None:
    lines = [line for line, given in RUN.items() if tuple(given) == form]
    code, err = done(list(form))
    refused = {line.shows_an_error for line in lines}
    places = ", ".join(line.place for line in lines)
    if refused == {True}:
        assert code == 2, f"{places}: the page shows an error, and there is none"
        assert [said for said in err.splitlines() if said.startswith("vitprof: ")], err
    elif refused == {False}:
        allowed = (0, 1, 3, 4) if form[0] == "gate" else (0, 1)
        assert code in allowed, f"{places}: {err}"
