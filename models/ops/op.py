"""What an op is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Dims = Mapping[str, int]


@dataclass(frozen=True)
class Op:
    """The kind of a block: the names of its dims and its closed forms.

    `macs` and `params` take a mapping axis -> value; the shapes are for one image, without batch.
    Another tool's op may have no known closed forms: then it is not `counted` and they give 0,
    which is not shown. An op that is not `on_grid` was measured at scattered dims, between which
    nothing is interpolated. Nor is anything interpolated between two values of an axis that is
    `fixed`: a resolution, a kernel, or a choice by number (codes.py). On an axis that is `joined`
    it is where the same dims were measured at both values. Above the largest value of an axis that
    is `linear` the line goes on: what one more costs is known. `read` counts the weights that one
    run reads, where these are not all of them: rows that are looked up. `check` raises UserError
    for dims that do not go together; the other functions are only called with dims that passed it.
    An op that is `scattered` was measured at scattered dims too, but is interpolated: over the
    logarithms of the quantities that this gives, all above 0. `passed_again` counts the values that
    such an op reads and writes once more. The points of a `ragged` op need not span a grid: another
    tool chose them. With the square of an axis that is `squared` its work grows: the side of a map.
    """

    name: str
    axes: tuple[str, ...]
    macs: Callable[[Dims], int]
    params: Callable[[Dims], int]
    input_shape: Callable[[Dims], tuple[int, ...]]
    output_shape: Callable[[Dims], tuple[int, ...]]
    counted: bool = True
    on_grid: bool = True
    ragged: bool = False
    squared: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()
    linear: tuple[str, ...] = ()
    check: Callable[[Dims], None] = lambda _: None
    read: Callable[[Dims], int] | None = None
    scattered: Callable[[Dims], tuple[float, ...]] | None = None
    passed_again: Callable[[Dims], int] | None = None

    @property
    def params_read(self) -> Callable[[Dims], int]:
        """The closed form of the weights that one run reads."""
        return self.read or self.params
