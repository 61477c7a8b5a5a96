"""Nodes that compute nothing: the runtime takes them away."""

from __future__ import annotations

from ..graph import Graph, Node
from .matching import constant_of, scalar

# One tensor under another shape, by the same values in the same order.
VIEWS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})


def without_trivial(graph: Graph) -> None:
    """Drop nodes that hand on their input as it is."""
    for node in graph.nodes:
        if node in graph and node.inputs and node.inputs[0] and _hands_on(graph, node):
            is_last = node.output in graph.outputs and node.inputs[0] in graph.inputs
            if not is_last:
                graph.drop(node, node.inputs[0])


# What changes nothing when it is the other operand.
_NEUTRAL = {"Add": 0.0, "Sub": 0.0, "Mul": 1.0, "Div": 1.0}
# The runtime takes a slice away whose end is no size, but as far as it goes.
_NO_END = 2**31 - 1


def _takes_all(graph: Graph, node: Node) -> bool:
    ends = graph.tensors[node.inputs[2]].value if len(node.inputs) > 2 else None
    return ends is not None and bool((ends >= _NO_END).all())


def _is_neutral(graph: Graph, node: Node) -> bool:
    given = constant_of(graph, node)
    if given is None or given[0] != node.inputs[0]:
        return False
    return scalar(graph, given[1]) == _NEUTRAL[node.op]


def _hands_on(graph: Graph, node: Node) -> bool:
    if node.op in {"Identity", "Dropout"}:
        return True
    given, made = graph.tensors[node.inputs[0]], graph.tensors[node.output]
    same = given.shape == made.shape
    if node.op == "Cast":
        return given.dtype == made.dtype
    if node.op in {"Expand", "Tile", *VIEWS}:
        return same
    if node.op == "Slice" or node.op in _NEUTRAL:
        return same and (_takes_all if node.op == "Slice" else _is_neutral)(graph, node)
    if node.op == "Transpose":
        order = node.attributes.get("perm", tuple(reversed(range(len(given.shape)))))
        return list(order) == sorted(order)
    return node.op in {"Concat", "Sum", "Max", "Min"} and len(node.inputs) == 1
