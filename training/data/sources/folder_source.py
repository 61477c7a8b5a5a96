"""Images in a folder of class folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ....errors import UserError
from ....models.checks import shown
from .labelled_paths import labelled_paths
from .source import MOST_FILE_BYTES


class FolderSource:
    """The images of `folder/class/image`; see `labelled_paths`.

    Raises UserError where the folder has none.
    """

    def __init__(self, folder: Path) -> None:
        found = labelled_paths(folder, _files_below(folder))
        self._folder = folder
        self._paths = found.paths
        self.classes = found.classes
        self.labels = found.labels
        self.starts = np.zeros(1, dtype=np.int64)

    @property
    def name(self) -> str:
        return str(self._folder)

    def __len__(self) -> int:
        return len(self._paths)

    def name_of(self, index: int) -> str:
        return self._paths[index]

    def read(self, index: int) -> bytes:
        path = self._folder / self._paths[index]
        try:
            with path.open("rb") as file:
                return file.read(MOST_FILE_BYTES + 1)
        except OSError as error:
            raise UserError(
                f"{self.name}: {shown(self._paths[index])} cannot be read ({error.strerror})."
            ) from None

    def fingerprint(self) -> bytes:
        return self._paths.tobytes() + self.labels.tobytes()


# Images lie in class/image, or one folder deeper; what is deeper is refused when one file is seen.
DEEPEST = 4


def _files_below(folder: Path) -> Iterator[str]:
    """Give the path of every file below a folder, from there on, with slashes.

    Links to folders are followed; the depth is limited, so a loop of links ends.
    """
    for place, folders, names in os.walk(folder, followlinks=True):
        below = Path(place).relative_to(folder).parts
        if len(below) >= DEEPEST:
            folders.clear()
        before = "".join(f"{part}/" for part in below)
        for name in names:
            yield f"{before}{name}"
