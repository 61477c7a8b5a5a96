"""Attention and MLP of a plain Vision Transformer, and Swin's attention in windows."""

from __future__ import annotations

import itertools
import math

from ..fusion.matching import NoMatchError, where_matched
from ..graph import Graph, Node
from .branches import Branch, root
from .found import FoundBlock, found_block
from .simplify import LAYOUT

_MOVED_OR_SCALED = LAYOUT | {"Scale"}
_MLP_OPS = {b"none": "mlp", b"tanh": "mlp_gelu_tanh"}
_MOST_SCALES = 2
# Of queries, keys, values and the result; keys a second time; windows cut and joined.
_MOST_TRANSPOSES, _MOST_TRANSPOSES_OF_WINDOWS = 5, 7
# Two axes are rolled before the windows are cut, and two after.
_ROLLS = 4


@where_matched
def mlp(graph: Graph, branch: Branch) -> FoundBlock | None:
    """Layer norm, linear, GELU, linear, each on the one before; a layer scale at will."""
    if branch.count("Transpose", "Split", "Slice", "Concat", "Gather"):
        raise NoMatchError
    nodes = _without_layer_scale(branch.computing)
    if [node.op for node in nodes] != ["LayerNormalization", "Linear", "Gelu", "Linear"]:
        raise NoMatchError
    norm, first, act, second = nodes
    if not _follow(graph, branch, nodes) or not (first.inputs[2] and second.inputs[2]):
        raise NoMatchError
    shape = graph.shape(norm.output)
    if not _is_norm(graph, norm) or not _one_image(shape):
        raise NoMatchError
    op = _MLP_OPS.get(act.attributes.get("approximate", b"none"))
    if op is None or graph.shape(second.output)[-1] != shape[-1]:
        raise NoMatchError
    tokens, hidden = math.prod(shape[:-1]), graph.shape(first.output)[-1]
    return found_block(graph, branch.all_nodes, op, embed=shape[-1], mlp=hidden, tokens=tokens)


@where_matched
def attention(graph: Graph, branch: Branch) -> FoundBlock | None:
    """Layer norm, Q, K, V as one layer or three, softmax(QKᵀ)·V, projection; in windows or not."""
    nodes = _without_layer_scale(branch.computing)
    scales = [node for node in nodes if node.op == "Scale"]
    nodes = _projections_first([node for node in nodes if node.op != "Scale"])
    ops = [node.op for node in nodes]
    linears = 3 if ops[1:4] == ["Linear"] * 3 else 1
    added = ops[linears + 2 :].index("Softmax") if "Softmax" in ops[linears + 2 :] else 0
    wanted = ["LayerNormalization", *["Linear"] * linears, "MatMul", *["Add"] * added]
    if ops != [*wanted, "Softmax", "MatMul", "Linear"] or len(scales) > _MOST_SCALES:
        raise NoMatchError
    norm, projections = nodes[0], nodes[1 : 1 + linears]
    logits, biases = nodes[1 + linears], nodes[2 + linears : 2 + linears + added]
    softmax, weighted, last = nodes[-3:]
    if not _is_norm(graph, norm) or norm.inputs[0] not in branch.start:
        raise NoMatchError
    given = {one.output for one in projections}
    sources = [root(graph, one, _MOVED_OR_SCALED) for one in logits.inputs]
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
    return _of_shapes(graph, branch, (norm, projections, logits, biases, weighted))


def _of_shapes(
    graph: Graph, branch: Branch, parts: tuple[Node, list[Node], Node, list[Node], Node]
) -> FoundBlock | None:
    norm, projections, logits, biases, weighted = parts
    shape = graph.shape(norm.output)
    queries, squares = graph.shape(logits.inputs[0]), graph.shape(logits.output)
    values = graph.shape(weighted.output)
    if not _one_image(shape) or len(squares) != 4 or squares[2] != squares[3]:
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
        return found_block(graph, branch.all_nodes, "attention", **dims, tokens=tokens)
    side, window = math.isqrt(tokens), math.isqrt(length)
    rolls = _rolls(graph, branch)
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


def _without_layer_scale(nodes: list[Node]) -> list[Node]:
    return nodes[:-1] if nodes and nodes[-1].op == "LayerScale" else nodes


def _follow(graph: Graph, branch: Branch, nodes: list[Node]) -> bool:
    """Whether each node works on the result of the one before, the first on the branch's input."""
    if (
        nodes[0].inputs[0] not in branch.start
        and root(graph, nodes[0].inputs[0]) not in branch.start
    ):
        return False
    return all(
        root(graph, after.inputs[0]) == before.output for before, after in itertools.pairwise(nodes)
    )


def _is_norm(graph: Graph, node: Node) -> bool:
    rank = len(graph.shape(node.output))
    return len(node.inputs) == 3 and node.attributes.get("axis", -1) in {-1, rank - 1}


def _one_image(shape: tuple[int, ...]) -> bool:
    """Whether a sequence, or a map with its channels last, is that of one image."""
    return len(shape) in {3, 4} and shape[0] == 1
