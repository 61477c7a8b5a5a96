"""Blocks of families are found in graphs that others exported, and nothing else is."""

from __future__ import annotations

import io
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

TIMM = {
    "deit_tiny_patch16_224": "deit-tiny",
    "deit_small_patch16_224": "deit-small",
    "swin_tiny_patch4_window7_224": "swin-tiny",
    **{f"efficientvit_m{size}": f"efficientvit-m{size}" for size in range(6)},
}


def blocks_of(graph: Graph) -> list[Block]:
    return [found.block for found in find_blocks(graph)]


@pytest.mark.parametrize("name", TIMM)
def test_models_of_timm_are_exactly_their_specs_blocks(name: str) -> None:
    assert blocks_of(recorded(name)) == create_spec(TIMM[name]).blocks()


@pytest.mark.parametrize("name", TIMM)
def test_blocks_do_not_overlap_and_leave_only_what_moves_values(name: str) -> None:
    graph = recorded(name)
    found = find_blocks(graph)
    covered = [node for block in found for node in block.nodes]
    assert len(covered) == len(set(covered))
    left = {node.op for node in graph.nodes if not set(node.covers) & set(covered)}
    assert left <= {"Reshape", "Identity", "Slice", "Pad", "Cast"}


@pytest.mark.parametrize("name", ["vit-micro-8", "efficientvit-m0", "swin-tiny"])
@pytest.mark.few("vit*", "efficientvit*")
def test_own_exports_are_found(name: str) -> None:
    spec = create_spec(name)
    data = onnx_from_module(create_model(spec), (1, *spec.blocks()[0].input_shape))
    assert blocks_of(graph_of(onnx_from_bytes(data, name))) == spec.blocks()


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_vit_of_transformers_has_separate_projections(attention: str) -> None:
    import torch
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=96,
        image_size=32,
        patch_size=8,
        attn_implementation=attention,
    )
    file = io.BytesIO()
    images = (torch.zeros(1, 3, 32, 32),)
    model = ViTForImageClassification(config).eval()
    torch.onnx.export(model, images, file, dynamo=False, opset_version=17)
    layer = [
        Block.of("attention", embed=48, heads=3, qk=16, v=16, tokens=17),
        Block.of("mlp", embed=48, mlp=96, tokens=17),
    ]
    assert blocks_of(graph_of(onnx_from_bytes(file.getvalue(), "vit"))) == [
        Block.of("patch_embed", embed=48, in_channels=3, resolution=32, kernel=8, prefix=1),
        *layer * 2,
        Block.of("classifier", embed=48, heads=1, classes=2, tokens=17),
    ]


def changed(graph: Graph, change: Callable[[Node], list[Node]]) -> Graph:
    nodes = [made for node in graph.nodes for made in change(node)]
    return Graph(nodes, graph.tensors, graph.inputs, graph.outputs)


@pytest.mark.parametrize("name", ["deit_tiny_patch16_224", "efficientvit_m0"])
@pytest.mark.parametrize("op", ["Relu", "Erf", "Softmax", "Sigmoid", "LayerNormalization"])
def test_another_function_in_its_place_is_no_block(name: str, op: str) -> None:
    graph = recorded(name)
    for node in [one for one in graph.nodes if one.op == op][:6]:
        other = changed(graph, lambda one, n=node: [replace(one, op="Tanh")] if one is n else [one])
        missing = len(find_blocks(graph)) - len(find_blocks(other))
        assert missing >= 1
        assert not any(set(node.covers) & block.nodes for block in find_blocks(other))


@pytest.mark.parametrize("name", ["deit_tiny_patch16_224", "swin_tiny_patch4_window7_224"])
def test_one_more_operation_or_reader_inside_is_no_block(name: str) -> None:
    graph = recorded(name)
    for node in [one for one in graph.nodes if one.op == "MatMul"][:6]:
        inner = f"{node.output}#inner"
        graph.tensors[inner] = graph.tensors[node.output]
        more = [replace(node, outputs=(inner,)), Node("Tanh", (inner,), node.outputs, {}, ("t",))]
        other = changed(graph, lambda one, n=node, m=more: m if one is n else [one])
        assert not any(set(node.covers) & block.nodes for block in find_blocks(other))
        graph.tensors["read"] = graph.tensors[node.output]
        read = Node("Relu", node.outputs, ("read",), {}, ("read",))
        other = changed(graph, lambda one, n=node, r=read: [one, r] if one is n else [one])
        assert not any(set(node.covers) & block.nodes for block in find_blocks(other))


def test_a_dropped_residual_is_no_block() -> None:
    graph = recorded("deit_tiny_patch16_224")
    found = next(block for block in find_blocks(graph) if block.block.op == "mlp")
    last = [node for node in graph.nodes if set(node.covers) & found.nodes][-1]
    assert last.op == "Add"
    other = changed(
        graph, lambda one: [replace(one, inputs=(one.inputs[1],) * 2)] if one is last else [one]
    )
    assert not any(set(last.covers) & block.nodes for block in find_blocks(other))


def test_steps_grow_with_the_number_of_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(layers: int) -> int:
        graph = recorded("deit_tiny_patch16_224")
        nodes = graph.nodes
        first = next(number for number, node in enumerate(nodes) if node.op == "LayerNormalization")
        found = find_blocks(graph)[1:3]
        layer = [one for one in nodes if set(one.covers) & (found[0].nodes | found[1].nodes)]
        made = nodes[first - 1].output
        for number in range(layers):
            names = {out: f"{out}#{number}" for one in layer for out in one.outputs}
            names |= {nodes[first - 1].output: made} if number else {}
            for old, new in names.items():
                graph.tensors[new] = graph.tensors[old]
            nodes += [
                Node(
                    one.op,
                    tuple(names.get(name, name) for name in one.inputs),
                    tuple(names[name] for name in one.outputs),
                    one.attributes,
                    (f"{one.covers[0]}#{number}",),
                )
                for one in layer
            ]
            made = names[layer[-1].output]
        deep = Graph(nodes, graph.tensors, graph.inputs, (made,))
        steps = 0
        maker = Graph.maker

        def counted(self: Graph, name: str) -> Node | None:
            nonlocal steps
            steps += 1
            return maker(self, name)

        with monkeypatch.context() as patch:
            patch.setattr(Graph, "maker", counted)
            assert len(find_blocks(deep)) >= 2 * layers
        return steps

    few, some, many = asked(10), asked(20), asked(200)
    assert many - few <= 20 * (some - few)
