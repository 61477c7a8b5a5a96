"""torchvision's VGGs are their specs' blocks as a whole; parts of them are not.

data/graphs/tv_vgg11*.json.gz are torchvision 0.29's vgg11 and vgg11_bn, timm_vgg11 is timm's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from small_onnx.recorded import recorded
from vitprof.backends import onnx_from_module
from vitprof.foreign.graph import Graph, Node
from vitprof.foreign.onnx_file import onnx_from_bytes
from vitprof.foreign.shapes import graph_of
from vitprof.foreign.structures import find_blocks
from vitprof.models import Block, create_model, create_spec


def blocks_of(graph: Graph) -> list[Block]:
    return [found.block for found in find_blocks(graph)]


@pytest.mark.parametrize("name", ["tv_vgg11_bn", "tv_vgg11"])
def test_of_torchvision(name: str) -> None:
    """Without batch norms it is the same: they are folded where models run."""
    graph = recorded(name)
    assert blocks_of(graph) == create_spec("vgg11-bn").blocks()
    covered = {one for block in find_blocks(graph) for one in block.nodes}
    assert all(set(node.covers) <= covered for node in graph.nodes)


def test_own_export() -> None:
    spec = create_spec("vgg11-bn-cifar")
    data = onnx_from_module(create_model(spec), (1, 3, 32, 32))
    assert blocks_of(graph_of(onnx_from_bytes(data, "vgg"))) == spec.blocks()


def test_dense_layers_that_are_convolutions_are_something_else() -> None:
    ops = {block.op for block in blocks_of(recorded("timm_vgg11"))}
    assert not ops & {block.op for block in create_spec("vgg11-bn").blocks()}


CHANGES: dict[str, Callable[[Node], Node]] = {
    "activation": lambda node: replace(node, op="Sigmoid") if node.op == "Relu" else node,
    "pooling": lambda node: replace(node, op="AveragePool") if node.op == "MaxPool" else node,
    "bias": lambda node: replace(node, inputs=node.inputs[:2]) if node.op == "Conv" else node,
    "dense bias": lambda node: replace(node, inputs=node.inputs[:2]) if node.op == "Gemm" else node,
    "groups": lambda node: (
        replace(node, attributes={**node.attributes, "group": 2}) if node.op == "Conv" else node
    ),
    "stride": lambda node: (
        replace(node, attributes={**node.attributes, "strides": [2, 2]})
        if node.op == "Conv"
        else node
    ),
    "scaling": lambda node: (
        replace(node, attributes={**node.attributes, "alpha": 2.0}) if node.op == "Gemm" else node
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_one_other_node_and_nothing_is_a_vgg(change: str) -> None:
    graph = recorded("tv_vgg11")
    changed = [(node, CHANGES[change](node)) for node in graph.nodes]
    last = max(number for number, (old, new) in enumerate(changed) if old is not new)
    nodes = [new if number == last else old for number, (old, new) in enumerate(changed)]
    assert blocks_of(Graph(nodes, graph.tensors, graph.inputs, graph.outputs)) == []


def test_a_tensor_that_is_read_twice_is_in_no_vgg() -> None:
    graph = recorded("tv_vgg11")
    conv = next(node for node in graph.nodes if node.op == "Conv")
    graph.tensors["more"] = graph.tensors[conv.output]
    more = Node("Tanh", conv.outputs, ("more",), {}, ("more",))
    other = Graph([*graph.nodes, more], graph.tensors, graph.inputs, graph.outputs)
    assert blocks_of(other) == []
