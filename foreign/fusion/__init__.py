"""What ONNX Runtime makes of a graph before it runs it on a CPU, without ONNX Runtime.

Predicting a model must not need the runtime of the table, so its rules are written down here: which
nodes disappear, which become one, and where tensors move into the layout of its convolutions.
They were found by asking version 1.31 for its optimised graphs (`InferenceSession` with
`optimized_model_filepath`), which is also what the tests compare with.
"""

from __future__ import annotations

from ..graph import Graph, Node
from ..rules import Rules
from .activations import fuse_activations
from .convolutions import fuse_convolutions
from .eager import by_themselves
from .layout import laid_out
from .normalizations import fuse_layer_norms, fuse_skips
from .products import fuse_products
from .slices import merge_slices
from .swaps import move_swaps
from .trivial import without_trivial


def fused(graph: Graph, rules: Rules) -> list[Node]:
    """Return the nodes that the runtime runs, in order; the graph is rewritten on the way.

    Each has `covers`, the nodes of the file that it stands for; one that moves data between layouts
    covers none. Linear in the number of nodes.
    """
    without_trivial(graph)
    fuse_layer_norms(graph)
    fuse_activations(graph)
    if rules.fusion == "eager":
        return by_themselves(graph)
    merge_slices(graph)
    move_swaps(graph)
    fuse_products(graph)
    fuse_convolutions(graph)
    fuse_skips(graph)
    return laid_out(graph, rules)
