"""BERTs of transformers are exactly the blocks of their specs; what takes a mask is not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_onnx.of_transformers import exported, words
from vitprof.foreign.graph import Graph
from vitprof.foreign.structures import find_blocks
from vitprof.models import Block, create_spec
from vitprof.models.families.bert.spec import BertSpec


def bert(attention: str = "eager", **more: Any) -> torch.nn.Module:
    from transformers import BertConfig, BertForSequenceClassification

    sizes = {
        "hidden_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "intermediate_size": 96,
        "vocab_size": 100,
        "max_position_embeddings": 20,
        "num_labels": 5,
        **more,
    }
    config = BertConfig(**sizes, attn_implementation=attention)
    return BertForSequenceClassification(config)


def blocks_of(graph: Graph) -> list[Block]:
    return [found.block for found in find_blocks(graph)]


SPEC = BertSpec.uniform(48, 2, 3, 96, vocab=100, positions=20, tokens=12, classes=5)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_classifier_of_texts_is_its_specs_blocks(attention: str) -> None:
    graph = exported(bert(attention), words(12))
    assert blocks_of(graph) == SPEC.blocks()
    covered = {name for block in find_blocks(graph) for name in block.nodes}
    assert {node.op for node in graph.nodes if not set(node.covers) <= covered} <= {"Reshape"}


def test_bert_tiny_is_the_known_one() -> None:
    spec = create_spec("bert-tiny")
    model = bert(
        hidden_size=128,
        num_attention_heads=2,
        intermediate_size=512,
        vocab_size=30_522,
        max_position_embeddings=512,
        num_labels=2,
    )
    assert blocks_of(exported(model, words(128))) == spec.blocks()


@pytest.mark.parametrize("activation", ["relu", "silu", "tanh"])
def test_another_activation_is_no_mlp(activation: str) -> None:
    found = blocks_of(exported(bert(hidden_act=activation), words(12)))
    assert found == [block for block in SPEC.blocks() if block.op != "mlp"]


def test_the_other_gelu_is_another_block() -> None:
    found = blocks_of(exported(bert(hidden_act="gelu_new"), words(12)))
    other = Block.of("mlp_gelu_tanh", embed=48, mlp=96, tokens=12)
    assert found == [other if block.op == "mlp" else block for block in SPEC.blocks()]


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_attention_that_adds_a_mask_is_no_block(attention: str) -> None:
    ids = words(12)
    graph = exported(bert(attention), ids, torch.ones_like(ids), torch.zeros_like(ids))
    # Types that are an input are looked up, which the block does not do.
    assert {block.op for block in blocks_of(graph)} == {"mlp", "text_classifier"}


def test_a_model_without_classifier_ends_with_its_last_mlp() -> None:
    from transformers import BertConfig, BertModel

    config = BertConfig(
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=96,
        vocab_size=100,
        max_position_embeddings=20,
    )
    found = blocks_of(exported(BertModel(config, add_pooling_layer=False), words(12)))
    assert found == SPEC.blocks()[:-1]
