"""Parts of tensors as data: ranges along each dim, by the name of the tensor that they are of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ...errors import UserError

# Ascending ranges [start, stop) along one dim, which do not touch each other.
Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Slice:
    """What a subnet's tensor is of the supernet's tensor `source`: the ranges along each dim."""

    source: str
    dims: tuple[Ranges, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(length(ranges) for ranges in self.dims)

    @property
    def is_prefix(self) -> bool:
        """Whether it is W[:d_1, :d_2, …], which is a view of the tensor."""
        return all(len(ranges) == 1 and ranges[0][0] == 0 for ranges in self.dims)


def length(ranges: Ranges) -> int:
    """Return how many indices the ranges hold."""
    return sum(stop - start for start, stop in ranges)


def first(count: int) -> Ranges:
    """Return the range of the first `count`."""
    return ((0, count),)


def middle(count: int, of: int) -> Ranges:
    """Return the range of `count` in the middle of `of`; both are odd."""
    start = (of - count) // 2
    return ((start, start + count),)


def joined(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return ascending ranges with those put together that touch."""
    result: list[tuple[int, int]] = []
    for start, stop in ranges:
        if result and result[-1][1] == start:
            result[-1] = (result[-1][0], stop)
        else:
            result.append((start, stop))
    return tuple(result)


def of_heads(heads: int, dim: int, of_dim: int, start: int = 0) -> list[tuple[int, int]]:
    """Return the first `dim` of the `of_dim` indices of each of the first heads."""
    return [(start + head * of_dim, start + head * of_dim + dim) for head in range(heads)]


@dataclass
class Inheritance:
    """Slices as they are put together, layer by layer."""

    slices: dict[str, Slice] = field(default_factory=dict)

    def add(self, name: str, source: str, *dims: Ranges) -> None:
        """Let the tensor `name` be these ranges of the supernet's tensor `source`."""
        self.slices[name] = Slice(source, dims)

    def linear(self, name: str, source: str, outputs: Ranges, inputs: Ranges) -> None:
        """Add weight (outputs x inputs) and bias of a linear layer."""
        self.add(f"{name}.weight", f"{source}.weight", outputs, inputs)
        self.add(f"{name}.bias", f"{source}.bias", outputs)

    def layer_norm(self, name: str, source: str, width: int) -> None:
        """Add weight and bias of a layer norm."""
        for part in ("weight", "bias"):
            self.add(f"{name}.{part}", f"{source}.{part}", first(width))

    def batch_norm(self, name: str, source: str, width: int) -> None:
        """Add weight, bias and running statistics of a batch norm."""
        for part in ("weight", "bias", "running_mean", "running_var"):
            self.add(f"{name}.{part}", f"{source}.{part}", first(width))
        self.add(f"{name}.num_batches_tracked", f"{source}.num_batches_tracked")

    def attention(
        self,
        name: str,
        source: str,
        embed: int,
        dims: tuple[int, int, int],
        of_dims: tuple[int, int, int],
    ) -> None:
        """Add `qkv` and `proj` of an attention; dims are heads, qk and v.

        Head h has the first rows of the supernet's head h in each of Q, K and V.
        """
        heads, qk, v = dims
        all_heads, of_qk, of_v = of_dims
        keys, values = all_heads * of_qk, 2 * all_heads * of_qk
        rows = joined(
            [
                *of_heads(heads, qk, of_qk),
                *of_heads(heads, qk, of_qk, keys),
                *of_heads(heads, v, of_v, values),
            ]
        )
        self.linear(f"{name}.qkv", f"{source}.qkv", rows, first(embed))
        columns = joined(of_heads(heads, v, of_v))
        self.linear(f"{name}.proj", f"{source}.proj", first(embed), columns)


def check_same(what: str, subnet: Mapping[str, object], supernet: Mapping[str, object]) -> None:
    """Raise UserError naming the first field of `what` in which the two do not agree."""
    for name, value in subnet.items():
        if value != supernet[name]:
            raise UserError(
                f"the subnet's {what}{name}={value} is not the supernet's, {supernet[name]}; take "
                "a subnet of the supernet's space."
            )


def check_within(what: str, subnet: Mapping[str, int], supernet: Mapping[str, int]) -> None:
    """Raise UserError naming the first dim of `what` that is larger than the supernet's."""
    for name, value in subnet.items():
        if value > supernet[name]:
            raise UserError(
                f"the subnet's {what}{name}={value} is more than the supernet's, "
                f"{supernet[name]}; use a subnet of the supernet's space."
            )
