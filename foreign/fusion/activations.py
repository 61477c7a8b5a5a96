"""Activations that exporters write as several nodes: GELU by erf, and x · sigmoid(a x)."""

from __future__ import annotations

import math

from ..graph import Graph, Node
from .matching import (
    constant_of,
    is_near,
    made_by,
    must,
    only_reader,
    other_input,
    scalar,
    where_matched,
)


def fuse_activations(graph: Graph) -> None:
    """Fuse GELU (with a bias before it) and SiLU; write hard swish as the runtime does."""
    for node in graph.nodes:
        if node not in graph:
            continue
        if node.op == "Erf":
            _fuse_gelu(graph, node)
        elif node.op == "Sigmoid":
            _fuse_quick_gelu(graph, node)


def expand_hard_swish(graph: Graph) -> None:
    """Write a hard swish that no convolution took in as HardSigmoid and Mul: it has no kernel."""
    for node in graph.nodes:
        if node.op != "HardSwish":
            continue
        inner = f"{node.output}#sigmoid"
        graph.tensors[inner] = graph.tensors[node.output]
        graph.split(
            node,
            Node("HardSigmoid", node.inputs, (inner,)),
            Node("Mul", (node.inputs[0], inner), node.outputs),
        )


@where_matched
def _fuse_gelu(graph: Graph, erf: Node) -> None:
    """x · (1 + erf(x / √2)) · ½, in the orders in which exporters multiply."""
    scaled = must(made_by(graph, erf.inputs[0], "Div", "Mul"))
    x, root = must(constant_of(graph, scaled))
    must(is_near(scalar(graph, root), math.sqrt(2) if scaled.op == "Div" else 1 / math.sqrt(2)))
    plus = must(only_reader(graph, erf, "Add"))
    must(is_near(scalar(graph, must(other_input(plus, erf.output))), 1.0))
    times = must(only_reader(graph, plus, "Mul"))
    factor = must(other_input(times, plus.output))
    nodes = [scaled, erf, plus, times]
    if factor == x:
        last = must(only_reader(graph, times, "Mul"))
        must(is_near(scalar(graph, must(constant_of(graph, last))[1]), 0.5))
        nodes.append(last)
    elif is_near(scalar(graph, factor), 0.5):
        last = must(only_reader(graph, times, "Mul"))
        must(other_input(last, times.output) == x)
        nodes.append(last)
    else:
        halved, last = must(made_by(graph, factor, "Mul")), times
        of, half = must(constant_of(graph, halved))
        must(of == x and is_near(scalar(graph, half), 0.5))
        must(graph.only_reader(halved.output))
        nodes.append(halved)
    _take_in_bias(graph, graph.fuse(nodes, Node("Gelu", (x,), last.outputs)))


@where_matched
def _take_in_bias(graph: Graph, gelu: Node) -> None:
    """A bias of one value a column that was added just before becomes part of the GELU."""
    bias = must(made_by(graph, gelu.inputs[0], "Add"))
    must(only_reader(graph, bias, "Gelu"))
    given = must(constant_of(graph, bias))
    must(len(graph.shape(given[1])) == 1)
    product = made_by(graph, given[0], "MatMul")
    # A product with weights takes it itself.
    must(product is None or not graph.is_constant(product.inputs[1]))
    graph.fuse([bias, gelu], Node("BiasGelu", given, gelu.outputs))


@where_matched
def _fuse_quick_gelu(graph: Graph, sigmoid: Node) -> None:
    times = must(only_reader(graph, sigmoid, "Mul"))
    x = must(other_input(times, sigmoid.output))
    nodes, alpha = [sigmoid, times], 1.0
    if sigmoid.inputs[0] != x:
        scaled = must(made_by(graph, sigmoid.inputs[0], "Mul"))
        of, factor = must(constant_of(graph, scaled))
        must(of == x)
        alpha = must(scalar(graph, factor))
        must(graph.only_reader(scaled.output))
        nodes.append(scaled)
    graph.fuse(nodes, Node("QuickGelu", (x,), times.outputs, {"alpha": alpha}))
