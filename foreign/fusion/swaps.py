"""Transposes that the runtime moves, so that two become one or smaller ones are left."""

from __future__ import annotations

from ..graph import Graph, Node, Tensor
from .matching import only_reader


def move_swaps(graph: Graph) -> None:
    """Move transposes behind the splits that alone read them.

    Queries, keys and values of one product are transposed together by exporters; the runtime splits
    first. A part that is transposed once more then has both in one.
    """
    for node in graph.nodes:
        if node in graph and node.op == "Transpose":
            split = only_reader(graph, node, "Split")
            if split is not None:
                _behind_split(graph, node, split)


def _behind_split(graph: Graph, swap: Node, split: Node) -> None:
    order = [int(axis) for axis in swap.attributes["perm"]]
    rank = len(order)
    axis = order[int(split.attributes.get("axis", 0)) % rank]
    new: list[Node] = []
    parts = []
    for output in split.outputs:
        part = f"{output}#before"
        shape = graph.shape(output)
        before = [0] * rank
        for place, source in enumerate(order):
            before[source] = shape[place]
        graph.tensors[part] = Tensor(part, tuple(before))
        parts.append(part)
        new.append(Node("Transpose", (part,), (output,), {"perm": order}))
    attributes = {**split.attributes, "axis": axis}
    first = Node("Split", (swap.inputs[0], *split.inputs[1:]), tuple(parts), attributes)
    graph.split_many([swap, split], [first, *new], covering=0)
    for output in split.outputs:
        _joined(graph, output)


def _joined(graph: Graph, output: str) -> None:
    """Make one transpose of a part's and of one that follows, behind a squeeze or a softmax."""
    swap = graph.maker(output)
    if swap is None or swap.op != "Transpose":
        return
    squeeze = only_reader(graph, swap, "Squeeze")
    last = squeeze if squeeze is not None else swap
    softmax = only_reader(graph, last, "Softmax")
    last = softmax if softmax is not None else last
    again = only_reader(graph, last, "Transpose")
    if again is None:
        return
    order = [int(axis) for axis in swap.attributes["perm"]]
    given = graph.shape(swap.inputs[0])
    if squeeze is not None:
        dropped = _dropped(graph.shape(swap.output), graph.shape(squeeze.output))
        if dropped is None:
            return
        gone = order[dropped]
        order = [axis - (axis > gone) for place, axis in enumerate(order) if place != dropped]
        given = (*given[:gone], *given[gone + 1 :])
    name, new = swap.inputs[0], []
    if squeeze is not None:
        new.append(Node("Squeeze", (name,), (f"{output}#flat",)))
    if softmax is not None:
        axis = order[int(softmax.attributes.get("axis", -1)) % len(order)]
        name = new[-1].output if new else name
        new.append(Node("Softmax", (name,), (f"{output}#soft",), {"axis": axis}))
    for node in new:
        graph.tensors[node.output] = Tensor(node.output, given)
    name = new[-1].output if new else name
    both = [order[int(axis)] for axis in again.attributes["perm"]]
    new.append(Node("Transpose", (name,), again.outputs, {"perm": both}))
    old = [one for one in (swap, squeeze, softmax, again) if one is not None]
    graph.split_many(old, new, covering=len(new) - 1)


def _dropped(before: tuple[int, ...], after: tuple[int, ...]) -> int | None:
    """Return the one axis that a squeeze takes away."""
    if len(before) != len(after) + 1:
        return None
    for axis in range(len(before)):
        if before[axis] == 1 and (*before[:axis], *before[axis + 1 :]) == after:
            return axis
    return None
