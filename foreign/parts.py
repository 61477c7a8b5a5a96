"""What a foreign model is priced by: blocks where a table knows them, kernels elsewhere."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ..errors import UserError
from ..models.block import Block
from ..models.checks import shown
from .fusion import fused
from .graph import Graph
from .kernels import Kernel, kernels_of
from .rules import Rules


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
    kernels = kernels_of(graph, fused(graph, rules))
    return Parts(
        tuple(kernel.block for kernel in kernels if kernel.block is not None),
        tuple(kernel.op for kernel in kernels if kernel.block is None),
    )


__all__ = ["Kernel", "Parts", "parts_of"]
