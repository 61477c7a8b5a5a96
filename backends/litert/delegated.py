"""Which of a model's operators a delegate runs, from the interpreter's list of nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# What the runtime calls the nodes that it puts in place of what a delegate takes.
_DELEGATE = "DELEGATE"


def delegated_operators(nodes: Iterable[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Return the names of the operators that a delegate runs, and of those that none does.

    nodes: as `Interpreter._get_ops_details()` lists them after `allocate_tensors()`: the model's
    own operators, all of them, and behind them a node for each piece that a delegate took. Such a
    node reads what enters its piece and writes what leaves it: the operators on the way from the
    one to the other are the piece.
    """
    nodes = list(nodes)
    own = [node for node in nodes if node["op_name"] != _DELEGATE]
    maker = {int(tensor): node for node in own for tensor in node["outputs"]}
    taken: set[int] = set()
    for piece in (node for node in nodes if node["op_name"] == _DELEGATE):
        enters = {int(tensor) for tensor in piece["inputs"]}
        wanted = [int(tensor) for tensor in piece["outputs"]]
        while wanted:
            tensor = wanted.pop()
            node = maker.get(tensor)
            if tensor in enters or node is None or node["index"] in taken:
                continue
            taken.add(node["index"])
            wanted += [int(source) for source in node["inputs"]]
    inside = [str(node["op_name"]) for node in own if node["index"] in taken]
    outside = [str(node["op_name"]) for node in own if node["index"] not in taken]
    return inside, outside
