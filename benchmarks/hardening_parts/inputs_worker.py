"""A process of its own that gives one hostile file after the other to the command line.

It is forked from a process that has imported what commands need, so a new one costs nothing: one
that hangs or dies is counted, and the next goes on. What the kernel limits (memory), it limits
there; what a file makes Python do (open, rename, remove, start a process, connect) is watched
through Python's audit hooks.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from vitprof.backends import trial

MEMORY_BYTES = 2 << 30
# What vitprof itself may take; less than what the process may.
VITPROF_LIMIT = "512MiB"
# A tab, a line's end and a carriage return of a progress bar are not harm.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_CACHES = ("torchinductor_",)  # of libraries, kept for all processes of a user
_FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
# Events that a hostile file must not cause, and those that change the file system.
_STARTED = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect")
_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink")


@dataclass
class Box:
    """The folders of a worker: hostile files lie in `work`; nothing else in `root` may change."""

    root: Path
    work: Path = field(init=False)
    canary: Path = field(init=False)

    def __post_init__(self) -> None:
        self.work = self.root / "outside" / "work"
        self.canary = self.root / "canary" / "CODE_RAN"
        for folder in (self.work, self.canary.parent, self.temporary, self.root / "home"):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def temporary(self) -> Path:
        return self.root / "temporary"

    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.root / "home"),
            "TMPDIR": str(self.temporary),
            "VITPROF_LOCK_DIR": str(self.root / "locks"),
            "VITPROF_STATE": str(self.root / "state"),
            "VITPROF_NO_LOCK": "1",
            "VITPROF_MEMORY_LIMIT": VITPROF_LIMIT,
            "HF_HUB_OFFLINE": "1",
            "MPLCONFIGDIR": str(self.root / "home"),
        }

    def emptied(self) -> None:
        for folder in (self.work, self.temporary, self.canary.parent):
            for entry in folder.iterdir():
                _remove(entry)

    def outside(self) -> set[str]:
        """Return what lies outside the working folder and those that commands may write to."""
        mine = ("home", "state", "locks")
        own = (self.work, self.temporary, *(self.root / name for name in mine))
        found = set()
        for folder in (self.root, self.root / "outside", self.canary.parent):
            found |= {str(entry) for entry in folder.iterdir() if entry not in own}
        return found


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink()


def _starts_its_own(event: str, values: tuple[Any, ...]) -> bool:
    """Whether vitprof asks what this machine is, or tries a foreign graph in its own process."""
    if event != "subprocess.Popen":
        return False
    program, arguments = str(values[0]), values[1]
    if Path(program).name in ("nvidia-smi", "lscpu", "ldconfig", "uname"):
        return True
    return program == sys.executable and list(arguments)[1:4] == ["-I", "-c", trial.PROGRAM]


class Watch:
    """Notes what the running call did that it must not, by Python's audit events."""

    def __init__(self, box: Box) -> None:
        self.seen: list[str] = []
        self.on = False
        self._allowed = (str(box.root.resolve()), str(box.root), "/dev/null", "/proc/self")
        sys.addaudithook(self._hear)

    def _hear(self, event: str, values: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in _STARTED and not _starts_its_own(event, values):
            self.seen.append(f"{event}: {values[0]!r}")
        elif event == "open" and isinstance(values[2], int) and values[2] & _FOR_WRITING:
            self._changed("written", values[0])
        elif event in _CHANGES:
            self._changed(event, values[0])

    def _changed(self, event: str, place: Any) -> None:
        if not isinstance(place, str | bytes | os.PathLike):
            return  # an open file's number
        path = os.path.abspath(os.fsdecode(place))  # noqa: PTH100 - a link is not followed
        if not path.startswith(self._allowed):
            self.seen.append(f"{event}: {path}")


def work(pipe: Connection, root: Path, honest: Path) -> None:
    """Take (target's name, seed) from the pipe, answer with a verdict, until the pipe ends."""
    from .targets import TARGETS

    os.setpgrp()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    box = Box(root)
    os.environ |= box.environment()
    tempfile.tempdir = None  # it is asked for anew
    os.chdir(box.work)
    # Of its own, not what the process had that it was forked from.
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    _limit_memory()
    watch = Watch(box)
    while True:
        try:
            name, seed = pipe.recv()
        except EOFError:
            return
        pipe.send(one_call(TARGETS[name], seed, box, watch, honest))


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def one_call(target: Any, seed: int, box: Box, watch: Watch, honest: Path) -> dict[str, Any]:
    """Make the hostile file, give it to the command, and judge what came of it."""
    from vitprof.cli.main import main

    box.emptied()
    before = box.outside()
    rng = random.Random(f"{target.name}:{seed}")
    arguments = target.prepare(honest, box.work, rng, box.canary)
    output_file = box.root / "output.txt"
    watch.seen.clear()
    code: Any = None
    trace = ""
    started = time.process_time()
    with _output_in(output_file):
        watch.on = True
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code
        except BaseException:
            trace = traceback.format_exc()
        finally:
            watch.on = False
            sys.stdout.flush()
            sys.stderr.flush()
    text = output_file.read_text(errors="replace")
    output_file.unlink()
    verdict = {
        "code": code,
        "seconds": round(time.process_time() - started, 2),
        "fault": _fault(target, code, trace, text, watch.seen, box, box.outside() - before),
        "output": (trace or text)[-2000:],
        "arguments": [str(argument) for argument in arguments],
    }
    return verdict


def _fault(
    target: Any,
    code: Any,
    trace: str,
    text: str,
    seen: list[str],
    box: Box,
    new: set[str],
) -> str | None:
    errors = [line for line in text.splitlines() if line.startswith("vitprof: ")]
    found = None
    if box.canary.exists() or new:
        found = f"outside: {sorted(new)[:3]}"
    elif seen:
        found = f"did: {seen[:3]}"
    elif trace:
        found = "traceback: " + trace.strip().splitlines()[-1][:200]
    elif "Traceback (most recent call last)" in text:
        found = "traceback in the output"
    elif _CONTROL.search(text):
        found = f"printed raw: {_CONTROL.findall(text)[:3]}"
    elif code == 2 and len(errors) != 1:
        found = f"{len(errors)} sentences"
    elif code == 2 and not any(word in errors[0] for word in target.names):
        found = f"file not named: {errors[0][:200]}"
    elif code not in (*target.done, 2):
        found = f"exit code {code}"
    else:
        left = [path for path in box.temporary.iterdir() if not path.name.startswith(_CACHES)]
        left += box.work.rglob("*.part")
        if left:
            found = f"left behind: {[path.name for path in left[:3]]}"
    return found


@contextlib.contextmanager
def _output_in(path: Path) -> Iterator[None]:
    """Send what this process and its libraries print (stdout and stderr) to a file."""
    kept = os.dup(1), os.dup(2)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        os.dup2(file, 1)
        os.dup2(file, 2)
        yield
    finally:
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        for number in (file, *kept):
            os.close(number)


def line_of(target: str, seed: int, verdict: dict[str, Any]) -> str:
    kept = {"target": target, "seed": seed, "code": verdict["code"]}
    if verdict["fault"]:
        kept |= {name: verdict[name] for name in ("fault", "output", "arguments")}
    return json.dumps(kept) + "\n"
