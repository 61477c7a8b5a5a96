"""Vision Transformers with each detail that a spec can have, as timm and transformers have them.

data/graphs/vit_*.json.gz are timm's models of data/timm/outputs.json with width 48, 3 heads and
images of twice the side.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_onnx.of_transformers import exported
from small_onnx.recorded import recorded
from vitprof.foreign.graph import Graph, Node, Tensor
from vitprof.foreign.structures import find_blocks
from vitprof.models import Block
from vitprof.models.spec import Spec
from vitprof.models.timm_names import timm_spec

KINDS = json.loads(
    (Path(__file__).parents[2] / "data" / "timm" / "outputs.json").read_text(encoding="utf-8")
)


def spec_of(kind: str) -> Spec:
    arguments = {**KINDS[kind]["arguments"], "embed_dim": 48, "num_heads": 3}
    arguments["img_size"] *= 2
    return timm_spec(KINDS[kind]["name"], **arguments)


def blocks_of(graph: Graph) -> list[Block]:
    return [found.block for found in find_blocks(graph)]


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_of_timm_are_the_specs(kind: str) -> None:
    assert blocks_of(recorded(f"vit_{kind}")) == spec_of(kind).blocks()


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_cover_each_node_once_and_leave_nothing_that_computes(kind: str) -> None:
    graph = recorded(f"vit_{kind}")
    covered = [name for block in find_blocks(graph) for name in block.nodes]
    assert len(covered) == len(set(covered))
    left = {node.op for node in graph.nodes if not set(node.covers) & set(covered)}
    assert left <= {"Reshape", "Identity", "Slice", "Unsqueeze", "Expand"}


def changed(graph: Graph, change: Callable[[Node], Node]) -> Graph:
    return Graph(map(change, graph.nodes), graph.tensors, graph.inputs, graph.outputs)


def lost(graph: Graph, other: Graph) -> set[str]:
    """Ops of which `other` has fewer blocks."""
    ops = [block.op for block in blocks_of(graph)]
    left = [block.op for block in blocks_of(other)]
    return {op for op in ops if left.count(op) < ops.count(op)}


def with_number(graph: Graph, old: float, new: float) -> Graph:
    """The graph with another number in the place of a constant one."""
    found = 0
    tensors = dict(graph.tensors)
    for name, tensor in graph.tensors.items():
        number = tensor.scalar() if tensor.dtype == "float32" else None
        if number is not None and abs(number - old) < 1e-4:
            tensors[name] = replace(tensor, value=np.full(tensor.shape, new, "float32"))
            found += 1
    assert found
    return Graph(graph.nodes, tensors, graph.inputs, graph.outputs)


@pytest.mark.parametrize(
    ("kind", "old", "new", "op"),
    [
        ("quick_gelu", 1.702, 1.0, "mlp_quick_gelu"),
        ("quick_gelu", 1.702, 1.8, "mlp_quick_gelu"),
        ("gelu_tanh", 0.044715, 0.05, "mlp_gelu_tanh"),
        ("gelu_tanh", 0.797885, 0.8, "mlp_gelu_tanh"),
        ("gelu_tanh", 1.0, 2.0, "mlp_gelu_tanh"),
        ("distilled", 2.0, 3.0, "classifier"),
    ],
)
def test_another_number_is_another_function(kind: str, old: float, new: float, op: str) -> None:
    graph = recorded(f"vit_{kind}")
    assert op in lost(graph, with_number(graph, old, new))


@pytest.mark.parametrize(
    ("kind", "op", "other", "block"),
    [
        ("quick_gelu", "Sigmoid", "Tanh", "mlp_quick_gelu"),
        ("swiglu", "Sigmoid", "Tanh", "swiglu_mlp"),
        ("swiglu", "Sigmoid", "HardSigmoid", "swiglu_mlp"),
        ("gelu_tanh", "Tanh", "Erf", "mlp_gelu_tanh"),
        ("qk_norm", "LayerNormalization", "RMSNormalization", "normed_attention"),
        ("pooled_norm", "LayerNormalization", "RMSNormalization", "pooled_tokens_classifier"),
        ("pre_norm", "LayerNormalization", "RMSNormalization", "patch_embed"),
        ("features", "LayerNormalization", "RMSNormalization", "features"),
        ("distilled", "LayerNormalization", "RMSNormalization", "classifier"),
        ("mean", "ReduceMean", "ReduceMax", "pooled_tokens_classifier"),
    ],
)
def test_another_operation_is_no_block(kind: str, op: str, other: str, block: str) -> None:
    graph = recorded(f"vit_{kind}")
    assert lost(
        graph,
        changed(graph, lambda node: replace(node, op=other) if node.op == op else node),
    ) >= {block}


def test_a_norm_of_one_head_alone_is_no_normed_attention() -> None:
    graph = recorded("vit_qk_norm")
    norm = next(
        node
        for node in graph.nodes
        if node.op == "LayerNormalization" and graph.shape(node.output)[-1] == 16
    )
    other = changed(
        graph,
        lambda node: (
            Node("Identity", node.inputs[:1], node.outputs, {}, node.covers)
            if node is norm
            else node
        ),
    )
    assert lost(graph, other) == {"normed_attention"}
    assert blocks_of(other).count(spec_of("qk_norm").blocks()[1]) == 1


@pytest.mark.parametrize("kind", ["pre_norm", "plain"])
def test_a_bias_is_added_or_the_sequence_is_normed(kind: str) -> None:
    graph = recorded(f"vit_{kind}")
    tensor = Tensor("some bias", (48,), constant=True)
    graph.tensors[tensor.name] = tensor
    other = changed(
        graph,
        lambda node: (
            replace(node, inputs=(*node.inputs[:2], *([tensor.name] * (kind == "pre_norm"))))
            if node.op == "Conv"
            else node
        ),
    )
    assert lost(graph, other) == {"patch_embed"}


@pytest.mark.parametrize("kind", ["quick_gelu", "swiglu", "gelu_tanh", "distilled", "pooled_norm"])
def test_a_layer_without_its_bias_is_no_block(kind: str) -> None:
    graph = recorded(f"vit_{kind}")
    name = "head_dist.bias" if kind == "distilled" else None
    for node in graph.nodes:
        for given in node.inputs:
            is_bias = given.endswith(("mlp.fc2.bias", "head.bias")) and node.op in {"Add", "Gemm"}
            if given == name or (name is None and is_bias):
                bare = tuple(one for one in node.inputs if one != given)
                op = "Gemm" if node.op == "Gemm" else "Identity"
                bare = bare if op == "Gemm" else tuple(x for x in bare if x not in graph.outputs)

                def without(
                    one: Node, n: Node = node, b: tuple[str, ...] = bare, o: str = op
                ) -> Node:
                    return replace(one, op=o, inputs=b) if one is n else one

                assert lost(graph, changed(graph, without))


def test_halves_of_swiglu_must_both_be_there() -> None:
    graph = recorded("vit_swiglu")
    gates = [node for node in graph.nodes if node.op == "Slice"]
    product = next(
        node
        for node in graph.nodes
        if node.op == "Mul" and any(one.output in node.inputs for one in gates[1:2])
    )
    same = tuple(gates[0].output if x == gates[1].output else x for x in product.inputs)
    other = changed(graph, lambda node: replace(node, inputs=same) if node is product else node)
    assert lost(graph, other) == {"swiglu_mlp"}


SMALL = {
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 96,
    "image_size": 32,
    "patch_size": 8,
}
LAYER = [
    Block.of("attention", embed=48, heads=3, qk=16, v=16, tokens=17),
    Block.of("mlp_quick_gelu", embed=48, mlp=96, tokens=17),
]


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_clip_of_transformers(attention: str) -> None:
    from transformers import CLIPVisionConfig, CLIPVisionModel

    config = CLIPVisionConfig(**SMALL, attn_implementation=attention)
    found = blocks_of(exported(CLIPVisionModel(config), torch.zeros(1, 3, 32, 32)))
    patches = Block.of("patch_embed", embed=48, in_channels=3, resolution=32, kernel=8, prefix=1)
    # Its first output is the sequence: no norm, and no classifier behind it.
    assert found == [patches, *LAYER * 2]


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_distilled_deit_of_transformers(attention: str) -> None:
    from transformers import DeiTConfig, DeiTForImageClassificationWithTeacher

    config = DeiTConfig(**SMALL, num_labels=5, attn_implementation=attention)
    model = DeiTForImageClassificationWithTeacher(config)
    found = blocks_of(exported(model, torch.zeros(1, 3, 32, 32)))
    assert found[-1] == Block.of("classifier", embed=48, heads=2, classes=5, tokens=18)
    assert [block.op for block in found] == ["patch_embed", *["attention", "mlp"] * 2, "classifier"]


@pytest.mark.parametrize("gated", [False, True])
def test_a_dinov2_of_transformers(gated: bool) -> None:
    from transformers import Dinov2Config, Dinov2Model

    config = Dinov2Config(**SMALL, use_swiglu_ffn=gated)
    found = blocks_of(exported(Dinov2Model(config), torch.zeros(1, 3, 32, 32)))
    mlp = "swiglu_mlp" if gated else "mlp"
    assert [block.op for block in found] == ["patch_embed", *["attention", mlp] * 2]
