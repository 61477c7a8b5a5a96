"""What prices a graph: blocks where a table has them, kernels for the rest."""

from __future__ import annotations

import pytest
from small_onnx.of_transformers import exported, words
from small_onnx.recorded import recorded
from small_onnx.small_graphs import Small
from vitprof.backends import onnx_from_module
from vitprof.errors import UserError
from vitprof.foreign.graph import Graph
from vitprof.foreign.onnx_file import onnx_from_bytes
from vitprof.foreign.parts import parts_of
from vitprof.foreign.rules import Rules
from vitprof.foreign.shapes import graph_of
from vitprof.foreign.structures import find_blocks
from vitprof.models import create_model, create_spec
from vitprof.models.families.bert.spec import BertSpec
from vitprof.models.families.foreign.spec import ForeignSpec


def graph_named(name: str) -> Graph:
    spec = create_spec(name)
    model = onnx_from_module(create_model(spec), (1, *spec.input_shape))
    return graph_of(onnx_from_bytes(model, name))


@pytest.mark.parametrize("name", ["vit-micro-8", "efficientvit-m0", "swin-tiny", "vgg11-bn-cifar"])
@pytest.mark.few("vit*", "vgg*", "efficientvit*")
def test_a_model_of_a_family_is_just_its_blocks(name: str) -> None:
    spec = create_spec(name)
    ops = {block.op for block in spec.blocks()}
    parts = parts_of(graph_named(name), Rules(), ops)
    assert sorted(map(str, parts.blocks)) == sorted(map(str, spec.blocks()))
    assert not parts.unknown
    assert ForeignSpec.of(parts.blocks).line_family == spec.family


def test_a_bert_of_transformers_is_just_its_blocks() -> None:
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=96,
        vocab_size=100,
        max_position_embeddings=20,
    )
    graph = exported(BertForSequenceClassification(config), words(12))
    spec = BertSpec.uniform(48, 2, 3, 96, vocab=100, positions=20, tokens=12)
    parts = parts_of(graph, Rules(), {block.op for block in spec.blocks()})
    assert sorted(map(str, parts.blocks)) == sorted(map(str, spec.blocks()))
    assert ForeignSpec.of(parts.blocks).line_family == "bert"


@pytest.mark.parametrize("kind", ["swiglu", "distilled", "qk_norm", "pooled_norm", "gelu_tanh"])
def test_details_of_a_vit_leave_no_kernel(kind: str) -> None:
    graph = recorded(f"vit_{kind}")
    ops = {found.block.op for found in find_blocks(graph)}
    parts = parts_of(graph, Rules(), ops)
    assert {block.op for block in parts.blocks} == ops and not parts.unknown


def test_blocks_that_the_table_lacks_are_kernels() -> None:
    spec = create_spec("vit-micro-8")
    parts = parts_of(graph_named("vit-micro-8"), Rules(), {"attention"})
    ops = {block.op for block in parts.blocks}
    assert "attention" in ops and "mlp" not in ops and "kernel_matmul" in ops
    assert sum(block.macs for block in parts.blocks) == spec.macs
    assert ForeignSpec.of(parts.blocks).line_family == "foreign"


def test_what_no_kernel_stands_for_is_named() -> None:
    g = Small(1, 8, 8)
    graph = graph_of(onnx_from_bytes(g.model(g.op("Relu", g.op("Det", "x"))), "det"))
    parts = parts_of(graph, Rules())
    assert parts.unknown == ("Det",) and len(parts.blocks) == 1
    with pytest.raises(UserError, match="'Det'"):
        parts.check_known()
