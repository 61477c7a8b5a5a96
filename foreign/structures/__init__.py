"""Blocks of vitprof's families in the graph of a foreign model, found by their structure.

A block is what its operations are, in what order, on what shapes: not how nodes are named. Nothing
is a block whose multiply-accumulates are not exactly those of the block's closed form.
"""

from __future__ import annotations

from ..graph import Graph, Node
from .branches import branch_before, places
from .classifiers import (
    class_features,
    classifier,
    mean_features,
    two_classifiers,
)
from .efficientvit import (
    feed_forward,
    group_attention,
    patch_merging,
    pooled_classifier,
    stem,
    token_interaction,
)
from .ends import embedding, token_merging
from .found import FoundBlock
from .mlps import gated_mlp, mlp
from .simplify import simplified
from .text import text_classifier, text_embedding
from .transformer import attention
from .vgg import vgg

_BRANCHES = (mlp, gated_mlp, attention, token_interaction, feed_forward, group_attention)
_BY_OP = {
    "Conv": (stem, embedding),
    "Gather": (text_embedding, class_features),
    "LayerNormalization": (class_features, mean_features),
    "Linear": (text_classifier, classifier, token_merging, pooled_classifier),
    "Mul": (patch_merging,),
    "ReduceMean": (mean_features,),
    "Scale": (two_classifiers,),
}


def find_blocks(graph: Graph) -> list[FoundBlock]:
    """Return the blocks of known families in a graph of unfused ONNX nodes, in the order they run.

    Blocks do not overlap; nodes that are in no block are left out, and the graph is not changed.
    Only graphs of one image (batch 1) have blocks. Time is linear in the number of nodes.
    """
    simple = simplified(graph)
    whole = vgg(simple)
    if whole is not None:
        return whole
    order = places(simple)
    found: list[FoundBlock] = []
    taken: set[str] = set()
    for node in simple.nodes:
        block = _found_at(simple, node, order)
        if block is not None and taken.isdisjoint(block.nodes):
            taken |= block.nodes
            found.append(block)
    return found


def _found_at(graph: Graph, node: Node, order: dict[int, int]) -> FoundBlock | None:
    if node.op == "Add":
        branch = branch_before(graph, node, order)
        matches = (match(graph, branch) for match in _BRANCHES) if branch is not None else ()
        return next((one for one in matches if one is not None), None)
    matches = (match(graph, node) for match in _BY_OP.get(node.op, ()))
    return next((one for one in matches if one is not None), None)


__all__ = ["FoundBlock", "find_blocks"]
