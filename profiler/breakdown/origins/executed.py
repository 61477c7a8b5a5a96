"""From the nodes that ONNX Runtime executes back to those of the model that it was given.

The runtime fuses nodes, puts others in between and makes up names. What it keeps are the names of
most tensors, and it begins the name of what it makes with that of what it was made of.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..classes import COPY, classes_of_onnx
from ..profile import Node
from .model_graph import GraphNode, ModelGraph

_NUMBERED = re.compile(r"_token_\d+$")
# How far a chain of nodes that the runtime put in between may reach.
_LONGEST_CHAIN = 4


def origins_of_executed(
    nodes: Sequence[Node], executed: ModelGraph | None, model: ModelGraph
) -> list[int | None]:
    """Return, for each executed node, the node of the model it came from; None if none is found.

    A node that several were fused into comes from the one that it is named after in the table of
    classes: the convolution of a convolution with activation. A node that only changes the layout
    for another comes from that one. Without the `executed` graph only names are compared.
    """
    places = [_place(node, executed) for node in nodes]
    found: list[int | None] = []
    for node, place in zip(nodes, places, strict=True):
        now = executed.nodes[place] if executed is not None and place is not None else None
        found.append(_origin(node, now, executed, model))
    if executed is not None:
        _fill_from_neighbours(found, places, executed)
    return found


def _place(node: Node, executed: ModelGraph | None) -> int | None:
    """Return which node of the executed graph a profiled one is."""
    if executed is None:
        return None
    if node.source.isdigit() and int(node.source) < len(executed.nodes):
        one = executed.nodes[int(node.source)]
        if one.op == node.op and one.name.startswith((node.name, node.op)):
            return int(node.source)
    place = executed.named(node.name)
    return place if place is not None and executed.nodes[place].op == node.op else None


def _origin(
    node: Node, now: GraphNode | None, executed: ModelGraph | None, model: ModelGraph
) -> int | None:
    by_output = _by_output(now, model)
    by_name = _by_name(node.name, model) if by_output is None else None
    last = by_output if by_output is not None else by_name
    if last is None:
        return _by_weights(now, model)
    return _heaviest(node, last, now, executed, model)


def _by_output(now: GraphNode | None, model: ModelGraph) -> int | None:
    for tensor in now.outputs if now is not None else ():
        place = model.maker(tensor)
        if place is not None:
            return place
    return None


def _by_name(name: str, model: ModelGraph) -> int | None:
    """Return the node, or the maker of the tensor, with which a made-up name begins."""
    made_up = _NUMBERED.search(name)
    while name:
        place = model.named(name)
        place = model.maker(name) if place is None else place
        # "Gelu_token_7" is the runtime's, even where the file has a node "Gelu".
        if place is not None and (made_up is None or "/" in name):
            return place
        cut = max(name.rfind("/"), name.rfind("_"))
        name = name[:cut] if cut > 0 else ""
    return None


def _by_weights(now: GraphNode | None, model: ModelGraph) -> int | None:
    """Return the one node of the model that reads a weight of the executed node."""
    for tensor in now.inputs if now is not None else ():
        readers = model.readers(tensor)
        if len(readers) == 1 and model.maker(tensor) is None:
            return readers[0]
    return None


def _heaviest(
    node: Node,
    last: int,
    now: GraphNode | None,
    executed: ModelGraph | None,
    model: ModelGraph,
) -> int:
    """Return the node of the executed one's class among those fused up to `last`."""
    if node.kind in (COPY, _kind(model, last)) or now is None or executed is None:
        return last
    seen, waiting = {last}, [last]
    while waiting:
        place = waiting.pop(0)
        if _kind(model, place) == node.kind:
            return place
        for tensor in model.nodes[place].inputs:
            before = model.maker(tensor)
            still_there = tensor in now.inputs or executed.maker(tensor) is not None
            if before is not None and before not in seen and not still_there:
                seen.add(before)
                waiting.append(before)
    return last


def _kind(model: ModelGraph, place: int) -> str:
    return classes_of_onnx([model.nodes[place].op])[0]


def _fill_from_neighbours(
    found: list[int | None], places: Sequence[int | None], executed: ModelGraph
) -> None:
    """Give what the runtime put in between the origin of the node it is for.

    That is the one that reads it, or where several do, the one that it reads.
    """
    origin = {place: one for place, one in zip(places, found, strict=True) if place is not None}
    for _ in range(_LONGEST_CHAIN):
        for number, place in enumerate(places):
            if place is None or found[number] is not None:
                continue
            for neighbours in (executed.after(place), executed.before(place)):
                known = {origin.get(one) for one in neighbours} - {None}
                if len(known) == 1:
                    found[number] = origin[place] = known.pop()
                    break
