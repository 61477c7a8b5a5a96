"""Files that grow line by line and outlive a crash: a line is on the disk before it counts.

A line that a crash or a full disk cut short is the last of its file, and is dropped; so is a first
line that is only begun. Anything else that is damaged is refused, naming file and line.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import Any

from .atomic_write import check_regular
from .errors import UserError

LARGEST_FILE_BYTES = 1_000_000_000
LARGEST_FIRST_LINE = 10_000_000


def write_line(file: FileIO, line: bytes) -> None:
    """Append one line, its newline included, to a file opened unbuffered, and wait for the disk.

    Raises OSError where it cannot be written whole; what was written of it is cut off again, and
    where even that fails, `whole_lines` drops it.
    """
    size = file.seek(0, os.SEEK_END)
    try:
        if file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            os.truncate(file.fileno(), size)
        raise


@contextlib.contextmanager
def locked(file: FileIO) -> Iterator[None]:
    """Keep other processes that lock it too from an open file, for the moment of a line."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:  # a file system that cannot lock
        yield
        return
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def whole_lines(path: Path) -> list[bytes]:
    """Return the file's whole lines, without newlines, and cut off a torn one behind them."""
    whole, newline, torn = path.read_bytes().rpartition(b"\n")
    if torn:
        with path.open("r+b") as file:
            file.truncate(len(whole + newline))
    return whole.split(b"\n") if newline else []


def only_begun(path: Path, beginning: bytes) -> bool:
    """Whether a file is empty, or nothing but the torn first line of one that begins so."""
    with path.open("rb") as file:
        head = file.read(LARGEST_FIRST_LINE)
    return b"\n" not in head and head[: len(beginning)] == beginning[: len(head)]


class JsonLog:
    """A file of JSON lines: first what it is a log of, then a record each. Opened by making it.

    kind: the first key of the first line, whose value is the version; what: "a search", in
    messages; remedy: what to do about a file that is none, or damaged. `header` is what the first
    line says, `records` what the others do, each with its file and line.

    Raises UserError for a file of another kind or version, one that is damaged, and where it cannot
    be read or written.
    """

    def __init__(
        self,
        path: Path,
        kind: str,
        header: Mapping[str, Any],
        *,
        what: str,
        remedy: str,
        version: int = 1,
    ) -> None:
        self.path, self.remedy, self.what = path, remedy, what
        self.header: dict[str, Any] = dict(header)
        self.records: list[tuple[str, dict[str, Any]]] = []
        beginning = json.dumps({kind: version})[:-1].encode()
        check_regular(path)
        try:
            with self._held():
                if path.exists() and not only_begun(path, beginning):
                    self._read(kind, beginning)
                    return
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}; {remedy}.") from None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileIO(path, "ab") as file, locked(file):
                # Another process may have begun it since.
                if only_begun(path, beginning):
                    file.truncate(0)
                    write_line(file, json.dumps({kind: version, **header}).encode() + b"\n")
                    return
        except OSError as error:
            raise UserError(
                f"{path} cannot be written: {error.strerror}; fix this, and give the command again."
            ) from None
        with self._held():
            self._read(kind, beginning)

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a record; raises UserError, the file being as before, where that cannot be done."""
        try:
            with FileIO(self.path, "ab") as file, locked(file):
                write_line(file, json.dumps(record).encode() + b"\n")
        except OSError as error:
            raise UserError(
                f"{self.path} cannot be written any more: {error.strerror}; what it holds is kept, "
                "and the same command continues from there."
            ) from None

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """Keep others from appending while the file is read: their line may be half written."""
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(
                OSError
            ):  # not there yet, or it cannot be read: reported later
                stack.enter_context(locked(stack.enter_context(FileIO(self.path, "r"))))
            yield

    def differing(self, asked: Mapping[str, Any]) -> str | None:
        """Return the first key that the first line of the file has otherwise, if any."""
        keys = sorted({**self.header, **asked})
        return next((key for key in keys if self.header.get(key) != asked.get(key)), None)

    def damaged(self, where: str, what_it_is: str) -> UserError:
        """Return the error for a record that cannot be one."""
        return UserError(f"{where} is {what_it_is}: the log is damaged; {self.remedy}.")

    def _read(self, kind: str, beginning: bytes) -> None:
        """Read what stands there; a file that does not begin so is left as it is."""
        with self.path.open("rb") as file:
            ours = file.read(len(beginning)) == beginning
        if not ours or self.path.stat().st_size > LARGEST_FILE_BYTES:
            raise UserError(f"{self.path} is not a log of {self.what}; {self.remedy}.")
        found = []
        for number, line in enumerate(whole_lines(self.path), start=1):
            where = f"{self.path}, line {number}"
            found.append((where, self._object(line, where)))
        (_, self.header), *self.records = found
        if json.dumps({kind: self.header.pop(kind)})[:-1].encode() != beginning:
            raise UserError(f"{self.path} is of another version of vitprof; {self.remedy}.")

    def _object(self, line: bytes, where: str) -> dict[str, Any]:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            raise self.damaged(where, "not JSON") from None
        if not isinstance(record, dict):
            raise self.damaged(where, "not a JSON object")
        return record
