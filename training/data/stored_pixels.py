"""Pixels of images that stay on disk, in the place of an array that would not fit the memory."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...errors import UserError
from .image_file import opened_image
from .kept_where import MOST_BYTES, Loading
from .sources.source import ImageSource
from .view import View


@dataclass(frozen=True, eq=False)
class StoredPixels:
    """What `numpy.asarray` makes n x 3 x side x side, uint8, of: decoded then, and no sooner.

    Indexing with an array or a slice gives other StoredPixels. indices: which images of the source,
    n whole numbers.
    """

    source: ImageSource
    view: View
    loading: Loading
    indices: np.ndarray = field(repr=False)

    ndim = 4
    dtype = np.dtype(np.uint8)

    @classmethod
    def of(cls, source: ImageSource, view: View, loading: Loading) -> StoredPixels:
        """Return all images of a source."""
        return cls(source, view, loading, np.arange(len(source)))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self.indices), 3, self.view.side, self.view.side

    @property
    def nbytes(self) -> int:
        """Bytes that the pixels would take in memory."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, chosen: np.ndarray | slice | Sequence[int]) -> StoredPixels:
        return replace(self, indices=self.indices[chosen])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Decode all; raises UserError for more than memory is allowed, and a damaged image."""
        check_room(self.source.name, self.nbytes, len(self), self.view.side)
        found = np.empty(self.shape, dtype=np.uint8)
        for place in range(len(self)):
            found[place] = self.decoded(place)
        return found if dtype is None else found.astype(dtype)

    def readable(self) -> np.ndarray:
        """Decode all but those that cannot be read, where such are to be skipped."""
        if self.loading.on_damaged == "refuse":
            return np.asarray(self)
        check_room(self.source.name, self.nbytes, len(self), self.view.side)
        found = []
        for place in range(len(self)):
            with contextlib.suppress(UserError):
                found.append(self.decoded(place))
        if not found:
            raise UserError(f"{self.source.name}: none of {len(self)} images can be read.")
        return np.stack(found)

    def decoded(self, place: int) -> np.ndarray:
        """Return one image as its view is: 3 x side x side."""
        return channels_first(self.view.of(self.image(place)))

    def image(self, place: int) -> Any:
        """Return one image of Pillow's as it is stored, RGB; UserError where it is none."""
        index = int(self.indices[place])
        data = self.source.read(index)
        return opened_image(self.source.name, self.source.name_of(index), data, "RGB")

    def name_of(self, place: int) -> str:
        return self.source.name_of(int(self.indices[place]))


def check_room(name: str, needed: int, count: int, side: int) -> None:
    """Raise UserError where pixels would take more memory than they may."""
    if needed > MOST_BYTES:
        raise UserError(
            f"{name}: {count} images of {side} x {side} take {needed / 2**30:.0f} GiB, more than "
            f"the {MOST_BYTES / 2**30:.0f} that are kept in memory; give a smaller `resolution` or "
            "fewer images."
        )


def channels_first(image: Any) -> np.ndarray:
    """Return an RGB image of Pillow's as 3 x height x width, uint8."""
    return np.asarray(image, dtype=np.uint8).transpose(2, 0, 1)
