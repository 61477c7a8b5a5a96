"""Layer norms that exporters write as nine nodes, and additions that a layer norm takes in."""

from __future__ import annotations

from ..graph import Graph, Node
from .matching import (
    constant_of,
    made_by,
    must,
    only_reader,
    other_input,
    scalar,
    where_matched,
)


def fuse_layer_norms(graph: Graph) -> None:
    """(x - mean) / √(variance + eps) · gamma + beta over the last axis becomes one node."""
    for node in graph.nodes:
        if node in graph and node.op == "Div":
            _fuse_layer_norm(graph, node)


@where_matched
def _fuse_layer_norm(graph: Graph, divided: Node) -> None:
    centred = must(made_by(graph, divided.inputs[0], "Sub"))
    root = must(made_by(graph, divided.inputs[1], "Sqrt"))
    plus = must(made_by(graph, root.inputs[0], "Add"))
    spread = must(constant_of(graph, plus))[0]
    mean = must(made_by(graph, centred.inputs[1], "ReduceMean"))
    must(mean.inputs[0] == centred.inputs[0])
    variance = must(made_by(graph, spread, "ReduceMean"))
    squared = must(made_by(graph, variance.inputs[0], "Pow", "Mul"))
    must(squared.inputs[0] == centred.output)
    must(squared.op == "Mul" or scalar(graph, squared.inputs[1]) == 2.0)
    shape = graph.shape(centred.output)
    must(all(_over_last(graph, one, len(shape)) for one in (mean, variance)))
    scaled = must(only_reader(graph, divided, "Mul"))
    gamma = must(other_input(scaled, divided.output))
    shifted = must(only_reader(graph, scaled, "Add"))
    beta = must(other_input(shifted, scaled.output))
    must(all(graph.shape(one) == shape[-1:] for one in (gamma, beta)))
    graph.fuse(
        [mean, centred, squared, variance, plus, root, divided, scaled, shifted],
        Node("LayerNormalization", (centred.inputs[0], gamma, beta), shifted.outputs),
    )


def _over_last(graph: Graph, node: Node, rank: int) -> bool:
    axes = node.attributes.get("axes")
    if axes is None and len(node.inputs) > 1 and node.inputs[1]:
        value = graph.tensors[node.inputs[1]].value
        axes = None if value is None else value.reshape(-1).tolist()
    return axes is not None and [axis % rank for axis in axes] == [rank - 1]


def fuse_skips(graph: Graph) -> None:
    """An addition that only a layer norm reads becomes part of it."""
    for norm in graph.nodes:
        if norm.op != "LayerNormalization":
            continue
        plus = made_by(graph, norm.inputs[0], "Add")
        if plus is None or only_reader(graph, plus, "LayerNormalization") is None:
            continue
        shape = graph.shape(plus.output)
        same = all(_fits(graph.shape(one), shape) for one in plus.inputs)
        if same and len(shape) in {2, 3} and len(norm.inputs) == 3:
            graph.fuse(
                [plus, norm],
                Node("SkipLayerNormalization", (*plus.inputs, *norm.inputs[1:]), norm.outputs),
            )


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether a skip may have this shape: that of the sum, but for a leading 1."""
    return shape == wanted or (len(shape) == 3 and shape[1:] == wanted[1:])
