"""Many short texts in two arrays: 1.28 million paths take 60 MB, where a list takes 150.

A list would also grow in every process that reads from it: Python counts references within the
objects, and so copies the pages that a forked process shares.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np


class PackedNames(Sequence[str]):
    """A sequence of texts that does not change."""

    def __init__(self, names: Iterable[str]) -> None:
        data = bytearray()
        ends = []
        for name in names:
            # A path may hold bytes that are not UTF-8; so do its names here.
            data += name.encode("utf-8", "surrogateescape")
            ends.append(len(data))
        self._data = np.frombuffer(bytes(data), dtype=np.uint8)
        self._ends = np.array(ends, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...

    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        place = index % len(self)
        start = int(self._ends[place - 1]) if place else 0
        return self._data[start : self._ends[place]].tobytes().decode("utf-8", "surrogateescape")

    def __iter__(self) -> Iterator[str]:
        return (self[place] for place in range(len(self)))

    @property
    def nbytes(self) -> int:
        return self._data.nbytes + self._ends.nbytes

    def tobytes(self) -> bytes:
        """Return all texts and where they end, as bytes."""
        return self._data.tobytes() + self._ends.tobytes()
