"""Matrix products: with their bias, an activation, a transposed side, a factor."""

from __future__ import annotations

import numpy as np

from ..graph import Graph, Node, Tensor
from .matching import constant_of, made_by, only_reader, scalar

# What a product of the runtime computes in the same pass.
GEMM_ACTIVATIONS = frozenset(
    {"Relu", "Sigmoid", "Tanh", "LeakyRelu", "HardSigmoid", "Elu", "Softplus"}
)


def fuse_products(graph: Graph) -> None:
    """Bias, batch norm and activation go into products with weights; scales and swaps into others.

    A product of more than two axes is one of two between two views.
    """
    for node in graph.nodes:
        if node in graph and node.op == "MatMul":
            _with_bias(graph, node)
    for node in graph.nodes:
        if node in graph and node.op == "Reshape":
            _with_reshape_before(graph, node)
    for node in graph.nodes:
        if node in graph and node.op in {"MatMul", "FusedMatMul"}:
            _with_swapped_sides(graph, node)
    for node in graph.nodes:
        if node in graph and node.op in {"Gemm", "MatMul"}:
            _with_batch_norm(graph, node)
    for node in graph.nodes:
        if node in graph and node.op == "Gemm":
            _with_activation(graph, node)


def _with_bias(graph: Graph, product: Node) -> None:
    plus = only_reader(graph, product, "Add")
    weights = product.inputs[1]
    if plus is None or not graph.is_constant(weights) or len(graph.shape(weights)) != 2:
        return
    given = constant_of(graph, plus)
    if given is None or given[0] != product.output:
        return
    columns = graph.shape(weights)[1]
    if graph.shape(given[1]) not in {(columns,), (1, columns)}:
        return
    inputs = (product.inputs[0], weights, given[1])
    shape = graph.shape(plus.output)
    if len(shape) == 2:
        graph.fuse([product, plus], Node("Gemm", inputs, plus.outputs))
        return
    rows = int(np.prod(shape[:-1]))
    inner = graph.shape(product.inputs[0])[-1]
    flat, made = f"{product.output}#rows", f"{product.output}#product"
    graph.tensors[flat] = Tensor(flat, (rows, inner))
    graph.tensors[made] = Tensor(made, (rows, columns))
    graph.split_many(
        [product, plus],
        [
            Node("Reshape", (product.inputs[0],), (flat,)),
            Node("Gemm", (flat, *inputs[1:]), (made,)),
            Node("Reshape", (made,), plus.outputs),
        ],
        covering=1,
    )


def _with_reshape_before(graph: Graph, view: Node) -> None:
    before = made_by(graph, view.inputs[0], "Reshape")
    if before is not None and only_reader(graph, before, "Reshape") is view:
        graph.fuse([before, view], Node("Reshape", before.inputs[:1], view.outputs))


def _with_swapped_sides(graph: Graph, product: Node) -> None:
    """Take in a swap of the last two axes of either side, and a factor after or before."""
    attributes = dict(product.attributes)
    for side, name in ((0, "transA"), (1, "transB")):
        node = graph.maker(product.inputs[side])
        changed = False
        while node is not None and node in graph:
            source = _scaled(graph, node)
            if node.op == "Transpose" and _swaps_last(node, graph) and not attributes.get(name):
                attributes[name] = 1
                source = node.inputs[0]
            elif source is None:
                break
            readers = graph.readers(node.output)
            if len(readers) != 1 or node.output in graph.outputs:
                if node.op != "Transpose":
                    break
                # The swap stays for its other readers.
                inputs = tuple(source if i == side else x for i, x in enumerate(product.inputs))
                product = graph.change(product, inputs=inputs)
            else:
                inputs = tuple(source if i == side else x for i, x in enumerate(product.inputs))
                product = graph.fuse(
                    [node, product], Node(product.op, inputs, product.outputs, attributes)
                )
            changed = True
            node = graph.maker(product.inputs[side])
        if changed:
            product = graph.change(product, op="FusedMatMul", attributes=dict(attributes))
    after = only_reader(graph, product, "Mul", "Div")
    if after is not None and _scaled(graph, after) is not None:
        graph.fuse([product, after], Node("FusedMatMul", product.inputs, after.outputs, attributes))


def _scaled(graph: Graph, node: Node) -> str | None:
    """Return what a node multiplies with one constant, or divides by one."""
    if node.op not in {"Mul", "Div"}:
        return None
    given = constant_of(graph, node)
    if given is None or scalar(graph, given[1]) is None:
        return None
    if node.op == "Div" and given[1] != node.inputs[1]:
        return None
    return given[0]


def _swaps_last(node: Node, graph: Graph) -> bool:
    rank = len(graph.shape(node.output))
    order = list(node.attributes.get("perm", reversed(range(rank))))
    return rank >= 2 and order == [*range(rank - 2), rank - 1, rank - 2]


def _with_batch_norm(graph: Graph, product: Node) -> None:
    """A batch norm of the columns of a two-axes product is folded into its weights."""
    norm = only_reader(graph, product, "BatchNormalization")
    if norm is None or len(graph.shape(product.output)) != 2:
        return
    if not graph.is_constant(product.inputs[1]):
        return
    inputs = (*product.inputs[:2], norm.inputs[2])
    graph.fuse([product, norm], Node("Gemm", inputs, norm.outputs, product.attributes))


def _with_activation(graph: Graph, product: Node) -> None:
    activation = only_reader(graph, product, *GEMM_ACTIVATIONS)
    if activation is not None:
        attributes = {**product.attributes, "activation": activation.op}
        graph.fuse(
            [product, activation],
            Node("FusedGemm", product.inputs, activation.outputs, attributes),
        )
