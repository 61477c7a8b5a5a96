"""One way of writing for what exporters write in several, so that a matcher knows it by one."""

from __future__ import annotations

from ..fusion.activations import fuse_activations
from ..fusion.matching import constant_of
from ..fusion.normalizations import fuse_layer_norms
from ..fusion.trivial import VIEWS, without_trivial
from ..graph import Graph, Node
from .elementwise import fuse_tanh_gelu

# They move values and compute nothing.
LAYOUT = VIEWS | {"Transpose", "Split", "Slice", "Concat", "Gather"}


def simplified(graph: Graph) -> Graph:
    """Return a copy whose layers are one node each.

    `Linear` (x, weight, bias or "") stands for Gemm, and MatMul with an addition; `Conv` for one
    with its batch norm; `Scale` for a product with one constant number (`factor`); layer norms
    and GELU for what they are written as.
    """
    copy = Graph(graph.nodes, graph.tensors, graph.inputs, graph.outputs)
    without_trivial(copy)
    fuse_layer_norms(copy)
    fuse_activations(copy)
    fuse_tanh_gelu(copy)
    # From the end on: what reads a dropped node is replaced, and would be missed if it came later.
    for node in reversed(copy.nodes):
        if node not in copy:
            continue
        if node.op == "MatMul":
            _product(copy, node)
        elif node.op == "Gemm":
            _gemm(copy, node)
        elif node.op == "Conv":
            _conv(copy, node)
        elif node.op in {"Mul", "Div"}:
            _scale(copy, node)
        elif node.op == "Cast" and _keeps_type(copy, node):
            if node.output not in copy.outputs:
                copy.drop(node, node.inputs[0])
        elif node.op in {"Pad", "Slice"} and copy.shape(node.inputs[0]) == copy.shape(node.output):
            # Nothing is cut off and nothing is added: libraries do so where windows fit.
            if node.op == "Slice" and not _steps_forward(copy, node):
                continue
            if node.output not in copy.outputs:
                copy.drop(node, node.inputs[0])
    return copy


def _keeps_type(graph: Graph, node: Node) -> bool:
    return graph.tensors[node.inputs[0]].dtype == graph.tensors[node.output].dtype


def _steps_forward(graph: Graph, node: Node) -> bool:
    if len(node.inputs) < 5 or not node.inputs[4]:
        return True
    steps = graph.tensors[node.inputs[4]].value
    return steps is not None and bool((steps > 0).all())


def _product(graph: Graph, node: Node) -> None:
    x, weight = node.inputs
    if graph.is_constant(x) or not graph.is_constant(weight) or len(graph.shape(weight)) != 2:
        return
    plus = graph.only_reader(node.output)
    given = constant_of(graph, plus) if plus is not None and plus.op == "Add" else None
    if plus is not None and given is not None:
        bias = given[1]
        if graph.shape(bias) == graph.shape(weight)[1:]:
            graph.fuse([node, plus], Node("Linear", (x, weight, bias), plus.outputs))
            return
    graph.change(node, op="Linear", inputs=(x, weight, ""), attributes={})


def _gemm(graph: Graph, node: Node) -> None:
    about = node.attributes
    plain = about.get("alpha", 1.0) == 1.0 and about.get("beta", 1.0) == 1.0
    if about.get("transA", 0) or not plain or not graph.is_constant(node.inputs[1]):
        return
    bias = node.inputs[2] if len(node.inputs) > 2 else ""
    if bias and (not graph.is_constant(bias) or graph.tensors[bias].size == 1):
        return
    graph.change(node, op="Linear", inputs=(node.inputs[0], node.inputs[1], bias), attributes={})


def _conv(graph: Graph, node: Node) -> None:
    norm = graph.only_reader(node.output)
    if norm is None or norm.op != "BatchNormalization" or norm.inputs[0] != node.output:
        return
    bias = norm.inputs[2]
    fused = Node("Conv", (*node.inputs[:2], bias), norm.outputs[:1], node.attributes)
    graph.fuse([node, norm], fused)


def _scale(graph: Graph, node: Node) -> None:
    given = constant_of(graph, node)
    if given is None or (node.op == "Div" and given[0] != node.inputs[0]):
        return
    size = graph.tensors[given[1]].size
    if size == 1 and graph.shape(given[0]) == graph.shape(node.output):
        factor = graph.tensors[given[1]].scalar()
        if factor and node.op == "Div":
            factor = 1 / factor
        graph.change(node, op="Scale", inputs=given, attributes={"factor": factor})
    elif graph.shape(given[1])[-1:] == (size,) == graph.shape(node.output)[-1:]:
        graph.change(node, op="LayerScale", inputs=given)
