"""OpenVINO's counters: means since loading are divided, and nodes find what they were made of."""

from __future__ import annotations

import pytest
from vitprof.profiler.breakdown.classes import (
    COPY,
    ELEMENTWISE,
    MATMUL,
    NORMALISATION,
    OTHER,
    class_of_openvino,
    heaviest_class,
)
from vitprof.profiler.breakdown.openvino import ExecutedGraph, ExecutedNode, means_between
from vitprof.profiler.breakdown.origins.model_graph import GraphNode, ModelGraph
from vitprof.profiler.breakdown.origins.openvino_graph import origins_of_openvino
from vitprof.profiler.breakdown.profile import Node


def executed(name: str, *before: str, origins: tuple[str, ...] = ()) -> ExecutedNode:
    return ExecutedNode(name, "Reorder", origins, (), (), before)


def test_the_warm_up_is_taken_out_of_the_mean() -> None:
    # 1000 and 10 us, then 4 runs of 20
    assert means_between(505, 2, (1010 + 80) / 6, 4) == pytest.approx(20)
    assert means_between(0, 0, 7, 3) == 7


def test_what_was_rounded_down_does_not_become_less_than_nothing() -> None:
    assert means_between(100, 3, 40, 4) == 0


def test_what_is_put_in_between_is_of_its_reader_or_else_of_its_maker() -> None:
    first, last = executed("before", "x"), executed("after", "conv")
    graph = ExecutedGraph([first, executed("conv", "before", origins=("Conv",)), last])
    assert graph.origins(first, frozenset({"Conv"})) == ("Conv",)
    assert graph.origins(last, frozenset({"Conv"})) == ("Conv",)
    assert graph.origins(last, frozenset()) == ()


def test_a_part_of_a_decomposed_node_is_of_the_node_whose_tensor_comes_of_it() -> None:
    ir = ModelGraph(
        [
            GraphNode("MVN_7", "MVN", ("ir:0:0",), ("ir:1:1",)),
            GraphNode("norm", "Add", ("ir:1:1",), ("ir:2:1", "normed")),
        ]
    )
    model = ModelGraph([GraphNode("LayerNorm", "LayerNormalization", ("x",), ("normed",))])
    nodes = [
        Node("MVN_7", "MVN", NORMALISATION, 1.0, source="MVN_7"),
        Node("made up", "Reorder", COPY, 1.0, source=""),
    ]
    assert origins_of_openvino(nodes, ir, model) == [0, None]


def test_a_fused_node_counts_for_its_heaviest_part() -> None:
    assert class_of_openvino("FullyConnected") == MATMUL
    assert class_of_openvino("Softmax") == "softmax"
    assert class_of_openvino("Unheard") == OTHER
    assert heaviest_class([COPY, ELEMENTWISE, MATMUL]) == MATMUL
    assert heaviest_class([]) is None
