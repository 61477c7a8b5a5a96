"""Modules out of the names that exporters write."""

from __future__ import annotations

import pytest
from onnx import TensorProto, helper
from vitprof.profiler.breakdown.origins.onnx_graph import graph_of_onnx, module_of_name


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("/blocks.0/attn/MatMul", "blocks.0.attn"),
        (
            "/stages/stages.0/blocks/blocks.1/mixer/m/attn/qkvs.0/Conv",
            "stages.0.blocks.1.mixer.m.attn.qkvs.0",
        ),
        ("/convs.10/convs.10.1/Relu", "convs.10.1"),
        ("/layer1/layer1.0/conv1/Conv", "layer1.0.conv1"),
        ("/layer/layer10.0/Conv", "layer.layer10.0"),
        ("/Add", ""),
        ("Conv_12", ""),
        ("model/conv1/Conv2D", "model.conv1"),
        ("", ""),
    ],
)
def test_scopes_of_torchs_exporter_are_paths(name: str, module: str) -> None:
    assert module_of_name(name) == module


def test_a_node_without_a_name_has_one_and_scopes_in_metadata_go_first() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["y"]),
        helper.make_node("Relu", ["y"], ["z"], name="node_relu_1"),
        helper.make_node("Relu", ["z"], ["out"], name="node_relu_2"),
    ]
    scopes = nodes[1].metadata_props.add()
    scopes.key = "pkg.torch.onnx.name_scopes"
    scopes.value = "['', 'layers.0', 'layers.0.act', 'relu_1']"
    hostile = nodes[2].metadata_props.add()
    hostile.key = "pkg.torch.onnx.name_scopes"
    hostile.value = "__import__('os').getcwd()"
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "out")]
    model = helper.make_model(helper.make_graph(nodes, "g", info[:1], info[1:]))
    graph = graph_of_onnx(model.SerializeToString())
    assert [node.name for node in graph.nodes] == ["Relu (node 0)", "node_relu_1", "node_relu_2"]
    assert [node.module for node in graph.nodes] == ["", "layers.0.act", ""]
