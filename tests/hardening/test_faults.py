"""The library that lets a call fail: it counts, fails and kills where told to, and only there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hardening_parts.c_library import compiled
from hardening_parts.faults import COUNT, FAIL_ON, FAIL_ONCE, SIGNAL, SOURCE, Fault

CHILD = """
import json, os, sys
from pathlib import Path
from hardening_parts.faults import Fault, Preloaded

folder, nth, mode, number = Path(sys.argv[1]), *map(int, sys.argv[2:])
preloaded = Preloaded()
preloaded.arm(folder / "in", Fault(nth, mode, number))
told = []
for name in ("out/a", "in/a", "in/b"):
    try:
        with open(folder / name, "w") as file:
            file.write("text")
            file.flush()
            os.fsync(file.fileno())
        os.replace(folder / name, folder / f"{name}.new")
        told.append("done")
    except OSError as error:
        told.append(error.errno)
calls, struck = preloaded.disarm()
print(json.dumps([told, calls, struck.replace(str(folder), "")]))
"""
ENOSPC = 28
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

pytestmark = pytest.mark.skipif(
    not (sys.platform == "linux" and shutil.which("cc")), reason="it is C, for Linux"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(SOURCE, tmp_path_factory.mktemp("library"))


@pytest.fixture
def child(made: Path, tmp_path: Path) -> Any:
    """Run a program with a fault; return its exit code and what it says."""
    for name in ("in", "out"):
        (tmp_path / name).mkdir()

    def run(fault: Fault) -> tuple[int, Any]:
        words = [str(one) for one in (tmp_path, fault.nth, fault.mode, fault.number)]
        environment = {**os.environ, "LD_PRELOAD": str(made), "PYTHONPATH": str(BENCHMARKS)}
        command = [sys.executable, "-c", CHILD, *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr

    return run


def test_calls_below_the_folder_are_counted(child: Any) -> None:
    assert child(Fault(0, COUNT)) == (0, [["done"] * 3, 8, ""])


def test_one_call_fails_or_it_and_all_after_it(child: Any, tmp_path: Path) -> None:
    assert child(Fault(2, FAIL_ONCE, ENOSPC)) == (0, [["done", ENOSPC, "done"], 7, "write /in/a"])
    assert child(Fault(4, FAIL_ON, ENOSPC))[1][0] == ["done", ENOSPC, ENOSPC]
    assert (tmp_path / "out/a.new").read_text() == "text"


def test_a_process_is_killed_before_the_call(child: Any, tmp_path: Path) -> None:
    code, _ = child(Fault(8, SIGNAL, signal.SIGKILL))
    assert code == -signal.SIGKILL
    assert (tmp_path / "in/a.new").is_file()
    assert (tmp_path / "in/b").read_text() == "text"
    assert not (tmp_path / "in/b.new").exists()
