"""What an op is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Dims = Mapping[str, int]


@dataclass(frozen=True)
class Op:
    """The kind of a block: the names of its dims and its closed forms.

    `macs` and `params` take a mapping axis -> value; the shapes are for one image, without batch.
    """

    name: str
    axes: tuple[str, ...]
    macs: Callable[[Dims], int]
    params: Callable[[Dims], int]
    input_shape: Callable[[Dims], tuple[int, ...]]
    output_shape: Callable[[Dims], tuple[int, ...]]
