"""How a part ended, and running one so that nothing of it outlives its time."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from .findings import write_json
from .part import Part

# For writing the stacks of a process that hangs, and for the kernel to remove one.
STACK_S, KILL_S = 2.0, 5.0


@dataclass(frozen=True)
class Outcome:
    """state: "ok", "failed" (it raised), "died" (of a signal), "out of time" or "skipped"."""

    state: str
    why: str = ""
    seconds: float = 0.0
    stack: str = ""

    @property
    def is_bad(self) -> bool:
        return self.state != "ok"

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "outcome.json", asdict(self))

    @classmethod
    def read(cls, folder: Path) -> Outcome | None:
        """Return what an earlier call left there; None for nothing, or nothing that can be read."""
        try:
            return cls(**json.loads((folder / "outcome.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None


def run_part(
    part: Part, day: Path, environment: Mapping[str, str], limit_s: float, mode: str = ""
) -> Outcome:
    """Run a part in a session of its own for so long at the most; never raises for its sake."""
    folder = part.folder(day)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [sys.executable, "-P", "-m", "gpuday.child", part.module, str(folder), str(day)]
    command += [f"{limit_s:.0f}", *([mode] if mode else [])]
    started = time.monotonic()
    with (folder / "log").open("w") as log:
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            state, why = _ending(child, folder, limit_s)
        finally:
            _kill_group(child)
    outcome = Outcome(state, why, round(time.monotonic() - started, 1), _stack(folder, state))
    outcome.write(folder)
    return outcome


def _ending(child: subprocess.Popen[bytes], folder: Path, limit_s: float) -> tuple[str, str]:
    try:
        code = child.wait(limit_s)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGUSR1)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(STACK_S)
        return "out of time", f"it was stopped after {limit_s:.0f} s"
    if code == 0:
        return "ok", ""
    if code < 0:
        return "died", f"it was ended by {signal.Signals(-code).name}"
    error = folder / "error"
    if error.is_file():
        return "failed", error.read_text(encoding="utf-8")
    log = (folder / "log").read_text(encoding="utf-8", errors="replace").split("\n")
    last = next((line.strip() for line in reversed(log) if line.strip()), "it said nothing")
    return "failed", f"it ended with code {code}: {last[:600]}"


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    """End what is left of the part: the part itself, and all processes that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    # A process that waits inside the driver cannot be killed, and must not hold up the others.
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(KILL_S)


def _stack(folder: Path, state: str) -> str:
    """Return where a part hung or crashed: the innermost calls of the thread that was at work."""
    file = folder / "stack"
    if state not in ("died", "out of time") or not file.is_file():
        return ""
    text = file.read_text(encoding="utf-8", errors="replace")
    first, mark, rest = text.partition("Current thread")
    lines = (mark + rest if mark else first).splitlines()
    # Where the packages lie on this machine is of no interest to others.
    return "\n".join(
        re.sub(r'"/.*/(site-packages|vitprof|benchmarks)/', '"', x) for x in lines[:16]
    )
