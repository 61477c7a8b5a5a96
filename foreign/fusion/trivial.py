"""Nodes that compute nothing: the runtime takes them away."""

from __future__ import annotations

from ..graph import Graph, Node
from .matching import constant_of, scalar

# One tensor under another shape, by the same values in the same order.
VIEWS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})


def without_trivial(graph: Graph) -> None:
    """Drop nodes that hand on their input as it is."""
    for node in graph.walk():
        if not node.inputs or not node.inputs[0]:
            continue
        given = _neutral_to(graph, node) if node.op in _NEUTRAL else node.inputs[0]
        if given is None or not _hands_on(graph, node, given):
            continue
        is_last = node.output in graph.outputs and given in graph.inputs
        if not is_last:
            graph.drop(node, given)


# What changes nothing when it is the other operand.
_NEUTRAL = {"Add": 0.0, "Sub": 0.0, "Mul": 1.0, "Div": 1.0}
# The runtime takes a slice away whose end is not a size, but as far as it goes.
_NO_END = 2**31 - 1


def _takes_all(graph: Graph, node: Node) -> bool:
    ends = graph.tensors[node.inputs[2]].value if len(node.inputs) > 2 else None
    return ends is not None and bool((ends >= _NO_END).all())


def _neutral_to(graph: Graph, node: Node) -> str | None:
    """Return the operand that an addition of 0, or a product with 1, hands on."""
    given = constant_of(graph, node)
    if given is None or scalar(graph, given[1]) != _NEUTRAL[node.op]:
        return None
    # 0 - x and 1 / x are something else.
    return None if node.op in {"Sub", "Div"} and given[0] != node.inputs[0] else given[0]


def _hands_on(graph: Graph, node: Node, name: str) -> bool:
    if node.op in {"Identity", "Dropout"}:
        return True
    given, made = graph.tensors[name], graph.tensors[node.output]
    same = given.shape == made.shape
    if node.op == "Cast":
        return given.dtype == made.dtype
    if node.op in {"Expand", "Tile", *VIEWS, *_NEUTRAL}:
        return same
    if node.op == "Slice":
        return same and _takes_all(graph, node)
    if node.op == "Transpose":
        order = node.attributes.get("perm", tuple(reversed(range(len(given.shape)))))
        return list(order) == sorted(order)
    return node.op in {"Concat", "Sum", "Max", "Min"} and len(node.inputs) == 1
