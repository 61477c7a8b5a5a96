"""Command lines run in forked children of a process that has imported everything.

A child starts in milliseconds, has a session of its own, and writes below one `Place` only.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .faults import COUNT, Fault, Preloaded

# What processes that a command started may take to notice that it is gone.
ORPHANS_S = 10.0
IMPORTED = (
    "torch",
    "numpy",
    "pandas",
    "matplotlib.pyplot",
    "onnx",
    "onnxruntime",
    "safetensors.torch",
    "scipy.interpolate",
    "sklearn.datasets",
    "torch.onnx",
    "torch.utils.data",
)
# Packages of vitprof whose modules commands import when they need them.
WITH_ALL_MODULES = (
    *("cli", "verbs", "training", "search", "compress", "profiler", "tables", "spaces", "models"),
    *("backends.onnxruntime", "backends.onnx", "untrusted"),
)


def import_all() -> None:
    """Import what commands need, before the first is forked."""
    import importlib

    import matplotlib

    matplotlib.use("Agg")
    for name in IMPORTED:
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)
    for package in WITH_ALL_MODULES:
        _import_modules(f"vitprof.{package}")
    import torch

    torch.set_num_threads(1)


def _import_modules(package: str) -> None:
    """Import a package and all modules in it that can be imported here."""
    import importlib
    import pkgutil

    found = importlib.import_module(package)
    for module in pkgutil.walk_packages(found.__path__, f"{package}.", onerror=lambda _: None):
        with contextlib.suppress(Exception):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


@dataclass(frozen=True)
class Place:
    """A folder for one run of a command: `work` is its current folder."""

    folder: Path

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    @property
    def locks(self) -> Path:
        return self.folder / "locks"

    def make(self) -> Place:
        """Make it anew and empty."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for folder in (self.work, self.temporary, self.folder / "state", self.locks):
            folder.mkdir(parents=True)
        return self

    def environment(self) -> dict[str, str]:
        return {
            "TMPDIR": str(self.temporary),
            "VITPROF_STATE": str(self.folder / "state"),
            "VITPROF_LOCK_DIR": str(self.locks),
        }

    def left_behind(self) -> list[str]:
        """Return the temporary folders and part files that no process is using any more."""
        parts = [*self.folder.rglob(".vitprof-*.part"), *self.folder.rglob("*.tmp")]
        # Libraries keep caches there that are not folders of one process.
        own = [one for one in self.temporary.iterdir() if one.name.startswith(("vitprof-", "tmp"))]
        return sorted({str(path.relative_to(self.folder)) for path in (*own, *parts)})


@dataclass
class Ended:
    """How a command ended: `code` is negative for a signal, None where it hung.

    made: of a run without a fault, its calls that change files, in their order: call and file.
    """

    code: int | None
    out: str
    err: str
    calls: int = 0
    struck: str = ""
    seconds: float = 0.0
    orphans: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL

    @property
    def sentence(self) -> str:
        """The last line of stderr where it is vitprof's own."""
        last_line = self.err.rstrip().rpartition("\n")[2]
        return last_line if last_line.startswith("vitprof: ") else ""


Setup = Callable[[], None]


class Runner:
    """Forks commands. `setup` runs in each child before its command: patches of time."""

    def __init__(self, setup: Setup | None = None, limit_s: float = 300.0) -> None:
        self.preloaded = Preloaded()
        self.setup = setup
        self.limit_s = limit_s

    def start(
        self,
        arguments: Sequence[object],
        place: Place,
        fault: Fault | None = None,
        setup: Setup | None = None,
        log: str = "log",
    ) -> Running:
        """Start a command line in a child; everything below the place is under the fault.

        `log` is a name for what it prints, which is kept beside the place.
        """
        printed = place.folder.with_name(f"{place.folder.name}-{log}")
        shutil.rmtree(printed, ignore_errors=True)
        printed.mkdir(parents=True)
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._child([str(one) for one in arguments], place, printed, fault or Fault(), setup)
        return Running(pid, printed, time.monotonic())

    def run(
        self,
        arguments: Sequence[object],
        place: Place,
        fault: Fault | None = None,
        signal_after_s: tuple[float, int] | None = None,
        setup: Setup | None = None,
    ) -> Ended:
        running = self.start(arguments, place, fault, setup)
        if signal_after_s is not None:
            after, number = signal_after_s
            running.signal_after(after, number)
        return running.wait(self.limit_s)

    def _child(
        self, arguments: list[str], place: Place, log: Path, fault: Fault, setup: Setup | None
    ) -> None:
        code = 1
        try:
            os.setsid()
            os.environ.update(place.environment())
            os.environ.pop("LD_PRELOAD", None)
            import tempfile

            tempfile.tempdir = None
            for name, number, flags in (("out", 1, os.O_WRONLY), ("err", 2, os.O_WRONLY)):
                made = os.open(log / name, flags | os.O_CREAT | os.O_APPEND, 0o600)
                os.dup2(made, number)
            sys.stdin.close()
            sys.stdout = os.fdopen(1, "w", closefd=False)
            sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
            os.chdir(place.work)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for one in (self.setup, setup):
                if one is not None:
                    one()
            from vitprof.cli.main import main

            record = None
            if fault.mode == COUNT:
                record = os.open(log / "made", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self.preloaded.arm(place.folder, fault, record)
            code = _code_of(main, arguments)
            with contextlib.suppress(BaseException):
                atexit._run_exitfuncs()
            calls, struck = self.preloaded.disarm()
            sys.stdout.flush()
            sys.stderr.flush()
            (log / "calls").write_text(json.dumps([calls, struck]))
        finally:
            os._exit(code)


def _code_of(main: Callable[[], None], arguments: list[str]) -> int:
    sys.argv = ["vitprof", *arguments]
    try:
        main()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


@dataclass
class Running:
    """A command that runs."""

    pid: int
    log: Path
    since: float

    def signal_after(self, seconds: float, number: int) -> None:
        """Send a signal so long after the start, unless it has ended by then."""
        while time.monotonic() < self.since + seconds:
            if self.ended():
                return
            time.sleep(0.005)
        self.send(number)

    def ended(self) -> bool:
        """Whether it has ended; it is still to be waited for."""
        found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return found is not None

    def send(self, number: int) -> None:
        if not self.ended():
            os.kill(self.pid, number)

    def wait(self, limit_s: float) -> Ended:
        """Wait for its end; what is left of it is ended and named."""
        hung = False
        while not self.ended():
            if time.monotonic() - self.since > limit_s:
                hung = True
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(0.005)
        seconds = time.monotonic() - self.since
        _, status = os.waitpid(self.pid, 0)
        orphans = _end_session(self.pid)
        code = os.waitstatus_to_exitcode(status)
        calls, struck = 0, ""
        with contextlib.suppress(OSError):
            calls, struck = json.loads((self.log / "calls").read_text())
        return Ended(
            None if hung else code,
            _text(self.log / "out"),
            _text(self.log / "err"),
            calls,
            struck,
            seconds,
            orphans,
            _calls_in(self.log / "made"),
        )


def _calls_in(record: Path) -> list[str]:
    """Return the calls that a process recorded, by their number."""
    numbered = [line.partition(" ") for line in _text(record).splitlines()]
    return [call for _, _, call in sorted(numbered, key=lambda parts: int(parts[0]))]


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""


def _end_session(session: int) -> list[str]:
    """Wait for the processes of a session; return the commands of those that had to be killed."""
    ends = time.monotonic() + ORPHANS_S
    while found := _of_session(session):
        if time.monotonic() > ends:
            for pid in found:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            return list(found.values())
        time.sleep(0.05)
    return []


def _of_session(session: int) -> dict[int, str]:
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            after_name = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(after_name[3]) == session and after_name[0] not in "ZX":
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(folder.name)] = words.decode(errors="replace")[:200]
    return found
