"""A child process that answers requests, one JSON object a line.

What the libraries in it print goes to its stderr, so that answers stand alone on its stdout. The
child's end is `serve`, the parent's `Child`. A crash of a runtime ends the child and not vitprof.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import IO, Any, Self

from ...backends import BackendError
from ...errors import UserError
from ...temporary_folder import TemporaryFolder

# A conversion of a large model takes minutes; nothing takes longer unless it hangs.
SECONDS = 900.0
Answer = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class Child:
    """A Python that runs one of this package's modules; a context manager.

    Its temporary files go with it, even where it is killed. `answers` is how many requests its
    present process has answered.
    """

    def __init__(
        self,
        python: str,
        module: str,
        seconds: float = SECONDS,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Start it, with further `variables` of the environment.

        Raises UserError where `python` cannot be run.
        """
        self._command = [python, "-m", module]
        self._variables = variables
        self._seconds = seconds
        self._temporary = TemporaryFolder()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        try:
            self._start()
        except OSError as error:
            self._errors.close()
            self._temporary.close()
            raise UserError(f"the Python {python} cannot be run: {error.strerror}.") from None

    def _start(self) -> None:
        self.answers = 0
        self._process = subprocess.Popen(  # noqa: S603 - the interpreter that the user named
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **self._variables, "TMPDIR": str(self._temporary.path)},
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        self._waiting = selectors.DefaultSelector()
        self._waiting.register(self._from, selectors.EVENT_READ)

    def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """Return the answer to a request; a child that has ended is started again.

        Raises BackendError with the child's words where it refuses, ends or takes too long, and
        where the system starts no process.
        """
        if self._process.poll() is not None:
            self._let_go()
            try:
                self._start()
            except OSError as error:
                raise BackendError(f"no process can be started: {error.strerror}") from None
        try:
            self._to.write(json.dumps({"do": do, **fields}).encode() + b"\n")
            self._to.flush()
        except OSError:
            raise BackendError(self._last_words()) from None
        if not self._waiting.select(self._seconds):
            self._process.kill()
            raise BackendError(f"no answer to '{do}' after {self._seconds:.0f} s")
        line = self._from.readline()
        if not line:
            raise BackendError(self._last_words())
        self.answers += 1
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BackendError(str(answer["error"]))
        return answer

    def kill(self) -> None:
        """End its process at once: a request of another thread then gets its last words."""
        self._process.kill()

    def renew(self) -> None:
        """End its process; the next request starts another, which has none of its memory."""
        self._end()
        self.answers = 0

    def close(self) -> None:
        """End it; a second close does nothing."""
        self._end()
        self._errors.close()
        self._temporary.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self.kill()
        self.close()

    def _end(self) -> None:
        self._let_go()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _let_go(self) -> None:
        self._waiting.close()
        for end in (self._to, self._from):
            # Where it is gone, something may still be to be written.
            with contextlib.suppress(OSError):
                end.close()

    def _last_words(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read()[-4000:].decode(errors="replace").strip().splitlines()
        if any("No module named" in line and "vitprof" in line for line in lines[-1:]):
            return f"the Python {self._command[0]} has no vitprof; install it there"
        ended = f"signal {-code}" if code < 0 else f"exit code {code}"
        reason = f": {lines[-1][:300]}" if lines else ""
        return f"its process ended with {ended}{reason}"


def serve(answer: Answer) -> None:
    """Answer requests until stdin ends. An exception is the answer to its request."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin.buffer:
        try:
            reply = dict(answer(json.loads(line)))
        except Exception as error:  # runtimes raise anything
            reply = {"error": " ".join(str(error).split())[:500] or type(error).__name__}
        answers.write(json.dumps(reply).encode() + b"\n")
        answers.flush()
