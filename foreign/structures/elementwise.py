"""GELU's approximation by tanh, in any order its multiplications are written."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..fusion.matching import must, only_reader, scalar, where_matched
from ..graph import Graph, Node

# Any way of writing it has fewer nodes.
_MOST_NODES = 12
# Far apart from the exact GELU, which differs by up to 5e-4.
_TOLERANCE = 1e-5
_POINTS = np.linspace(-6.0, 6.0, 49)
_GELU = 0.5 * _POINTS * (1 + np.tanh(np.sqrt(2 / np.pi) * (_POINTS + 0.044715 * _POINTS**3)))
_OPS: dict[str, Callable[..., np.ndarray]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Pow": np.power,
    "Tanh": np.tanh,
}


def fuse_tanh_gelu(graph: Graph) -> None:
    """Put one `Gelu` with approximate="tanh" in the place of the nodes that compute it."""
    for node in graph.nodes:
        if node.op == "Tanh" and node in graph:
            _fuse(graph, node)


@where_matched
def _fuse(graph: Graph, tanh: Node) -> None:
    """1 is added to the tanh; two products, with x and with ½, come behind or one of them does."""
    last = must(only_reader(graph, tanh, "Add"))
    for _ in range(2):
        last = must(only_reader(graph, last, "Mul"))
        found = _of_one_tensor(graph, last)
        if found is not None:
            nodes, x = found
            made = Node("Gelu", (x,), last.outputs, {"approximate": b"tanh"})
            graph.fuse(nodes, made)
            return


def _of_one_tensor(graph: Graph, last: Node) -> tuple[list[Node], str] | None:
    """Return the nodes that compute GELU by tanh of one tensor, and that tensor."""
    nodes: dict[int, Node] = {}
    sources: set[str] = set()
    waiting = [last]
    while waiting:
        node = waiting.pop()
        if id(node) in nodes:
            continue
        nodes[id(node)] = node
        for name in node.inputs:
            if graph.is_constant(name):
                continue
            maker = graph.maker(name)
            if maker is not None and _is_of_numbers(graph, maker) and len(nodes) < _MOST_NODES:
                waiting.append(maker)
            else:
                sources.add(name)
    if len(sources) != 1:
        return None
    (x,) = sources
    inside = set(nodes)
    for node in nodes.values():
        read = {id(one) for one in graph.readers(node.output)}
        if node is not last and (not read <= inside or node.output in graph.outputs):
            return None
    values = _value(graph, last.output, x, {})
    near = values.shape == _POINTS.shape and bool(np.abs(values - _GELU).max() < _TOLERANCE)
    return (list(nodes.values()), x) if near else None


def _is_of_numbers(graph: Graph, node: Node) -> bool:
    """Whether a node works value by value, and with no constants but single known numbers."""
    constants = [name for name in node.inputs if graph.is_constant(name)]
    return node.op in _OPS and all(scalar(graph, name) is not None for name in constants)


def _value(graph: Graph, name: str, x: str, known: dict[str, np.ndarray]) -> np.ndarray:
    """Return what a tensor is where `x` is _POINTS."""
    if name == x:
        return _POINTS
    if name not in known:
        number, maker = scalar(graph, name), graph.maker(name)
        if maker is None:
            known[name] = np.array(0.0 if number is None else number)
        else:
            given = [_value(graph, one, x, known) for one in maker.inputs]
            known[name] = _OPS[maker.op](*given)
    return known[name]
