"""Nodes that compute nothing: the runtime takes them away."""

from __future__ import annotations

from ..graph import Graph, Node

# One tensor under another shape, by the same values in the same order.
VIEWS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})


def without_trivial(graph: Graph) -> None:
    """Drop nodes that hand on their input as it is."""
    for node in graph.nodes:
        if node.inputs and node.inputs[0] and _hands_on(graph, node):
            is_last = node.output in graph.outputs and node.inputs[0] in graph.inputs
            if not is_last:
                graph.drop(node, node.inputs[0])


def _hands_on(graph: Graph, node: Node) -> bool:
    if node.op in {"Identity", "Dropout"}:
        return True
    given, made = graph.tensors[node.inputs[0]], graph.tensors[node.output]
    same = given.shape == made.shape
    if node.op == "Cast":
        return given.dtype == made.dtype
    if node.op in {"Slice", "Pad", "Expand", "Tile", *VIEWS}:
        return same
    if node.op == "Transpose":
        order = node.attributes.get("perm", tuple(reversed(range(len(given.shape)))))
        return list(order) == sorted(order)
    return node.op in {"Concat", "Sum", "Max", "Min"} and len(node.inputs) == 1
