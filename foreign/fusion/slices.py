"""Slices that together take a tensor apart: the runtime makes one split of them."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node


def merge_slices(graph: Graph) -> None:
    """Make one Split of several Slices of one tensor that cover an axis from end to end."""
    seen: set[str] = set()
    for node in graph.nodes:
        if node in graph and node.op == "Slice" and node.inputs[0] not in seen:
            seen.add(node.inputs[0])
            _merge(graph, node.inputs[0])


def _merge(graph: Graph, name: str) -> None:
    slices = [node for node in graph.readers(name) if node.op == "Slice"]
    if len(slices) < 2:
        return
    cuts = [_cut(graph, node) for node in slices]
    known = [cut for cut in cuts if cut is not None]
    if len(known) < len(cuts) or len({axis for axis, _, _ in known}) > 1:
        return
    order = sorted(range(len(slices)), key=lambda n: known[n][1])
    axis, position = known[0][0], 0
    for n in order:
        if known[n][1] != position:
            return
        position = known[n][2]
    if position != graph.shape(name)[axis]:
        return
    outputs = tuple(slices[n].output for n in order)
    # Where the first of them runs, for each may have readers before the last.
    first = min(slices, key=graph.place)
    graph.split_many(
        [first, *(node for node in slices if node is not first)],
        [Node("Split", (name,), outputs, {"axis": axis})],
        covering=0,
        at_first=True,
    )


def _cut(graph: Graph, node: Node) -> tuple[int, int, int] | None:
    """Return (axis, start, end) of a slice of one axis in steps of 1."""
    values = [
        graph.tensors[name].value if name else None for name in (*node.inputs[1:], "", "")[:4]
    ]
    starts, ends, axes, steps = values
    if starts is None or ends is None or starts.size != 1:
        return None
    if steps is not None and not np.array_equal(steps.reshape(-1), [1]):
        return None
    shape = graph.shape(node.inputs[0])
    axis = int(axes.reshape(-1)[0]) % len(shape) if axes is not None else 0
    size = shape[axis]
    start, end = (int(value.reshape(-1)[0]) for value in (starts, ends))
    start, end = (max(min(n + size if n < 0 else n, size), 0) for n in (start, end))
    return axis, start, end
