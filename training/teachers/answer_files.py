"""Logits in files, by a key of what was answered: NumPy arrays without pickles."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from ...atomic_write import write_atomically
from ...errors import UserError

KEY_BYTES = 16
# A file has so many answers at most, and so many bytes.
MOST_ROWS, MOST_BYTES = 16384, 64 * 2**20


class AnswerFiles:
    """The answers of one teacher: a folder of files that are only ever added.

    Each is written whole, under a name of its own: several processes may write at once, and see
    each other's when they are opened again. Answers in files are not held in memory, their keys are
    (about 170 bytes each). Raises UserError for a file that is none of these.
    """

    def __init__(self, folder: Path, classes: int) -> None:
        self.folder = folder
        self.row = np.dtype([("key", "u1", (KEY_BYTES,)), ("logits", "<f4", (classes,))])
        self.at_once = max(min(MOST_ROWS, MOST_BYTES // self.row.itemsize), 1)
        self._files: list[np.ndarray] = []
        self._places: dict[bytes, tuple[int, int]] = {}
        self.waiting: dict[bytes, np.ndarray] = {}
        for path in sorted(folder.glob("*.npy")):
            self._open(path)

    def __contains__(self, key: bytes) -> bool:
        return key in self.waiting or key in self._places

    def __getitem__(self, key: bytes) -> np.ndarray:
        """Return the logits, one a class."""
        if key in self.waiting:
            return self.waiting[key]
        file, row = self._places[key]
        logits: np.ndarray = self._files[file]["logits"][row]
        return logits

    def add(self, key: bytes, logits: np.ndarray) -> None:
        """Keep an answer; files are written as enough are waiting, and by `save`."""
        self.waiting[key] = logits
        if len(self.waiting) >= self.at_once:
            self.save()

    def save(self) -> None:
        """Write what is waiting; UserError where that cannot be."""
        if not self.waiting:
            return
        rows = np.zeros(len(self.waiting), self.row)
        rows["key"] = [np.frombuffer(key, np.uint8) for key in self.waiting]
        rows["logits"] = list(self.waiting.values())
        path = self.folder / f"{hashlib.sha256(rows.tobytes()).hexdigest()[:24]}.npy"
        write_atomically(path, _as_file(rows))
        self._open(path)
        self.waiting.clear()

    def _open(self, path: Path) -> None:
        try:
            rows = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise UserError(
                f"{path} cannot be read as answers of a teacher ({str(error)[:80]}); delete it."
            ) from None
        if not isinstance(rows, np.ndarray) or rows.dtype != self.row or rows.ndim != 1:
            raise UserError(f"{path} holds other things than this teacher's answers; delete it.")
        number = len(self._files)
        self._files.append(rows)
        keys = np.ascontiguousarray(rows["key"])
        for row in range(len(keys)):
            self._places[keys[row].tobytes()] = (number, row)


def _as_file(rows: np.ndarray) -> bytes:
    from io import BytesIO

    file = BytesIO()
    np.save(file, rows, allow_pickle=False)
    return file.getvalue()
