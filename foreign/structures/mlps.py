"""MLPs of transformers: two layers with an activation between, or a gate."""

from __future__ import annotations

import itertools
import math

from ..fusion.matching import NoMatchError, is_near, where_matched
from ..fusion.trivial import VIEWS
from ..graph import Graph, Node
from .branches import Branch, root
from .found import FoundBlock, found_block
from .norms import is_norm, one_image, with_norm, without_layer_scale

_OF_APPROXIMATION = {b"none": "mlp", b"tanh": "mlp_gelu_tanh"}
# x · sigmoid(a · x) is CLIP's GELU with this a, and SiLU with 1.
_QUICK, _SILU = 1.702, 1.0
_HALVES = {"Split", "Slice"}


@where_matched
def mlp(graph: Graph, branch: Branch) -> FoundBlock | None:
    """Layer norm, linear, GELU, linear, each on the one before; a layer scale at will."""
    if branch.count("Transpose", "Concat", "Gather", *_HALVES):
        raise NoMatchError
    branch = with_norm(graph, branch)
    nodes = without_layer_scale(branch.computing)
    if len(nodes) != 4 or [nodes[0].op, nodes[1].op, nodes[3].op] != [
        "LayerNormalization",
        "Linear",
        "Linear",
    ]:
        raise NoMatchError
    norm, first, act, second = nodes
    op = _mlp_op(act)
    if op is None or not _follow(graph, branch, nodes):
        raise NoMatchError
    return _found(graph, branch, op, (norm, second), [first], graph.shape(first.output)[-1])


@where_matched
def gated_mlp(graph: Graph, branch: Branch) -> FoundBlock | None:
    """Layer norm, gate and value of one layer or two, SiLU(gate) · value, linear."""
    if branch.count("Transpose", "Concat", "Gather"):
        raise NoMatchError
    branch = with_norm(graph, branch)
    nodes = without_layer_scale(branch.computing)
    linears = [node for node in nodes if node.op == "Linear"]
    others = [node.op for node in nodes if node.op != "Linear"]
    if others != ["LayerNormalization", "QuickGelu", "Mul"] or len(linears) not in {2, 3}:
        raise NoMatchError
    norm, second, given = nodes[0], linears[-1], linears[:-1]
    act, product = (node for node in nodes if node.op in {"QuickGelu", "Mul"})
    if not is_near(act.attributes.get("alpha"), _SILU) or second is not nodes[-1]:
        raise NoMatchError
    moved = VIEWS | _HALVES
    gate = root(graph, act.inputs[0], moved)
    sources = [gate, *(root(graph, one, moved) for one in product.inputs if one != act.output)]
    if len(sources) != 2 or {*sources} != {one.output for one in given}:
        raise NoMatchError
    if root(graph, second.inputs[0]) != product.output or norm.inputs[0] not in branch.start:
        raise NoMatchError
    if any(root(graph, one.inputs[0]) != norm.output for one in given):
        raise NoMatchError
    hidden = graph.shape(product.output)[-1]
    widths = sum(graph.shape(one.output)[-1] for one in given)
    halves = [node for node in branch.nodes if node.op in _HALVES]
    if widths != 2 * hidden or (len(given) == 1) != bool(halves) or len(halves) > 2:
        raise NoMatchError
    if len(given) == 1 and act.inputs[0] in product.inputs:
        raise NoMatchError
    return _found(graph, branch, "swiglu_mlp", (norm, second), given, hidden)


def _found(
    graph: Graph, branch: Branch, op: str, ends: tuple[Node, Node], given: list[Node], hidden: int
) -> FoundBlock | None:
    norm, second = ends
    shape = graph.shape(norm.output)
    if not is_norm(graph, norm) or not one_image(shape):
        raise NoMatchError
    if not all(one.inputs[2] for one in (*given, second)):
        raise NoMatchError
    if graph.shape(second.output)[-1] != shape[-1]:
        raise NoMatchError
    tokens = math.prod(shape[:-1])
    return found_block(graph, branch.all_nodes, op, embed=shape[-1], mlp=hidden, tokens=tokens)


def _mlp_op(act: Node) -> str | None:
    if act.op == "Gelu":
        return _OF_APPROXIMATION.get(act.attributes.get("approximate", b"none"))
    if act.op == "QuickGelu" and is_near(act.attributes.get("alpha"), _QUICK):
        return "mlp_quick_gelu"
    return None


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
