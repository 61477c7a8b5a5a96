"""Real runs: every node of every family finds its block, and each block computes its own MACs.

About 25 seconds. The oracle is the spec: the MACs of the nodes of a block are the block's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from small_models import small_autovit, small_swin
from vitprof.backends import OnnxRuntimeBackend
from vitprof.backends.openvino.backend import OpenVinoBackend
from vitprof.backends.pytorch.backend import TorchBackend
from vitprof.foreign.open_model import open_model
from vitprof.models import (
    EfficientViTSpec,
    EfficientViTStage,
    Spec,
    create_spec,
)
from vitprof.profiler.breakdown.breakdown import Breakdown
from vitprof.profiler.breakdown.onnxruntime import profile_onnxruntime
from vitprof.profiler.breakdown.openvino import profile_openvino
from vitprof.profiler.breakdown.origins.traced import (
    trace_onnxruntime,
    trace_openvino,
    trace_torch,
)
from vitprof.profiler.breakdown.profile import Profile
from vitprof.profiler.breakdown.pytorch import profile_torch_by_node
from vitprof.profiler.target import Target
from vitprof.profiler.workshop import Workshop
from vitprof.tables import Setting

pytestmark = pytest.mark.slow

ORT = Target(OnnxRuntimeBackend(), Setting("cpu", "onnxruntime", "CPUExecutionProvider"))
OPENVINO = Target(OpenVinoBackend(), Setting("cpu", "openvino", "CPU"))
TORCH = Target(TorchBackend(), Setting("cpu", "torch", "eager"))
FAMILIES = ["vit-micro-8", "bert-tiny", "vgg11-bn-cifar"]


def small_efficientvit() -> Spec:
    """Both ends of a stage's blocks, several heads and layers, and a merging of patches."""
    stages = (EfficientViTStage(16, 1, 2), EfficientViTStage(32, 2, 2))
    return EfficientViTSpec(
        stages=stages, resolution=128, classes=10, kernels=(5, 3), qk=8, name="efficientvit-small"
    )


def models() -> list[Any]:
    small = {"swin": small_swin, "efficientvit": small_efficientvit, "autovit": small_autovit}
    return [pytest.param(create_spec(name), id=name) for name in FAMILIES] + [
        pytest.param(made(), id=name) for name, made in small.items()
    ]


def traced(spec: Spec, target: Target = ORT) -> Breakdown:
    by_torch = target.setting.backend == "torch"
    profile_session: Callable[..., Profile] = (
        profile_torch_by_node if by_torch else profile_onnxruntime
    )
    trace = trace_torch if by_torch else trace_onnxruntime
    with Workshop(target) as workshop:
        profile = profile_session(workshop.artifact(spec), target.options, 0, 1)
        origins = trace(workshop, spec, profile.nodes)
    return Breakdown(spec.name, profile.total_ms, 0.0, 0.0, profile, traced=origins)


@pytest.mark.parametrize("spec", models())
def test_each_block_computes_what_the_spec_says(spec: Spec) -> None:
    found = traced(spec)
    assert found.unattributed_share == 0
    assert [one.label.op for one in found.blocks] == [block.op for block in spec.blocks()]
    for one, block in zip(found.blocks, spec.blocks(), strict=True):
        assert one.part.macs is not None
        # A runtime that computes in blocks of channels computes some that nobody asked for.
        padded = any(node.node.op == "ReorderOutput" for node in one.nodes) or any(
            node.node.name.endswith("_nchwc") for node in one.nodes
        )
        assert one.part.macs == block.macs or (padded and one.part.macs > block.macs)


@pytest.mark.parametrize("spec", models())
@pytest.mark.few("vit-micro-8", "swin")
def test_pytorchs_operations_find_their_blocks_too(spec: Spec) -> None:
    found = traced(spec, TORCH)
    assert found.unattributed_share == 0
    assert [one.label.op for one in found.blocks] == [block.op for block in spec.blocks()]


@pytest.mark.parametrize("spec", models())
@pytest.mark.few("vit-micro-8", "swin")
def test_openvinos_nodes_find_their_blocks_and_their_macs(spec: Spec) -> None:
    pytest.importorskip("openvino")
    with Workshop(OPENVINO) as workshop:
        profile = profile_openvino(workshop.artifact(spec), OPENVINO.options, 1, 2)
        origins = trace_openvino(workshop, spec, profile.nodes)
    found = Breakdown(spec.name, profile.total_ms, 0.0, 0.0, profile, traced=origins)
    assert found.unattributed_share == 0
    assert found.other_ops == []
    assert [one.label.op for one in found.blocks] == [block.op for block in spec.blocks()]
    assert [one.part.macs for one in found.blocks] == [block.macs for block in spec.blocks()]
    assert sum(node.ms for node in found.nodes) == pytest.approx(found.latency_ms, rel=0.01)


def test_a_model_that_merges_tokens_is_traced() -> None:
    spec = replace(create_spec("vit-micro-8"), merges=(2, 2, 2, 2))  # type: ignore[call-arg]
    found = traced(spec)
    assert found.unattributed_share == 0
    assert len(found.blocks) == 10
    assert sum(one.part.macs or 0 for one in found.blocks) >= spec.macs


def test_nodes_carry_module_and_node_of_the_export() -> None:
    found = traced(create_spec("vit-micro-8"))
    gemm = next(one for one in found.nodes if one.node.op == "Gemm")
    assert gemm.origin is not None
    assert (gemm.origin.module, gemm.origin.node) == (
        "blocks.0.attn.qkv",
        "/blocks.0/attn/qkv/MatMul",
    )
    assert gemm.origin.block.name == "blocks.0.attention"


def nameless_file() -> bytes:
    """Return convolution, ReLU, matrix multiply and Gelu in parts, whose nodes have no names."""
    rng = np.random.default_rng(0)

    def constant(name: str, *shape: int) -> Any:
        return numpy_helper.from_array(rng.standard_normal(shape, dtype=np.float32), name)

    nodes = [
        helper.make_node("Conv", ["x", "w0", "b0"], ["t0"], kernel_shape=[3, 3], pads=[1] * 4),
        helper.make_node("Relu", ["t0"], ["t1"]),
        helper.make_node("Flatten", ["t1"], ["t2"]),
        helper.make_node("MatMul", ["t2", "w1"], ["t3"]),
        helper.make_node("Add", ["t3", "b1"], ["out"]),
    ]
    info = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 16, 8, 8]),
        helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 10]),
    ]
    weights = [
        constant("w0", 16, 16, 3, 3),
        constant("b0", 16),
        constant("w1", 1024, 10),
        constant("b1", 10),
    ]
    graph = helper.make_graph(nodes, "g", info[:1], info[1:], weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(made.SerializeToString())


def opened(path: Path, data: bytes, shapes: Any = None) -> Spec:
    path.write_bytes(data)
    return open_model(str(path), shapes)


def test_a_file_without_names_is_traced_to_its_nodes(tmp_path: Path) -> None:
    found = traced(opened(tmp_path / "x.onnx", nameless_file()))
    pairs = {(one.node.op, one.origin.node) for one in found.nodes if one.origin}
    assert ("Conv", "Conv (node 0)") in pairs
    assert ("Gemm", "MatMul (node 3)") in pairs
    assert [block.label.name for block in found.blocks] == ["model"]
    assert found.unattributed_share == 0


@pytest.mark.parametrize("spec", models())
@pytest.mark.few("vit-micro-8", "swin")
def test_a_foreign_file_is_divided_by_the_lists_of_its_modules(spec: Spec, tmp_path: Path) -> None:
    with Workshop(ORT) as workshop:
        file = workshop.build(spec)
    found = traced(opened(tmp_path / "x.onnx", file))
    assert found.unattributed_share == 0
    ours = {block.label.name for block in traced(spec).blocks}
    if spec.family == "vit":
        assert [block.label.name for block in found.blocks] == [
            "patch_embed",
            *(f"blocks.{layer}" for layer in range(4)),
            "norm",
            "head",
        ]
    elif spec.family != "bert":  # whose modules lose their path in the names of nodes
        for block in found.blocks:
            name = block.label.name  # a spec's block may be several modules, or part of one
            assert any(
                one.startswith(name) or name.startswith(one) for one in (*ours, "norm", "head")
            )
    assert sum(block.part.ms for block in found.blocks) == pytest.approx(found.latency_ms)
