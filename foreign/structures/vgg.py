"""A whole VGG: its blocks are so small that other networks have them too, in other company.

A convolution with its ReLU costs less between others, whose layout it shares, than it does alone.
Therefore all of the model is blocks of VGG, or nothing is.
"""

from __future__ import annotations

from ..fusion.matching import NoMatchError, must, where_matched
from ..fusion.trivial import VIEWS
from ..graph import Graph, Node
from .found import FoundBlock, found_block


@where_matched
def vgg(graph: Graph) -> list[FoundBlock] | None:
    """Convolutions of 3 x 3 with ReLU, some with max pooling; average pooling; dense layers."""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise NoMatchError
    found: list[FoundBlock] = []
    name = graph.inputs[0]
    node = must(graph.only_reader(name))
    must(node.op == "Conv")
    while node.op == "Conv":
        nodes = _convolution(graph, node)
        found.append(must(_conv_block(graph, nodes)))
        name = nodes[-1].output
        node = must(graph.only_reader(name))
    block, node = _flattened(graph, name, node)
    found.append(must(block))
    while node.output not in graph.outputs:
        relu = must(graph.only_reader(node.output))
        _check_dense(graph, node)
        if relu.op != "Relu":
            raise NoMatchError
        widths = _widths(graph, node)
        dims = {"in_channels": widths[0], "out_channels": widths[1]}
        found.append(must(found_block(graph, [node, relu], "dense_relu", **dims)))
        node = must(graph.only_reader(relu.output))
    _check_dense(graph, node)
    widths = _widths(graph, node)
    dims = {"in_channels": widths[0], "classes": widths[1]}
    found.append(must(found_block(graph, [node], "dense_classifier", **dims)))
    return found if len(found) > 2 else None


def _convolution(graph: Graph, conv: Node) -> list[Node]:
    about, weight = conv.attributes, graph.shape(conv.inputs[1])
    square = len(weight) == 4 and weight[2:] == (3, 3)
    plain = list(about.get("strides", (1, 1))) == [1, 1] and about.get("group", 1) == 1
    padded = list(about.get("pads", ())) == [1] * 4
    spread = any(one != 1 for one in about.get("dilations", ()))
    if not (square and plain and padded) or spread or not (conv.inputs[2:] and conv.inputs[2]):
        raise NoMatchError
    relu = must(graph.only_reader(conv.output))
    if relu.op != "Relu":
        raise NoMatchError
    pool = must(graph.only_reader(relu.output))
    return [conv, relu, pool] if pool.op == "MaxPool" else [conv, relu]


def _conv_block(graph: Graph, nodes: list[Node]) -> FoundBlock | None:
    images = graph.shape(nodes[0].inputs[0])
    if images[0] != 1 or images[2] != images[3]:
        raise NoMatchError
    for pool in nodes[2:]:
        about = pool.attributes
        halves = list(about.get("kernel_shape", ())) == list(about.get("strides", ())) == [2, 2]
        spread = any(one != 1 for one in about.get("dilations", ()))
        if not halves or spread or any(about.get("pads", ())) or about.get("ceil_mode", 0):
            raise NoMatchError
    dims = {"in_channels": images[1], "resolution": images[2], "pool": len(nodes) - 1}
    channels = graph.shape(nodes[0].output)[1]
    return found_block(graph, nodes, "conv_norm_relu", **dims, out_channels=channels)


def _flattened(graph: Graph, name: str, node: Node) -> tuple[FoundBlock | None, Node]:
    """Return the block of average pooling and flattening, and the layer behind it."""
    before, nodes = graph.shape(name), list[Node]()
    pooled = before[2]
    if node.op in {"AveragePool", "GlobalAveragePool"}:
        pooled = graph.shape(node.output)[2]
        window, about = before[2] // pooled, node.attributes
        kernel = list(about.get("kernel_shape", (window,) * 2))
        if kernel != [window] * 2 or any(about.get("pads", ())):
            raise NoMatchError
        nodes.append(node)
        node = must(graph.only_reader(node.output))
    while node.op in VIEWS:
        nodes.append(node)
        node = must(graph.only_reader(node.output))
    if (
        not nodes
        or before[2] % pooled
        or graph.shape(nodes[-1].output)
        != (
            1,
            before[1] * pooled**2,
        )
    ):
        raise NoMatchError
    dims = {"in_channels": before[1], "resolution": before[2], "pooled": pooled}
    return found_block(graph, nodes, "average_pool", **dims), node


def _check_dense(graph: Graph, node: Node) -> None:
    if node.op != "Linear" or not node.inputs[2] or len(graph.shape(node.output)) != 2:
        raise NoMatchError


def _widths(graph: Graph, node: Node) -> tuple[int, int]:
    return graph.shape(node.inputs[0])[-1], graph.shape(node.output)[-1]
