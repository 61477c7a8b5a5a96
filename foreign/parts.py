"""What a foreign model is priced by: blocks where a table knows them, kernels elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ..errors import UserError
from ..models.block import Block
from ..models.checks import shown
from .fusion import fused
from .graph import Graph
from .kernels import Kernel, kernels_of
from .rules import Rules
from .structures import find_blocks


@dataclass(frozen=True)
class Parts:
    """The blocks and kernels of a graph, in the order they run.

    `unknown` are the operations that nothing stands for, each as often as it occurs.
    """

    blocks: tuple[Block, ...]
    unknown: tuple[str, ...] = ()

    def check_known(self) -> None:
        """Raise UserError where an operation has no price."""
        if self.unknown:
            names = ", ".join(shown(name) for name in dict.fromkeys(self.unknown))
            raise UserError(
                f"its operator {names} is none that a kernel stands for; predict the rest with "
                "`partial`."
            )


def parts_of(graph: Graph, rules: Rules, ops: Collection[str] = ()) -> Parts:
    """Return what a graph consists of, as a runtime fuses it under `rules`.

    `ops` are those of a table: subgraphs that are blocks of them are priced as blocks
    (`structures/`), all else as kernels. The graph is rewritten on the way.
    """
    wanted = set(ops)
    found = [one for one in find_blocks(graph) if one.block.op in wanted] if wanted else []
    inside = frozenset[str]().union(*(one.nodes for one in found))
    kernels = kernels_of(graph, fused(graph, rules))
    rest = [
        kernel
        for kernel, is_inside in zip(kernels, _inside(kernels, inside), strict=True)
        if not is_inside
    ]
    return Parts(
        (
            *(one.block for one in found),
            *(kernel.block for kernel in rest if kernel.block is not None),
        ),
        tuple(kernel.op for kernel in rest if kernel.block is None),
    )


def _inside(kernels: Sequence[Kernel], nodes: frozenset[str]) -> list[bool]:
    """Tell of each kernel whether a block stands for it.

    That is one with a node of a block, or one that only moves or views a tensor, or pads it by
    nothing, between two that are.
    """
    marks: list[bool | None] = [
        None
        if kernel.idle and not nodes.intersection(kernel.covers)
        else not nodes.isdisjoint(kernel.covers)
        for kernel in kernels
    ]
    before = _filled(marks)
    after = _filled(marks[::-1])[::-1]
    return [
        mark if mark is not None else left and right
        for mark, left, right in zip(marks, before, after, strict=True)
    ]


def _filled(marks: Sequence[bool | None]) -> list[bool]:
    """Return for each place the last mark before it that is known; the ends count as inside."""
    found, last = [], True
    for mark in marks:
        found.append(last)
        last = last if mark is None else mark
    return found


__all__ = ["Kernel", "Parts", "parts_of"]
