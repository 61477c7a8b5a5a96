"""Last blocks of image transformers: the last norm, what is read of the tokens, a classifier."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..fusion.matching import NoMatchError, is_near, where_matched
from ..fusion.trivial import VIEWS
from ..graph import Graph, Node
from .branches import nodes_before
from .found import FoundBlock, found_block
from .norms import is_norm

_MOVES = VIEWS | {"Transpose"}
_MEANS = {"ReduceMean", "GlobalAveragePool"}
_PICKS = {"Gather", "Slice"}


@dataclass(frozen=True)
class _Vector:
    """What a classifier reads: one token or the mean of all, of a sequence, and how it is made."""

    nodes: tuple[Node, ...]
    is_mean: bool
    embed: int
    tokens: int


@where_matched
def classifier(graph: Graph, linear: Node) -> FoundBlock | None:
    """Layer norm; the class token, or the mean of all tokens; linear layer to the logits."""
    if linear.op != "Linear" or not linear.inputs[2] or len(graph.shape(linear.output)) != 2:
        raise NoMatchError
    vector = _vector(graph, linear.inputs[0])
    classes = graph.shape(linear.output)[-1]
    nodes = [*vector.nodes, linear]
    dims = {"embed": vector.embed, "classes": classes, "tokens": vector.tokens}
    if vector.is_mean:
        return found_block(graph, nodes, "pooled_tokens_classifier", **dims)
    return found_block(graph, nodes, "classifier", **dims, heads=1)


@where_matched
def two_classifiers(graph: Graph, half: Node) -> FoundBlock | None:
    """Layer norm; a classifier of the first token and one of the second; the mean of both."""
    plus = graph.maker(half.inputs[0])
    if plus is None or plus.op != "Add" or not is_near(half.attributes.get("factor"), 0.5):
        raise NoMatchError
    if graph.only_reader(plus.output) is None:
        raise NoMatchError
    linears = [graph.maker(name) for name in plus.inputs]
    nodes: list[Node] = []
    norms: set[str] = set()
    tokens: set[int] = set()
    for linear in linears:
        if linear is None or linear.op != "Linear" or not linear.inputs[2]:
            raise NoMatchError
        if graph.only_reader(linear.output) is None:
            raise NoMatchError
        views, name = nodes_before(graph, linear.inputs[0], VIEWS)
        pick = graph.maker(name)
        if pick is None or pick.op != "Gather" or graph.only_reader(name) is None:
            raise NoMatchError
        index = graph.tensors[pick.inputs[1]].scalar()
        if index is None or pick.attributes.get("axis", 0) != 1:
            raise NoMatchError
        tokens.add(int(index))
        norms.add(pick.inputs[0])
        nodes += [pick, *reversed(views), linear]
    if len(norms) != 1 or tokens != {0, 1}:
        raise NoMatchError
    (name,) = norms
    norm, shape = graph.maker(name), graph.shape(name)
    if norm is None or norm.op != "LayerNormalization" or not is_norm(graph, norm):
        raise NoMatchError
    if len(graph.readers(name)) != 2 or name in graph.outputs:
        raise NoMatchError
    if len(shape) != 3 or shape[0] != 1:
        raise NoMatchError
    dims = {"embed": shape[2], "tokens": shape[1], "classes": graph.shape(half.output)[-1]}
    return found_block(graph, [norm, *nodes, plus, half], "classifier", **dims, heads=2)


@where_matched
def class_features(graph: Graph, last: Node) -> FoundBlock | None:
    """Layer norm, then the class token as the model's output."""
    return _features(graph, last, is_mean=False)


@where_matched
def mean_features(graph: Graph, last: Node) -> FoundBlock | None:
    """Layer norm and the mean of the tokens, in either order, as the model's output."""
    return _features(graph, last, is_mean=True)


def _features(graph: Graph, last: Node, is_mean: bool) -> FoundBlock | None:
    if last.output not in graph.outputs or graph.readers(last.output):
        raise NoMatchError
    vector = _vector(graph, last.output, is_output=True)
    if vector.is_mean is not is_mean:
        raise NoMatchError
    op = "mean_features" if is_mean else "features"
    return found_block(graph, vector.nodes, op, embed=vector.embed, tokens=vector.tokens)


def _vector(graph: Graph, name: str, is_output: bool = False) -> _Vector:
    """Return what makes the vector (1, embed) of this name, as one token or a mean of all."""
    embed = math.prod(graph.shape(name))
    nodes, name = ([], name) if is_output else nodes_before(graph, name, VIEWS)
    taken = graph.maker(name)
    if taken is not None and taken.op == "LayerNormalization":
        if not is_norm(graph, taken) or graph.tensors[name].size != embed:
            raise NoMatchError
        if not is_output and graph.only_reader(name) is None:
            raise NoMatchError
        is_output = False
        views, name = nodes_before(graph, taken.inputs[0], VIEWS)
        nodes = [*nodes, taken, *views]
        taken = graph.maker(name)
    is_normed = any(node.op == "LayerNormalization" for node in nodes)
    if taken is None or taken.op not in _MEANS | _PICKS or graph.shape(name)[-1:] == (1,):
        raise NoMatchError
    if graph.tensors[name].size != embed or not (is_output or graph.only_reader(name)):
        raise NoMatchError
    nodes = [*nodes, taken]
    name = taken.inputs[0]
    cut = 0
    if taken.op in _MEANS:
        moves, name = nodes_before(graph, name, _MOVES)
        nodes += moves
        cut, nodes, name = _without_prefix(graph, nodes, name)
    norm = graph.maker(name)
    shape = graph.shape(name)
    if norm is not None and norm.op == "LayerNormalization" and not is_normed:
        if not is_norm(graph, norm) or graph.only_reader(name) is None:
            raise NoMatchError
        nodes = [*nodes, norm]
    elif norm is None or norm.op != "Add" or len(shape) != 3:
        # Without a norm over all tokens they are what the last layer adds up.
        raise NoMatchError
    elif graph.only_reader(name) is None:
        raise NoMatchError
    if shape[0] != 1 or shape[-1] != embed or (taken.op in _PICKS and len(shape) != 3):
        raise NoMatchError
    if cut and len(shape) != 3:
        raise NoMatchError
    tokens = math.prod(shape[:-1])
    return _Vector(tuple(reversed(nodes)), taken.op in _MEANS, embed, tokens)


def _without_prefix(graph: Graph, nodes: list[Node], name: str) -> tuple[int, list[Node], str]:
    """Step over a slice that leaves class token and registers out: how many, nodes and source."""
    cut = graph.maker(name)
    if cut is None or cut.op != "Slice" or graph.only_reader(name) is None:
        return 0, nodes, name
    before, after = graph.shape(cut.inputs[0]), graph.shape(name)
    starts = graph.tensors[cut.inputs[1]].value
    fewer = before[1] - after[1] if len(before) == len(after) == 3 else 0
    if fewer < 1 or (before[0], before[2]) != (after[0], after[2]):
        raise NoMatchError
    # Some exporters slice the batch beside it, from 0 on.
    if starts is None or starts.reshape(-1).tolist() not in ([fewer], [0, fewer]):
        raise NoMatchError
    return fewer, [*nodes, cut], cut.inputs[0]
