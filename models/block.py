"""A block: an op and its dims. The key of a latency table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from ..errors import UserError
from .checks import shown
from .ops import Op, find_op

# Far above any real layer; stops a typo or a hostile file from asking for terabytes.
LARGEST_DIM = 1_000_000
KEPT_BLOCKS = 65_536


@dataclass(frozen=True)
class Block:
    """One block of a model: `op` and the value of each of the op's axes, in the op's order.

    Hashable and torch-free. Build it with `Block.of`, which checks the names and values.
    """

    op: str
    dims: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, op: str, **dims: int) -> Block:
        """Return the block of `op` with these dims.

        Raises UserError for an unknown op, a missing or unknown dim, a value that is not a whole
        number from 1 to LARGEST_DIM, and dims that do not go together.
        """
        try:
            return _known(op, **dims)
        except TypeError:  # a value without a hash, which is not a number either
            return _checked(op, **dims)

    def __getitem__(self, axis: str) -> int:
        return dict(self.dims)[axis]

    def __str__(self) -> str:
        return f"{self.op}({', '.join(f'{axis}={value}' for axis, value in self.dims)})"

    @property
    def definition(self) -> Op:
        return find_op(self.op)

    def as_dict_with_op(self) -> dict[str, str | int]:
        """Return what `Block.of(**...)` takes: how a file's header names a block."""
        return {"op": self.op, **dict(self.dims)}

    def as_dict(self) -> Mapping[str, int]:
        return dict(self.dims)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return self.definition.macs(dict(self.dims))

    @property
    def params(self) -> int:
        """Number of weights."""
        return self.definition.params(dict(self.dims))

    @property
    def params_read(self) -> int:
        """Number of weights that one run reads: all, but for tables that rows are looked up in."""
        return self.definition.params_read(dict(self.dims))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the block's input for one image, without the batch axis."""
        return self.definition.input_shape(dict(self.dims))

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the block's output for one image, without the batch axis."""
        return self.definition.output_shape(dict(self.dims))

    def bytes(self, batch: int = 1, bytes_per_value: int = 4) -> int:
        """Least memory traffic of one run in bytes: weights, input and output, each moved once."""
        activations = _product(self.input_shape) + _product(self.output_shape)
        return bytes_per_value * (self.params_read + batch * activations)


def _checked(op: str, **dims: int) -> Block:
    definition = find_op(op)
    unknown = set(dims) - set(definition.axes)
    missing = [axis for axis in definition.axes if axis not in dims]
    if unknown or missing:
        wrong = f"has no dim '{min(unknown)}'" if unknown else f"lacks its dim '{missing[0]}'"
        raise UserError(f"a block of op '{op}' {wrong}; its dims are {', '.join(definition.axes)}.")
    for axis, value in dims.items():
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST_DIM:
            raise UserError(
                f"{axis}={shown(value)} of op '{op}' must be a whole number "
                f"from 1 to {LARGEST_DIM}."
            )
    try:
        definition.check(dims)
    except UserError as error:
        raise UserError(f"a block of op '{op}': {error}") from None
    return Block(op, tuple((axis, dims[axis]) for axis in definition.axes))


# Models share most of their blocks, and a search asks of many models. 1 is not True here.
_known = lru_cache(maxsize=KEPT_BLOCKS, typed=True)(_checked)


def block_maker(op: str, *axes: str) -> Callable[..., Block]:
    """Return `Block.of(op, ...)` that takes the values of these axes by position.

    For specs, of which a search makes many: positions are looked up several times as fast as names.
    """

    @lru_cache(maxsize=KEPT_BLOCKS, typed=True)
    def make(*values: int) -> Block:
        return Block.of(op, **dict(zip(axes, values, strict=True)))

    return make


def _product(shape: tuple[int, ...]) -> int:
    result = 1
    for size in shape:
        result *= size
    return result
