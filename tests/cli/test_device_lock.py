"""Every command that times something keeps others off the device, and is kept off by them."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from vitprof.cli.exit_codes import DEVICE_BUSY
from vitprof.profiler.place import device_lock

pytestmark = pytest.mark.slow

QUICK_BENCH = ("bench", "--model", "vit-micro-8", "--sessions", "1", "--runs", "3", "--json")


@pytest.fixture
def taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """This machine is being measured by somebody else."""
    folder = tmp_path / "locks"
    folder.mkdir()
    monkeypatch.setenv("VITPROF_LOCK_DIR", str(folder))
    lock = folder / "host.lock"
    holder = {"pid": 4242, "user": "ada", "command": "vitprof measure", "since": "2026-01-02"}
    lock.write_text(json.dumps(holder))
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield lock


@pytest.mark.parametrize(
    "arguments",
    [
        ("measure", "--model", "vit-micro-8", "--out", "new.csv"),
        QUICK_BENCH,
        ("validate", "--table", "small.csv"),
        ("calibrate", "--table", "small.csv", "--models", "3"),
        ("compare", "--table", "small.csv", "--model", "vit-micro-8", "--verify"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_device_that_is_being_measured_is_left_to_its_holder(
    arguments: tuple[str, ...], run, measured, taken, monkeypatch
) -> None:
    path, _ = measured
    monkeypatch.chdir(path.parent)
    before = path.read_bytes()
    answer = run(*arguments)
    assert answer.code == DEVICE_BUSY
    assert answer.is_one_sentence, answer.err
    assert "process 4242 of ada (vitprof measure) since 2026-01-02" in answer.err
    assert answer.out == ""
    assert path.read_bytes() == before
    assert not Path("new.csv").exists()


def test_what_only_asks_a_table_needs_no_device(run, measured, taken) -> None:
    path, _ = measured
    assert run("predict", "--table", path, "--model", "vit-micro-8").code == 0
    assert run("calibrate", "--table", path).code == 0


def test_a_lock_that_nobody_holds_any_more_is_taken_over(run, taken, tmp_path, monkeypatch) -> None:
    folder = tmp_path / "left"
    folder.mkdir()
    (folder / "host.lock").write_bytes(taken.read_bytes())
    monkeypatch.setenv("VITPROF_LOCK_DIR", str(folder))
    answer = run(*QUICK_BENCH)
    assert answer.code in (0, 1)
    assert "warning: the lock of this machine was left by process 4242 of ada" in answer.err
    assert "left by" not in run(*QUICK_BENCH).err


LONG_WORK = {
    "quantize": ("quantize", "--dtype", "int8", "--data", "digits"),
    "prune-heads": ("prune-heads", "--data", "digits"),
}


@pytest.mark.parametrize("name", LONG_WORK)
def test_the_device_is_looked_at_before_long_work_begins(
    name, run, trained, taken, tmp_path
) -> None:
    out = tmp_path / "out"
    answer = run(*LONG_WORK[name], "--model", trained, "--out", out)
    assert answer.code == DEVICE_BUSY
    assert answer.is_one_sentence, answer.err
    assert "process 4242 of ada" in answer.err
    assert not out.exists()


def test_wait_ends_when_the_holder_does(run, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("VITPROF_LOCK_DIR", str(tmp_path))
    with (tmp_path / "host.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        def nap(_: float) -> None:
            fcntl.flock(held, fcntl.LOCK_UN)

        monkeypatch.setattr(device_lock.time, "sleep", nap)
        answer = run(*QUICK_BENCH, "--wait", "10m")
    assert answer.code in (0, 1)
    assert "is being measured by another process: waiting until it ends" in answer.err
    assert "waiting for the device: 0/600" in answer.err
    assert answer.json["model"] == "vit-micro-8"


def test_who_waited_long_enough_ends_with_a_code_of_its_own(run, taken) -> None:
    assert run(*QUICK_BENCH, "--wait", "0.01s").code == DEVICE_BUSY


def test_a_bad_wait_is_one_sentence(run) -> None:
    answer = run(*QUICK_BENCH, "--wait", "soon")
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert "--wait: 'soon' is not a time" in answer.err


def test_a_pipeline_is_not_begun_while_others_measure(run, trained, taken, tmp_path) -> None:
    config = tmp_path / "once.toml"
    config.write_text(f'data = "digits"\nmodel = "{trained}"\n[quantize]\ndtype = ["int8"]\n')
    answer = run("pipeline", "--config", config, "--out", tmp_path / "once")
    assert answer.code == DEVICE_BUSY, answer.err
    assert not (tmp_path / "once").exists()
