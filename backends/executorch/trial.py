"""Trying artifacts of strangers in a process of their own, which may crash.

As a program: reads a length (8 bytes) and an artifact, again and again; answers a line each.
"""

from __future__ import annotations

import atexit
import contextlib
import select
import subprocess
import sys
from typing import IO

from ..protocol import BackendError

_LENGTH = 8
# With nothing to do for so long the process ends; the next artifact starts another.
_IDLE_S = 20
_MODULE = "vitprof.backends.executorch.trial"
_running: list[Trial] = []


class Trial:
    """The process, once it has been started."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - this very module
            [sys.executable, "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def check(self, artifact: bytes) -> None:
        """Raise BackendError if the artifact cannot be loaded and run, or ends the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(len(artifact).to_bytes(_LENGTH, "little"))
            self._process.stdin.write(artifact)
            self._process.stdin.flush()
            answer = self._process.stdout.readline().decode(errors="replace").strip()
        except OSError:
            answer = ""
        if answer == "ok":
            return
        if answer:
            raise BackendError(answer.removeprefix("error "))
        self.stop()
        raise BackendError(
            f"ExecuTorch crashes on this program (tried in a process of its own, which ended with "
            f"{self._process.returncode})."
        )

    def runs(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._process.communicate(timeout=10)
        if self.runs():
            self._process.kill()
            self._process.wait()


def try_artifact(artifact: bytes) -> None:
    """Raise BackendError unless the artifact loads and runs in another process; it stays for more.

    Its process takes some seconds to start and about 300 MB; it ends with this one, or idle.
    """
    if not _running or not _running[0].runs():
        stop_trial()
        _running.append(Trial())
    _running[0].check(artifact)


def stop_trial() -> None:
    """End the process that artifacts are tried in, if there is one."""
    while _running:
        _running.pop().stop()


atexit.register(stop_trial)


def _read(requests: IO[bytes], count: int) -> bytes:
    """Return so many bytes, fewer at the end: a pipe gives them in pieces."""
    pieces = []
    while count and (piece := requests.read(count)):
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    from .session import ExecuTorchExecutable

    while select.select([requests], [], [], _IDLE_S)[0]:
        length = _read(requests, _LENGTH)
        if not length:
            return
        artifact = _read(requests, int.from_bytes(length, "little"))
        try:
            with ExecuTorchExecutable(artifact) as session:
                session.run()
                session.outputs()
            answer = "ok"
        except Exception as error:
            answer = f"error {' '.join(str(error).split())[:400]}"
        answers.write(answer.encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    # Unbuffered: what is read ahead would not be seen by `select`.
    with open(sys.stdin.fileno(), "rb", buffering=0) as stdin:  # noqa: PTH123 - a descriptor
        _serve(stdin, sys.stdout.buffer)
