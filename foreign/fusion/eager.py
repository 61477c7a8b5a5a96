"""What PyTorch runs of a graph op by op: nothing is fused, and what it can view is not copied."""

from __future__ import annotations

from ..graph import Graph, Node
from .matching import constant_of, only_reader
from .trivial import VIEWS

# They give a tensor of other strides, and copy nothing.
_OF_STRIDES = frozenset({"Slice", "Split", "Expand"})


def by_themselves(graph: Graph) -> list[Node]:
    """Return the nodes as PyTorch runs them: a linear layer with its bias is one, others alone."""
    for node in graph.nodes:
        if node in graph and node.op == "MatMul":
            _with_bias(graph, node)
    for node in graph.nodes:
        if node.op in _OF_STRIDES or (node.op == "Transpose" and not _is_copied(graph, node)):
            graph.change(node, op="Reshape", attributes={})
    return graph.nodes


def _with_bias(graph: Graph, product: Node) -> None:
    plus, weights = only_reader(graph, product, "Add"), product.inputs[1]
    given = constant_of(graph, plus) if plus is not None else None
    if plus is None or given is None or given[0] != product.output:
        return
    if not graph.is_constant(weights) or len(graph.shape(weights)) != 2:
        return
    if graph.shape(given[1]) == graph.shape(weights)[1:]:
        inputs = (product.inputs[0], weights, given[1])
        graph.fuse([product, plus], Node("Gemm", inputs, plus.outputs))


def _is_copied(graph: Graph, transposed: Node) -> bool:
    """Whether a transposed tensor is brought into order: where it gets another shape."""
    return any(reader.op in VIEWS for reader in graph.readers(transposed.output))
