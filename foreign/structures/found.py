"""What a matcher returns: a block, and the nodes of the file that it stands for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ...errors import UserError
from ...models.block import Block
from ..graph import Graph, Node


@dataclass(frozen=True)
class FoundBlock:
    """A block of a family, and the names (`Node.covers`) of the nodes that it stands for."""

    block: Block
    nodes: frozenset[str]


def found_block(
    graph: Graph, nodes: Iterable[Node], op: str, **dims: int | None
) -> FoundBlock | None:
    """Return the block of these nodes; None where its multiplications are not exactly theirs."""
    nodes = list(nodes)
    sizes = {axis: size for axis, size in dims.items() if size is not None}
    try:
        block = Block.of(op, **sizes)
    except UserError:
        return None
    if block.macs != sum(macs_of(graph, node) for node in nodes):
        return None
    return FoundBlock(block, frozenset(name for node in nodes for name in node.covers))


def macs_of(graph: Graph, node: Node) -> int:
    """Return the multiply-accumulates of a simplified node (`simplified`)."""
    if node.op == "Linear":
        return math.prod(graph.shape(node.output)) * graph.shape(node.inputs[0])[-1]
    if node.op in {"MatMul", "Gemm"}:
        return math.prod(graph.shape(node.output)) * graph.shape(node.inputs[0])[-1]
    if node.op == "Conv":
        return math.prod(graph.shape(node.output)) * math.prod(graph.shape(node.inputs[1])[1:])
    return 0
