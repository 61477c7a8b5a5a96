"""First blocks of image transformers, and Swin's merging between its stages."""

from __future__ import annotations

import math

from ..fusion.matching import NoMatchError, constant_of, where_matched
from ..fusion.trivial import VIEWS
from ..graph import Graph, Node
from .branches import nodes_before
from .found import FoundBlock, found_block
from .norms import is_norm

_MOVES = VIEWS | {"Transpose"}


@where_matched
def embedding(graph: Graph, conv: Node) -> FoundBlock | None:
    """Patches projected; then tokens and positions added (ViT), or a layer norm (Swin)."""
    if conv.op != "Conv" or not _is_of_patches(graph, conv):
        raise NoMatchError
    channels, resolution = graph.shape(conv.inputs[0])[1:3]
    embed, patch = graph.shape(conv.inputs[1])[::2][:2]
    patches = (resolution // patch) ** 2
    dims = {"embed": embed, "in_channels": channels, "resolution": resolution, "kernel": patch}
    nodes, node, prefix, positions = [conv], graph.only_reader(conv.output), 0, False
    while node is not None:
        if node.op == "Concat" and not prefix:
            tokens = [one for one in node.inputs if graph.is_constant(one)]
            if len(tokens) != len(node.inputs) - 1 or graph.is_constant(node.inputs[-1]):
                break
            prefix = sum(math.prod(graph.shape(one)[:-1]) for one in tokens)
        elif node.op == "Add" and not positions:
            given = constant_of(graph, node)
            if given is None or graph.shape(given[0])[1:] != graph.shape(given[1])[1:]:
                break
            positions = True
        elif node.op not in _MOVES:
            break
        nodes.append(node)
        node = graph.only_reader(node.output)
    is_normed = node is not None and node.op == "LayerNormalization" and is_norm(graph, node)
    if graph.shape(nodes[-1].output) == (1, patches + prefix, embed) and positions:
        # A norm of the whole sequence stands in for the bias of the projection (CLIP).
        if is_normed == bool(conv.inputs[2:]):
            raise NoMatchError
        nodes += [node] if is_normed and node is not None else []
        if prefix:
            return found_block(graph, nodes, "patch_embed", **dims, prefix=prefix)
        return found_block(graph, nodes, "prefixless_patch_embed", **dims)
    if node is None or not is_normed or prefix or positions or not conv.inputs[2:]:
        raise NoMatchError
    if graph.shape(node.output)[-1] != embed:
        raise NoMatchError
    return found_block(graph, [*nodes, node], "swin_embed", **dims)


def _is_of_patches(graph: Graph, conv: Node) -> bool:
    """Whether a convolution takes a square image of one patch after the other."""
    about, weight = conv.attributes, graph.shape(conv.inputs[1])
    if len(weight) != 4 or weight[2] != weight[3] or len(conv.inputs) not in {2, 3}:
        return False
    images, patch = graph.shape(conv.inputs[0]), weight[2]
    square = images[0] == 1 and images[2] == images[3] and images[2] % patch == 0
    padded = any(about.get("pads", ())) or about.get("auto_pad", b"NOTSET") != b"NOTSET"
    strided = list(about.get("strides", (1, 1))) == [patch, patch] and patch > 1
    spread = any(one != 1 for one in about.get("dilations", ()))
    return square and strided and not padded and not spread and about.get("group", 1) == 1


@where_matched
def token_merging(graph: Graph, linear: Node) -> FoundBlock | None:
    """Each square of four tokens side by side; layer norm; linear layer without bias."""
    if linear.op != "Linear" or linear.inputs[2]:
        raise NoMatchError
    norm = graph.maker(linear.inputs[0])
    if norm is None or norm.op != "LayerNormalization" or len(norm.inputs) != 3:
        raise NoMatchError
    if graph.only_reader(norm.output) is None or graph.shape(norm.output)[0] != 1:
        raise NoMatchError
    shape = graph.shape(norm.output)
    moves, name = nodes_before(graph, norm.inputs[0], _MOVES)
    joined = graph.maker(name)
    if joined is not None and joined.op == "Concat" and graph.only_reader(name) is not None:
        parts = _parts_of(graph, joined)
        if parts is None:
            raise NoMatchError
        more, name = parts
        moves = [*moves, joined, *more]
    embed, side = shape[-1] // 4, math.isqrt(4 * math.prod(shape[:-1]))
    if shape[-1] % 4 or not any(node.op in {"Transpose", "Concat"} for node in moves):
        raise NoMatchError
    if side**2 != 4 * math.prod(shape[:-1]) or graph.shape(name) not in (
        (1, side**2, embed),
        (1, side, side, embed),
    ):
        raise NoMatchError
    return found_block(
        graph,
        [*reversed(moves), norm, linear],
        "token_merging",
        embed=embed,
        out_channels=graph.shape(linear.output)[-1],
        resolution=side,
    )


def _parts_of(graph: Graph, joined: Node) -> tuple[list[Node], str] | None:
    """Return the slices that a Concat of four parts joins, and the one tensor that they are of."""
    found: list[Node] = []
    sources: set[str] = set()
    for one in joined.inputs:
        slices, name = nodes_before(graph, one, {"Slice"})
        found += slices
        # Two parts may share the slice of their rows.
        node = graph.maker(name)
        if node is not None and node.op == "Slice" and len(graph.readers(name)) == 2:
            found += [] if node in found else [node]
            name = node.inputs[0]
        sources.add(name)
    if len(joined.inputs) != 4 or len(sources) != 1 or len(found) > 8:
        raise NoMatchError
    source = sources.pop()
    if any(id(one) not in {id(node) for node in found} for one in graph.readers(source)):
        raise NoMatchError
    return found, source
