"""A batch of sequences of words, as a text model takes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Words:
    """n sequences of one length, the short ones filled up.

    ids: n x tokens numbers of words; types: n x tokens, which sentence a word belongs to; seen:
    n x tokens, 1 for a word and 0 for what fills up. A model, a walk and a split take it where they
    take the tensor of a batch of images.
    """

    ids: Tensor
    types: Tensor
    seen: Tensor

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, *where: Any) -> Words:
        """Return the batch on another device."""
        return Words(self.ids.to(*where), self.types.to(*where), self.seen.to(*where))

    def split(self, size: int) -> Iterator[Words]:
        """Return the batch in parts of `size` sequences, the last one maybe smaller."""
        parts = zip(
            self.ids.split(size), self.types.split(size), self.seen.split(size), strict=True
        )
        return (Words(*part) for part in parts)


def repeated(tensor: Tensor, count: int) -> Tensor:
    """Return the tensor as often one after another as makes `count` entries of it.

    For what belongs to a batch, where variants of a model run on that batch side by side.
    """
    if len(tensor) == count:
        return tensor
    return tensor.repeat(count // len(tensor), *(1,) * (tensor.ndim - 1))
