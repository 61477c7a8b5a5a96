"""Images in a zip of class folders, read where they are: nothing is unpacked."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import UserError
from ....models.checks import shown
from .labelled_paths import labelled_paths
from .source import MOST_FILE_BYTES


class ZipSource:
    """The images of a zip that holds `class/image`; see `labelled_paths`.

    Raises UserError where it is no zip, or has no images.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: tuple[int, zipfile.ZipFile] | None = None
        names = [info.filename for info in self._archive().infolist() if not info.is_dir()]
        found = labelled_paths(path, names)
        self._names = found.paths
        self.classes = found.classes
        self.labels = found.labels
        self.starts = np.zeros(1, dtype=np.int64)

    @property
    def name(self) -> str:
        return str(self._path)

    def __len__(self) -> int:
        return len(self._names)

    def name_of(self, index: int) -> str:
        return self._names[index]

    def read(self, index: int) -> bytes:
        name = self._names[index]
        try:
            with self._archive().open(name) as file:
                return file.read(MOST_FILE_BYTES + 1)
        except (
            RuntimeError,
            NotImplementedError,
            zipfile.BadZipFile,
            OSError,
            EOFError,
            KeyError,
        ) as error:
            raise UserError(f"{self.name}: {shown(name)} cannot be read ({error}).") from None

    def fingerprint(self) -> bytes:
        sums = [info.CRC for info in self._archive().infolist()]
        return self._names.tobytes() + self.labels.tobytes() + repr(sums).encode()

    def _archive(self) -> zipfile.ZipFile:
        """Return the zip as this process opened it: two must not share a place in a file."""
        if self._open is None or self._open[0] != os.getpid():
            try:
                self._open = (os.getpid(), zipfile.ZipFile(self._path))
            except (zipfile.BadZipFile, OSError) as error:
                raise UserError(f"{self._path} is no zip that can be read ({error}).") from None
        return self._open[1]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": None}
