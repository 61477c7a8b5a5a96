"""Trying an artifact of a stranger in a process of its own, with limits on memory and time.

A runtime may crash on it, take all memory or never end. That ends the other process, not this one.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import select
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

from ..untrusted.limits import TRIAL_SECONDS, in_bytes
from ..untrusted.memory import VARIABLE as MEMORY_VARIABLE
from ..untrusted.memory import memory_limit
from .protocol import BackendError

# Each has a module `run_once` with a function of that name.
RUNTIMES = {"onnxruntime": "ONNX Runtime", "litert": "LiteRT", "executorch": "ExecuTorch"}
_LENGTH = 8
# With nothing to do for so long the process ends; the next artifact starts another.
_IDLE_S = 20
# What a runtime says is caught in a file, in a few lines.
_LARGEST_FILE = 2**20
# Alone (-I), with the libraries that this process has.
PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from vitprof.backends.trial import serve; serve(sys.argv[2], json.loads(sys.argv[3]))"
)
_NO_MEMORY = ("bad_alloc", "bad allocation", "allocate memory", "out of memory", "can't allocate")
_running: dict[str, Trial] = {}
_LOCK = threading.Lock()  # an answer belongs to one artifact


class IdleError(Exception):
    """The process had nothing to do for too long and ended."""


class Trial:
    """The process of one runtime, once it has been started."""

    def __init__(self, runtime: str) -> None:
        self._name = RUNTIMES[runtime]
        self._memory = memory_limit()
        libraries = [os.path.abspath(entry) for entry in sys.path]  # noqa: PTH100 - "" is a folder
        self._process = subprocess.Popen(  # noqa: S603 - our own program, this very Python
            [
                *(sys.executable, "-I", "-c", PROGRAM),
                *(json.dumps(libraries), runtime, json.dumps(self._memory)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def check(self, artifact: bytes) -> None:
        """Raise BackendError if the artifact cannot be loaded and run, or ends the process."""
        answer = self._answer(artifact)
        if answer == "ok":
            return
        if not answer and self._process.wait() == 0:
            raise IdleError  # it had ended as this artifact came
        if not answer:
            self.stop()
            raise BackendError(
                f"{self._name} crashes on this model (tried in a process of its own, which ended "
                f"with {self._process.returncode})"
            )
        if answer == "memory":
            most = "there is" if self._memory is None else in_bytes(self._memory)
            raise BackendError(
                f"{self._name} needs more than {most} of memory for this model; "
                f"{MEMORY_VARIABLE} (vitprof --memory-limit) lifts the limit"
            )
        raise BackendError(f"{self._name} does not take this model: {answer}")

    def _answer(self, artifact: bytes) -> str:
        """Return the line that the process writes; "" where it ends before.

        Interrupted, the process is ended too: its answer would be taken for the next one's.
        """
        try:
            return self._asked(artifact)
        except OSError:
            return ""
        except BaseException:
            self._process.kill()
            self.stop()
            raise

    def _asked(self, artifact: bytes) -> str:
        to, answers = self._process.stdin, self._process.stdout
        assert to is not None and answers is not None
        most = TRIAL_SECONDS.most()
        to.write(len(artifact).to_bytes(_LENGTH, "little"))
        to.write(artifact)
        to.flush()
        if not select.select([answers], [], [], most)[0]:
            raise BackendError(
                f"{self._name} has not loaded and run this model after {most} s; "
                f"{TRIAL_SECONDS.variable} lifts the limit"
            )
        return answers.readline().decode(errors="replace").strip()

    def runs(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError, ValueError, subprocess.TimeoutExpired):
            self._process.communicate(timeout=10)
        if self.runs():
            self._process.kill()
            self._process.wait()


def try_artifact(runtime: str, artifact: bytes) -> None:
    """Raise BackendError unless the artifact loads and runs in another process; it stays for more.

    runtime: one of RUNTIMES. Its process has the memory of `memory_limit` beside what the runtime
    itself takes, and TRIAL_SECONDS for each artifact. It ends with this one, or when it is idle.
    """
    with _LOCK:
        found = _running.get(runtime)
        if found is None or not found.runs():
            if found is not None:
                found.stop()
            found = _running[runtime] = Trial(runtime)
        try:
            found.check(artifact)
        except IdleError:
            found.stop()
            found = _running[runtime] = Trial(runtime)
            found.check(artifact)


def lacks_memory(words: str) -> bool:
    """Whether a runtime's words say that it got no memory."""
    return any(one in words.lower() for one in _NO_MEMORY)


def stop_trials() -> None:
    """End the processes that artifacts are tried in."""
    while _running:
        _running.popitem()[1].stop()


atexit.register(stop_trials)


def serve(runtime: str, memory: int | None) -> None:
    """Answer each artifact of stdin with a line: "ok", "memory" or why it is refused.

    What libraries print goes nowhere. No file can be larger than 1 MiB.
    """
    requests, answers = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    run_once = importlib.import_module(f"{__package__}.{runtime}.run_once").run_once
    _limit(memory)
    with open(requests, "rb", buffering=0) as stdin:  # noqa: PTH123 - a descriptor
        # Unbuffered: what is read ahead would not be seen by `select`.
        while select.select([stdin], [], [], _IDLE_S)[0]:
            length = _read(stdin, _LENGTH)
            if not length:
                return
            try:
                run_once(_read(stdin, int.from_bytes(length, "little")))
                answer = "ok"
            except MemoryError:
                answer = "memory"
            except Exception as error:
                answer = " ".join(str(error).split())[:400] or type(error).__name__
                if lacks_memory(answer):
                    answer = "memory"
            os.write(answers, answer.encode(errors="replace") + b"\n")


def _limit(memory: int | None) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    limits = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, _LARGEST_FILE)]
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        if memory is not None:
            limits.append((resource.RLIMIT_AS, pages * resource.getpagesize() + memory))
    for limit, value in limits:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(limit, (value, value))


def _read(requests: IO[bytes], count: int) -> bytes:
    """Return so many bytes, fewer at the end: a pipe gives them in pieces."""
    pieces = []
    while count and (piece := requests.read(count)):
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)
