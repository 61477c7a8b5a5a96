"""First and last blocks of BERT."""

from __future__ import annotations

import numpy as np

from ..fusion.matching import NoMatchError, constant_of, must, where_matched
from ..fusion.trivial import VIEWS
from ..graph import Graph, Node
from .branches import nodes_before
from .found import FoundBlock, found_block
from .norms import is_norm


@where_matched
def text_embedding(graph: Graph, words: Node) -> FoundBlock | None:
    """Rows of a table, one a word; positions and the one type of sentence added; no norm.

    How many positions and types there are is known where the file still looks them up.
    """
    table = graph.shape(words.inputs[0])
    if words.attributes.get("axis", 0) or not graph.is_constant(words.inputs[0]):
        raise NoMatchError
    shape = graph.shape(words.output)
    if len(table) != 2 or len(shape) != 3 or shape[0] != 1 or words.inputs[1] not in graph.inputs:
        raise NoMatchError
    nodes, rows = [words], dict[str, int]()
    for _ in range(2):
        plus = must(graph.only_reader(nodes[-1].output))
        given = must(constant_of(graph, plus)) if plus.op == "Add" else None
        kind, count = _added(graph, must(given)[1], shape)
        rows[kind] = count
        nodes.append(plus)
    if set(rows) != {"positions", "types"} or graph.shape(nodes[-1].output) != shape:
        raise NoMatchError
    dims = {"embed": table[1], "vocab": table[0], "tokens": shape[1]}
    return found_block(graph, nodes, "text_embedding", **dims, **rows)


def _added(graph: Graph, name: str, shape: tuple[int, ...]) -> tuple[str, int]:
    """Return "positions" or "types", and how many of them their table has."""
    table, numbers = must(graph.tensors[name].looked_up)
    which = graph.tensors[numbers].value
    if which is None or graph.shape(name)[-2:] != shape[-2:]:
        raise NoMatchError
    which = which.reshape(-1)
    rows = graph.shape(table)[0]
    if np.array_equal(which, np.arange(shape[1])) and shape[1] > 1:
        return "positions", rows
    if (which == which[0]).all():
        return "types", rows
    raise NoMatchError


@where_matched
def text_classifier(graph: Graph, linear: Node) -> FoundBlock | None:
    """Layer norm, the first token, pooler with tanh, linear layer to the logits.

    `linear` is the pooler, so that nothing else takes it for a classifier.
    """
    tanh = must(graph.only_reader(linear.output))
    last = must(graph.only_reader(tanh.output))
    if tanh.op != "Tanh" or last.op != "Linear" or not (linear.inputs[2] and last.inputs[2]):
        raise NoMatchError
    views, name = nodes_before(graph, linear.inputs[0], VIEWS)
    pick = must(graph.maker(name))
    must(graph.only_reader(name))
    if pick.op != "Gather" or pick.attributes.get("axis", 0) != 1:
        raise NoMatchError
    if graph.tensors[pick.inputs[1]].scalar() != 0:
        raise NoMatchError
    norm = must(graph.maker(pick.inputs[0]))
    must(graph.only_reader(norm.output))
    shape = graph.shape(norm.output)
    if norm.op != "LayerNormalization" or not is_norm(graph, norm):
        raise NoMatchError
    if len(shape) != 3 or shape[0] != 1 or graph.shape(linear.output) != (1, shape[2]):
        raise NoMatchError
    dims = {"embed": shape[2], "tokens": shape[1], "classes": graph.shape(last.output)[-1]}
    nodes = [norm, pick, *reversed(views), linear, tanh, last]
    return found_block(graph, nodes, "text_classifier", **dims)
