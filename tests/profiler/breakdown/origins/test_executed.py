"""Fused, renamed and inserted nodes, back to the nodes they came from."""

from __future__ import annotations

from vitprof.profiler.breakdown.classes import (
    CONVOLUTION,
    COPY,
    ELEMENTWISE,
    MATMUL,
    NORMALISATION,
)
from vitprof.profiler.breakdown.origins.executed import origins_of_executed
from vitprof.profiler.breakdown.origins.model_graph import GraphNode, ModelGraph
from vitprof.profiler.breakdown.profile import Node

MODEL = ModelGraph(
    [
        GraphNode("/c/Conv", "Conv", ("x", "c.weight", "c.bias"), ("/c/Conv_output_0",)),
        GraphNode("/a/Relu", "Relu", ("/c/Conv_output_0",), ("/a/Relu_output_0",)),
        GraphNode("/n/Norm", "LayerNormalization", ("/a/Relu_output_0",), ("/n/out",)),
        GraphNode("/f/T", "Transpose", ("f.weight",), ("/f/T_output_0",)),
        GraphNode("/f/MatMul", "MatMul", ("/n/out", "/f/T_output_0"), ("/f/MatMul_output_0",)),
        GraphNode("/f/Add", "Add", ("f.bias", "/f/MatMul_output_0"), ("/f/Add_output_0",)),
        GraphNode("Gelu", "Erf", ("/f/Add_output_0",), ("gelu_out",)),
        GraphNode("/g/Mul", "Mul", ("gelu_out", "gelu_out"), ("out",)),
    ]
)
# As ONNX Runtime writes it: the convolution in blocks of channels, a Gemm between reshapes.
EXECUTED = ModelGraph(
    [
        GraphNode("ReorderInput", "ReorderInput", ("x",), ("reorder",)),
        GraphNode("/a/Relu_output_0_nchwc", "Conv", ("reorder", "r1", "c.bias"), ("r2",)),
        GraphNode("ReorderOutput", "ReorderOutput", ("r2",), ("/a/Relu_output_0",)),
        GraphNode("/n/Norm", "LayerNormalization", ("/a/Relu_output_0",), ("/n/out",)),
        GraphNode("gemm_input_reshape", "Reshape", ("/n/out", "shape"), ("arg",)),
        GraphNode("/f/MatMul/MatMulAddFusion", "Gemm", ("arg", "w", "f.bias"), ("arg2",)),
        GraphNode("gemm_output_reshape", "Reshape", ("arg2", "shape2"), ("/f/Add_output_0",)),
        GraphNode("Gelu_token_7", "Gelu", ("/f/Add_output_0",), ("out",)),
        GraphNode("lonely_token_9", "Cast", ("nothing",), ("nowhere",)),
    ]
)
KINDS = (COPY, CONVOLUTION, COPY, NORMALISATION, COPY, MATMUL, COPY, ELEMENTWISE, COPY)


def profiled(with_places: bool = True) -> list[Node]:
    return [
        Node(node.name, node.op, kind, 1.0, source=str(place) if with_places else "")
        for place, (node, kind) in enumerate(zip(EXECUTED.nodes, KINDS, strict=True))
    ]


def names(places: list[int | None]) -> list[str]:
    return ["" if place is None else MODEL.nodes[place].name for place in places]


ORIGINS = [
    "/c/Conv",  # what reads it
    "/c/Conv",  # not its activation
    "/a/Relu",
    "/n/Norm",
    "/f/MatMul",
    "/f/MatMul",
    "/f/Add",
    "/g/Mul",  # the Gelu of the file is another node
    "",
]


def test_every_kind_of_made_up_node_finds_its_origin() -> None:
    assert names(origins_of_executed(profiled(), EXECUTED, MODEL)) == ORIGINS


def test_nodes_are_found_by_name_where_their_place_is_not_told_or_wrong() -> None:
    assert names(origins_of_executed(profiled(with_places=False), EXECUTED, MODEL)) == ORIGINS
    wrong = [Node(one.name, one.op, one.kind, 1.0, source="99") for one in profiled()]
    assert names(origins_of_executed(wrong, EXECUTED, MODEL)) == ORIGINS


def test_without_the_executed_graph_names_alone_are_compared() -> None:
    found = names(origins_of_executed(profiled(), None, MODEL))
    assert found == ["", "/a/Relu", "", "/n/Norm", "", "/f/MatMul", "", "", ""]


def test_a_weight_that_one_node_reads_tells_where_a_node_came_from() -> None:
    executed = ModelGraph([GraphNode("fused", "Gemm", ("q", "p", "f.bias"), ("r",))])
    node = [Node("fused", "Gemm", MATMUL, 1.0, source="0")]
    assert names(origins_of_executed(node, executed, MODEL)) == ["/f/Add"]
