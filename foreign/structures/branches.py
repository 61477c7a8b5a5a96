"""Residual branches: what lies between a tensor and the addition that it skips to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ..fusion.trivial import VIEWS
from ..graph import Graph, Node
from .simplify import LAYOUT

# A branch of more nodes than this is not a block; EfficientViT's attention has 25 a head.
MOST_NODES = 1024


@dataclass(frozen=True)
class Branch:
    """The nodes from `x` to the addition `plus`, in order, both branches joined by it.

    Nothing outside reads what they compute, and they read nothing of outside but `x` under one of
    its views (`start`).
    """

    start: frozenset[str]
    nodes: tuple[Node, ...]
    plus: Node
    end: str

    @property
    def all_nodes(self) -> tuple[Node, ...]:
        return (*self.nodes, self.plus)

    @property
    def computing(self) -> list[Node]:
        """The nodes that do more than move values."""
        return [node for node in self.nodes if node.op not in LAYOUT]

    def count(self, *ops: str) -> int:
        return sum(node.op in ops for node in self.nodes)


def places(graph: Graph) -> dict[int, int]:
    """Return where each node stands in the order of running, by its id."""
    return {id(node): place for place, node in enumerate(graph.nodes)}


def branch_before(graph: Graph, plus: Node, order: Mapping[int, int]) -> Branch | None:
    """Return the branch that ends in an addition of two activations of one shape.

    Visits no node that runs before `x`, so that all branches together take linear time.
    """
    if plus.op != "Add" or any(graph.is_constant(one) for one in plus.inputs):
        return None
    if graph.shape(plus.inputs[0]) != graph.shape(plus.inputs[1]):
        return None

    def place(name: str) -> int:
        maker = graph.maker(name)
        return -1 if maker is None else order[id(maker)]

    skip, end = sorted(plus.inputs, key=place)
    start, first = {skip}, place(skip)
    maker = graph.maker(skip)
    while maker is not None and maker.op in VIEWS and len(start) < 8:
        start.add(maker.inputs[0])
        first = place(maker.inputs[0])
        maker = graph.maker(maker.inputs[0])
    found: dict[int, Node] = {}
    waiting = [end]
    while waiting:
        name = waiting.pop()
        if not name or name in start or graph.is_constant(name):
            continue
        node = graph.maker(name)
        if node is None or order[id(node)] <= first or len(found) > MOST_NODES:
            return None
        if id(node) not in found:
            found[id(node)] = node
            waiting += node.inputs
    inside = {*found, id(plus)}
    for node in found.values():
        for output in node.outputs:
            read = {id(one) for one in graph.readers(output)}
            if output in graph.outputs or not read <= inside:
                return None
    nodes = tuple(sorted(found.values(), key=lambda node: order[id(node)]))
    return Branch(frozenset(start), nodes, plus, end) if nodes else None


def root(graph: Graph, name: str, through: frozenset[str] = LAYOUT, joins: int = 4) -> str | None:
    """Return the tensor that `name` is made of by the operations `through` alone.

    None where they join several different ones, or join more than `joins` times in a row.
    """
    node = graph.maker(name)
    while node is not None and node.op in through:
        if node.op == "Concat":
            if not joins:
                return None
            roots = {root(graph, one, through, joins - 1) for one in node.inputs}
            return roots.pop() if len(roots) == 1 else None
        name = node.inputs[0]
        node = graph.maker(name)
    return name


def nodes_before(graph: Graph, name: str, ops: Collection[str]) -> tuple[list[Node], str]:
    """Return the nodes of these operations that alone make `name` one from the other, and of what.

    The last one first.
    """
    found: list[Node] = []
    node = graph.maker(name)
    while node is not None and node.op in ops and graph.only_reader(name) is not None:
        found.append(node)
        name = node.inputs[0]
        node = graph.maker(name)
    return found, name
