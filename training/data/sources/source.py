"""What every source of images has: their classes, and the bytes of each."""

from __future__ import annotations

from typing import Protocol

import numpy as np

# Files come from outside: one image may not fill the memory.
MOST_FILE_BYTES = 64 * 2**20
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm"})


class ImageSource(Protocol):
    """n encoded images and the class of each.

    name: the path, for messages. labels: n indices into `classes`. A source is sent to the
    processes that read from it, so it opens its files where it reads, and holds no handles when it
    is copied.
    """

    @property
    def name(self) -> str: ...

    @property
    def classes(self) -> tuple[str, ...]: ...

    @property
    def labels(self) -> np.ndarray: ...

    @property
    def starts(self) -> np.ndarray:
        """Index of the first image of each file that holds many, for reading near places together.

        [0] where every image is a file of its own.
        """
        ...

    def __len__(self) -> int: ...

    def name_of(self, index: int) -> str:
        """Return what the image is called within the source."""
        ...

    def read(self, index: int) -> bytes:
        """Return the image's file, MOST_FILE_BYTES + 1 bytes of it at most.

        Raises UserError where it cannot be read.
        """
        ...

    def fingerprint(self) -> bytes:
        """Return bytes that differ where the files differ in name, order, class or size."""
        ...


def label_type(classes: int) -> type[np.signedinteger]:
    """Return the smallest type of whole numbers that holds the index of any class."""
    return np.int16 if classes <= np.iinfo(np.int16).max else np.int32
