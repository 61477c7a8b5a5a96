"""Attention and MLP of transformers, their norm in front or behind, and Swin's windows."""

from __future__ import annotations

import math

from ..fusion.matching import NoMatchError, where_matched
from ..graph import Graph, Node
from .branches import Branch, root
from .found import FoundBlock, found_block
from .norms import is_norm, one_image, with_norm, without_layer_scale
from .simplify import LAYOUT

_MOVED_OR_SCALED = LAYOUT | {"Scale"}
_MOST_SCALES = 2
# Of queries, keys, values and the result; keys a second time; windows cut and joined.
_MOST_TRANSPOSES, _MOST_TRANSPOSES_OF_WINDOWS = 5, 7
# Two axes are rolled before the windows are cut, and two after.
_ROLLS = 4


@where_matched
def attention(graph: Graph, branch: Branch) -> FoundBlock | None:
    """Layer norm, Q, K, V as one layer or three, softmax(QKᵀ)·V, projection; in windows or not."""
    branch = with_norm(graph, branch)
    nodes = without_layer_scale(branch.computing)
    scales = [node for node in nodes if node.op == "Scale"]
    nodes = _projections_first([node for node in nodes if node.op != "Scale"])
    ops = [node.op for node in nodes]
    linears = 3 if ops[1:4] == ["Linear"] * 3 else 1
    norms = 2 if ops[1 + linears : 3 + linears] == ["LayerNormalization"] * 2 else 0
    head_norms = nodes[1 + linears : 1 + linears + norms]
    del nodes[1 + linears : 1 + linears + norms]
    ops = [node.op for node in nodes]
    added = ops[linears + 2 :].index("Softmax") if "Softmax" in ops[linears + 2 :] else 0
    wanted = ["LayerNormalization", *["Linear"] * linears, "MatMul", *["Add"] * added]
    if ops != [*wanted, "Softmax", "MatMul", "Linear"] or len(scales) > _MOST_SCALES:
        raise NoMatchError
    norm, projections = nodes[0], nodes[1 : 1 + linears]
    logits, biases = nodes[1 + linears], nodes[2 + linears : 2 + linears + added]
    softmax, weighted, last = nodes[-3:]
    if not is_norm(graph, norm) or norm.inputs[0] not in branch.start:
        raise NoMatchError
    given = {one.output for one in projections}
    sources = [root(graph, one, _MOVED_OR_SCALED) for one in logits.inputs]
    if head_norms:
        sources = _before_head_norms(graph, head_norms, sources)
    sources.append(root(graph, weighted.inputs[1]))
    if set(sources) != given or any(
        root(graph, one.inputs[0]) != norm.output for one in projections
    ):
        raise NoMatchError
    if root(graph, branch.end, LAYOUT | {"LayerScale"}) != last.output:
        raise NoMatchError
    if root(graph, last.inputs[0]) != weighted.output:
        raise NoMatchError
    if root(graph, weighted.inputs[0]) != softmax.output:
        raise NoMatchError
    if not _logits_reach(graph, logits, biases, softmax):
        raise NoMatchError
    has_bias = {bool(one.inputs[2]) for one in projections}
    if len(has_bias) > 1 or not last.inputs[2]:
        raise NoMatchError
    return _of_shapes(graph, branch, (norm, projections, logits, biases, weighted), head_norms)


def _of_shapes(
    graph: Graph,
    branch: Branch,
    parts: tuple[Node, list[Node], Node, list[Node], Node],
    head_norms: list[Node],
) -> FoundBlock | None:
    norm, projections, logits, biases, weighted = parts
    shape = graph.shape(norm.output)
    queries, squares = graph.shape(logits.inputs[0]), graph.shape(logits.output)
    values = graph.shape(weighted.output)
    if not one_image(shape) or len(squares) != 4 or squares[2] != squares[3]:
        raise NoMatchError
    (windows, heads, length, _), qk, v = squares, queries[-1], values[-1]
    embed, tokens = shape[-1], math.prod(shape[:-1])
    widths = sum(graph.shape(one.output)[-1] for one in projections)
    if queries != (windows, heads, length, qk) or values != (windows, heads, length, v):
        raise NoMatchError
    if widths != heads * (2 * qk + v) or windows * length != tokens:
        raise NoMatchError
    dims = {"embed": embed, "heads": heads, "qk": qk, "v": v}
    if not biases and windows == 1:
        if _rolls(graph, branch) or branch.count("Transpose") > _MOST_TRANSPOSES:
            raise NoMatchError
        if any(graph.shape(one.output)[-1] != qk for one in head_norms):
            raise NoMatchError
        op = "normed_attention" if head_norms else "attention"
        return found_block(graph, branch.all_nodes, op, **dims, tokens=tokens)
    side, window = math.isqrt(tokens), math.isqrt(length)
    rolls = _rolls(graph, branch)
    if head_norms:
        raise NoMatchError
    if side**2 != tokens or window**2 != length or rolls not in {0, _ROLLS} or side % window:
        raise NoMatchError
    if not 1 <= len(biases) <= (2 if rolls else 1):
        raise NoMatchError
    if branch.count("Transpose") > _MOST_TRANSPOSES_OF_WINDOWS:
        raise NoMatchError
    return found_block(
        graph,
        branch.all_nodes,
        "window_attention",
        **dims,
        window=window,
        resolution=side,
        shift=2 if rolls else 1,
    )


def _before_head_norms(
    graph: Graph, norms: list[Node], sources: list[str | None]
) -> list[str | None]:
    """Return what the norms of queries and keys are of, where the logits are of these norms."""
    if set(sources) != {one.output for one in norms} or len(set(sources)) != len(norms):
        raise NoMatchError
    if not all(is_norm(graph, one) for one in norms):
        raise NoMatchError
    return [root(graph, one.inputs[0], _MOVED_OR_SCALED) for one in norms]


def _projections_first(nodes: list[Node]) -> list[Node]:
    """Put Q, K and V right after the norm: exporters write each where it is used first."""
    linears = [node for node in nodes if node.op == "Linear"][:-1]
    others = [node for node in nodes if node not in linears]
    return [*others[:1], *linears, *others[1:]]


def _rolls(graph: Graph, branch: Branch) -> int:
    """Number of axes that are rolled; a Gather of all tokens, in their new order, rolls two."""
    gathers = [node for node in branch.nodes if node.op == "Gather"]
    ordered = [node for node in gathers if graph.tensors[node.inputs[1]].size > 1]
    return branch.count("Concat") + 2 * len(ordered)


def _logits_reach(graph: Graph, logits: Node, biases: list[Node], softmax: Node) -> bool:
    """Whether a softmax over the last axis takes the logits with constants added to them."""
    rank = len(graph.shape(softmax.output))
    if softmax.attributes.get("axis", -1) not in {-1, rank - 1}:
        return False
    name = softmax.inputs[0]
    for plus in reversed(biases):
        if root(graph, name, _MOVED_OR_SCALED) != plus.output:
            return False
        open_inputs = [one for one in plus.inputs if not graph.is_constant(one)]
        if len(open_inputs) != 1:
            return False
        name = open_inputs[0]
    return root(graph, name, _MOVED_OR_SCALED) == logits.output
