"""Images in a zip of class folders, read where they are: nothing is unpacked."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ....untrusted.archives import opened_zip, read_entry
from .labelled_paths import labelled_paths
from .source import MOST_FILE_BYTES


class ZipSource:
    """The images of a zip that holds `class/image`; see `labelled_paths`.

    Raises UserError where it is not a zip, or has no images.
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
        return read_entry(self._path, self._archive(), self._names[index], MOST_FILE_BYTES)

    def fingerprint(self) -> bytes:
        sums = [info.CRC for info in self._archive().infolist()]
        return self._names.tobytes() + self.labels.tobytes() + repr(sums).encode()

    def _archive(self) -> zipfile.ZipFile:
        """Return the zip as this process opened it: two must not share a place in a file."""
        if self._open is None or self._open[0] != os.getpid():
            self._open = (os.getpid(), opened_zip(self._path))
        return self._open[1]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": None}
