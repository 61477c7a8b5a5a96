"""A table while it is being measured: its own journal.

Every session of a point is appended and fsynced as a row of verdict "partial"; the point's last
session is followed by its finished row. A line that a crash or a full disk cut short is dropped on
resume. When all is measured the file is replaced, in one step, by the finished table.
"""

from __future__ import annotations

import fcntl
from collections.abc import Mapping, Sequence
from io import FileIO
from pathlib import Path

from ..append_log import only_begun, write_line
from ..atomic_write import check_regular, write_atomically
from ..errors import UserError
from ..models import plugin_axes
from ..notes import note
from ..tables.csv_format import (
    MAGIC,
    as_written,
    columns_for,
    encode_row,
    encode_table,
    read_table_file,
)
from ..tables.difference import first_difference
from ..tables.header import TableHeader
from ..tables.references import References
from ..tables.row import Row


class MemoryJournal:
    """What was measured so far, by row key: `partial` sessions, and points that are `done`."""

    def __init__(self) -> None:
        self.partial: dict[object, list[Row]] = {}
        self.done: dict[object, Row] = {}

    def append_session(self, row: Row) -> None:
        """Keep one session (verdict "partial") of a point."""
        self.partial.setdefault(row.key, []).append(row)

    def append_point(self, row: Row) -> None:
        """Keep a finished point."""
        self.done[row.key] = row


class Journal(MemoryJournal):
    """The same in the file at `path`, open for appending. Use as a context manager.

    It keeps rows as the file does, so that going on later computes the same from them.
    """

    def __init__(self, path: Path, header: TableHeader) -> None:
        super().__init__()
        self.path = path
        self.header = header
        self._begun = False  # the file, by this run
        self.went_on = False  # with what an interrupted run left
        self._axes: tuple[str, ...] = ()
        self._columns = columns_for(())
        self._file: FileIO | None = None

    @property
    def references(self) -> References:
        """What tells the machine's speed in this run."""
        return self.header.references or References()

    @classmethod
    def open(
        cls,
        path: str | Path,
        header: TableHeader,
        fresh: bool = False,
        axes: Sequence[str] = (),
    ) -> Journal:
        """Start a journal, or go on with the one at `path`, whose rows keep their references.

        `axes` are those of rows to come, which get columns where not every table has them.
        Raises UserError when what stands there is not a table, or a table measured otherwise
        (setting, machine, runtime or protocol differ): it is never written over unless `fresh`.
        """
        path = Path(path)
        journal = cls(path, header)
        journal._axes = tuple(axes)
        if not path.parent.is_dir():
            raise UserError(f"{path}: the folder {path.parent} does not exist; make it first.")
        check_regular(path)
        try:
            empty = not path.exists() or only_begun(path, MAGIC.encode())
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}.") from None
        if not empty:
            _refuse_while_another_measures(path)
        journal._begun = empty
        if empty or fresh:
            journal._write([], {})
        else:
            journal._resume()
        return journal

    def _resume(self) -> None:
        file = read_table_file(self.path)
        remedy = "; give another `out`, or `fresh` to measure it again"
        before, now = file.header, self.header
        difference = before.setting.difference(now.setting)
        if difference:
            raise UserError(f"{self.path} holds a table of another setting ({difference}){remedy}.")
        for part in ("environment", "protocol"):
            difference = first_difference(getattr(before, part), getattr(now, part))
            if difference:
                raise UserError(
                    f"{self.path} was measured under another {part} ({difference}){remedy}."
                )
        difference = first_difference(before.built, now.built)
        if difference:
            raise UserError(
                f"{self.path} was measured from a bundle built otherwise, or from none "
                f"({difference}){remedy}."
            )
        self.header = before.going_on(now, file.rows)
        self.went_on = file.measuring
        measured = [row for row in file.rows if row.verdict != "transferred"]
        if len(measured) < len(file.rows):
            note(
                f"{self.path}: {len(file.rows) - len(measured)} transferred rows are taken out, to "
                "be measured where they are asked for."
            )
        for row in measured:
            if row.verdict == "partial":
                self.partial.setdefault(row.key, []).append(row)
            else:
                self.done[row.key] = row
        # Anew: a finished table that is opened again becomes a journal first, a torn line goes, and
        # what another family's rows are to have stands in the header before the first of them.
        self._write(measured, {"calibration": file.calibration} if file.calibration else {})

    def _write(self, rows: Sequence[Row], calibration: Mapping[str, object]) -> None:
        """Write the header and these rows; what is appended has the same columns."""
        numbered = self.header.numbers_rows(rows)
        if numbered:
            self.header = self.header.listing(rows)
        # Of ops that may be measured, but are in no row yet.
        more = (*plugin_axes(), *self._axes)
        self._columns = columns_for(rows, numbered, more)
        closing = {**calibration, "state": "measuring"}
        text = encode_table(self.header, rows, closing, more)
        write_atomically(self.path, text)

    def __enter__(self) -> Journal:
        try:
            self._file = FileIO(self.path, "ab")  # unbuffered: a full disk shows at once
        except OSError as error:
            raise UserError(f"{self.path} cannot be written: {error.strerror}.") from None
        try:
            _lock(self._file, self.path)
        except UserError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def append_session(self, row: Row) -> None:
        self._append(row)
        super().append_session(as_written(row))

    def append_point(self, row: Row) -> None:
        self._append(row)
        super().append_point(as_written(row))

    def forget_beginning(self) -> None:
        """Remove the file where it was begun by this run and has no row yet: nothing was done."""
        if self._begun and not self.partial and not self.done:
            self.path.unlink(missing_ok=True)

    def _append(self, row: Row) -> None:
        assert self._file is not None, "a journal is written inside its with block"
        references = tuple(self.header.readings)
        line = encode_row(row, self.header.setting, self._columns, references).encode()
        try:
            write_line(self._file, line)
        except OSError as error:
            raise UserError(
                f"{self.path} cannot be written any more: {error.strerror}; the "
                f"{len(self.done)} points done so far are kept, and the same command continues "
                "from there."
            ) from None


def _lock(file: FileIO, path: Path) -> None:
    """Lock an open journal; the kernel lets go of it when the process ends, however it ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise UserError(
            f"another vitprof is measuring into {path} just now; wait for it, or give another "
            "`out`."
        ) from None
    except OSError:
        return  # a network file system that cannot lock: measuring without is better than not


def _refuse_while_another_measures(path: Path) -> None:
    try:
        with FileIO(path, "r") as file:
            _lock(file, path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
