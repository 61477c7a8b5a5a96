"""The layer norm of a transformer's half: in front of its branch, or in front of the skip too."""

from __future__ import annotations

from ..fusion.matching import NoMatchError
from ..graph import Graph, Node
from .branches import Branch


def with_norm(graph: Graph, branch: Branch) -> Branch:
    """Return the branch with the norm that it starts with; NoMatchError where there is none.

    In a post-norm layer (BERT) the skip is of the norm's result, which only this half may read.
    """
    computing = branch.computing
    if computing and computing[0].op == "LayerNormalization":
        return branch
    inside = {id(node) for node in branch.all_nodes}
    for name in branch.start:
        norm = graph.maker(name)
        if norm is None or norm.op != "LayerNormalization":
            continue
        read = {id(one) for one in graph.readers(name)}
        if name in graph.outputs or not read <= inside or len(branch.start) > 1:
            break
        return Branch(frozenset({norm.inputs[0]}), (norm, *branch.nodes), branch.plus, branch.end)
    raise NoMatchError


def without_layer_scale(nodes: list[Node]) -> list[Node]:
    return nodes[:-1] if nodes and nodes[-1].op == "LayerScale" else nodes


def is_norm(graph: Graph, node: Node) -> bool:
    """Whether a layer norm is over the last axis, with weight and bias."""
    rank = len(graph.shape(node.output))
    return len(node.inputs) == 3 and node.attributes.get("axis", -1) in {-1, rank - 1}


def one_image(shape: tuple[int, ...]) -> bool:
    """Whether a sequence, or a map with its channels last, is that of one image."""
    return len(shape) in {3, 4} and shape[0] == 1
