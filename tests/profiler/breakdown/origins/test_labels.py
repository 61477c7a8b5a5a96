"""Blocks of specs by the names of modules, and of other models by the beginnings of names."""

from __future__ import annotations

from dataclasses import replace

import pytest
from vitprof.models import create_spec
from vitprof.profiler.breakdown.origins.labels import (
    BlockLabel,
    PrefixLabels,
    SpecLabels,
    block_of_each,
    module_of,
)
from vitprof.profiler.breakdown.origins.model_graph import GraphNode, ModelGraph


@pytest.mark.parametrize(
    ("name", "first", "second", "last"),
    [
        ("vit-micro-8", "patch_embed", "blocks.0.attention", "classifier"),
        ("bert-tiny", "embeddings", "layers.0.attention", "text_classifier"),
        ("efficientvit-m0", "patch_embed", "stages.0.blocks.0.dw0", "head"),
        ("autovit-xxs", "blocks.0", "blocks.1", "blocks.15"),
        ("vgg11-bn-cifar", "convs.0", "convs.1", "head"),
    ],
)
def test_blocks_are_called_after_modules(name: str, first: str, second: str, last: str) -> None:
    spec = create_spec(name)
    labels = SpecLabels(spec)
    called = [label.name for label in labels.blocks]
    assert [label.op for label in labels.blocks] == [block.op for block in spec.blocks()]
    assert (called[0], called[1], called[-1]) == (first, second, last)
    assert len(set(called)) == len(called)


def test_a_module_is_of_the_block_that_holds_it() -> None:
    labels = SpecLabels(create_spec("vit-micro-8"))
    found = {
        path: labels.of_module(path)
        for path in ("patch_embed.proj", "blocks.0.norm2", "blocks.1.attn.qkv.x", "blocks.1", "no")
    }
    assert found == {
        "patch_embed.proj": 0,
        "blocks.0.norm2": 2,
        "blocks.1.attn.qkv.x": 3,
        "blocks.1": None,
        "no": None,
    }
    assert labels.has_module("blocks.1")
    assert not labels.has_module("no")


def test_merging_counts_for_the_attention_before_it() -> None:
    spec = create_spec("vit-micro-8")
    merging = replace(spec, merges=(2, 2, 2, 2))  # type: ignore[call-arg]
    assert SpecLabels(merging).blocks == SpecLabels(spec).blocks


def graph(*modules: str) -> ModelGraph:
    """Return a chain of nodes of these modules."""
    return ModelGraph(
        [
            GraphNode(f"n{number}", "Relu", (f"t{number}",), (f"t{number + 1}",), module)
            for number, module in enumerate(modules)
        ]
    )


@pytest.mark.parametrize(
    ("modules", "blocks"),
    [
        (
            ("conv1", "layer1.0.conv1", "layer1.0.bn", "layer1.1.conv1", "fc"),
            ["conv1", "layer1.0", "layer1.1", "fc"],
        ),
        (
            ("stem.conv", "stages.0.blocks.0.mlp.0", "stages.0.blocks.1.mlp.0", "stages.1.down.0"),
            ["stem", "stages.0.blocks.0", "stages.0.blocks.1", "stages.1"],
        ),
        (
            (
                "vit.embeddings.proj",
                "vit.encoder.layer.0.attention",
                "vit.encoder.layer.1.output",
                "vit.norm",
                "head",
            ),
            ["vit.embeddings", "vit.encoder.layer.0", "vit.encoder.layer.1", "vit.norm", "head"],
        ),
        (
            ("blocks.1.0.conv", "blocks.1.1.conv", "features.3.conv.0.0"),
            ["blocks.1.0", "blocks.1.1", "features.3"],
        ),
    ],
)
def test_modules_of_lists_are_blocks(modules: tuple[str, ...], blocks: list[str]) -> None:
    assert [label.name for label in PrefixLabels(graph(*modules)).blocks] == blocks


def test_a_module_that_only_holds_lists_is_no_block() -> None:
    made = graph("m.vit.embeddings.proj", "m.vit.layers.0.fc", "m.vit", "m.vit.layers.1.fc", "m")
    labels = PrefixLabels(made)
    assert [label.name for label in labels.blocks] == [
        "m.vit.embeddings",
        "m.vit.layers.0",
        "m.vit.layers.1",
    ]
    assert block_of_each(made, labels) == [0, 1, 1, 2, 2]


def test_weights_that_are_shared_do_not_change_the_order() -> None:
    made = ModelGraph(
        [
            GraphNode("i", "Identity", ("layers.0.norm.weight",), ("layers.1.norm.weight",)),
            GraphNode("c", "Conv", ("x", "stem.weight"), ("y",), "stem"),
            GraphNode("a", "Norm", ("y", "layers.0.norm.weight"), ("z",), "layers.0.norm"),
            GraphNode("b", "Norm", ("z", "layers.1.norm.weight"), ("out",), "layers.1.norm"),
        ]
    )
    names = [label.name for label in PrefixLabels(made).blocks]
    assert names == ["stem", "layers.0", "layers.1"]


def test_equal_weights_that_are_stored_once_do_not_move_a_node() -> None:
    made = ModelGraph(
        [
            GraphNode("a", "Add", ("x", "layers.0.q.bias"), ("y",), "layers.0.q"),
            GraphNode("b", "Add", ("y", "layers.0.q.bias"), ("z",), "layers.1.v"),
        ]
    )
    labels = PrefixLabels(made)
    assert [module_of(made, place, labels) for place in (0, 1)] == ["layers.0.q", "layers.1.v"]
    assert block_of_each(made, labels) == [0, 1]


def test_a_model_without_names_is_one_block() -> None:
    nameless = graph("", "", "")
    labels = PrefixLabels(nameless)
    assert labels.blocks == [BlockLabel("model")]
    assert block_of_each(nameless, labels) == [0, 0, 0]


def test_weights_tell_the_module_where_names_of_nodes_do_not() -> None:
    nodes = [
        GraphNode("Conv_0", "Conv", ("x", "stem.conv.weight"), ("y",)),
        GraphNode("Transpose_1", "Transpose", ("head.fc.weight",), ("w",)),
        GraphNode("MatMul_2", "MatMul", ("y", "w"), ("z",)),
        GraphNode("Add_3", "Add", ("z", "onnx::Add_7"), ("out",)),
    ]
    made = ModelGraph(nodes)
    assert [module_of(made, place) for place in range(4)] == ["stem.conv", "head.fc", "head.fc", ""]
    labels = PrefixLabels(made)
    assert [label.name for label in labels.blocks] == ["stem", "head"]
    assert block_of_each(made, labels) == [0, 1, 1, 1]


def test_what_is_of_no_block_goes_with_the_last_that_it_reads() -> None:
    made = ModelGraph(
        [
            GraphNode("constant", "Shape", ("w",), ("c",)),
            GraphNode("a", "Conv", ("x",), ("y",), "layers.0.conv"),
            GraphNode("b", "Conv", ("y",), ("z",), "layers.1.conv"),
            GraphNode("add", "Add", ("z", "y"), ("s",)),
            GraphNode("reshape", "Reshape", ("y", "c"), ("r",)),
        ]
    )
    assert block_of_each(made, PrefixLabels(made)) == [0, 0, 1, 1, 0]
