"""BERT against transformers' own, with the same weights; its spec, blocks and names."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from vitprof.errors import UserError
from vitprof.models import BertSpec, Block, ViTLayer, create_block, create_model, create_spec

transformers = pytest.importorskip("transformers")

SPEC = BertSpec.uniform(
    32, 3, 4, mlp=48, vocab=90, positions=20, tokens=12, classes=3, name="small-bert"
)


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """A BertForSequenceClassification with random weights, and the folder that it is saved in."""
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=90,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=20,
        num_labels=3,
    )
    model = transformers.BertForSequenceClassification(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    folder = tmp_path_factory.mktemp("bert") / "official"
    model.save_pretrained(folder)
    return model, folder


def test_outputs_are_the_official_ones(official) -> None:
    model, folder = official
    ours = create_model(folder, checkpoint=folder)
    ids = torch.randint(0, 90, (4, 12))
    types = torch.randint(0, 2, (4, 12))
    seen = torch.ones(4, 12, dtype=torch.long)
    seen[1, 9:] = 0
    seen[2, 4:] = 0
    with torch.no_grad():
        torch.testing.assert_close(ours(ids), model(input_ids=ids).logits, rtol=1e-5, atol=1e-5)
        wanted = model(input_ids=ids, token_type_ids=types, attention_mask=seen).logits
        torch.testing.assert_close(ours(ids, types, seen), wanted, rtol=1e-5, atol=1e-5)


def test_weights_that_were_written_are_read_again(tmp_path) -> None:
    from safetensors.torch import save_file

    model = create_model(SPEC)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    again = create_model(SPEC, checkpoint=tmp_path / "model.safetensors")
    x = torch.randint(0, 90, (2, 12))
    with torch.no_grad():
        torch.testing.assert_close(again(x), model(x), rtol=0, atol=0)


def test_the_configs_spec(official) -> None:
    spec = create_spec(official[1])
    assert spec == replace(SPEC, name="official", tokens=20)


def test_parameters_and_blocks_add_up() -> None:
    model = create_model(SPEC)
    assert sum(p.numel() for p in model.parameters()) == SPEC.params
    x = torch.randint(0, 90, (2, 12))
    for block, step in zip(SPEC.blocks(), model.chain(), strict=True):
        alone = create_block(block)
        assert sum(p.numel() for p in alone.parameters()) == block.params
        assert alone(x).shape == step(x).shape
        x = step(x)
    assert x.shape == (2, 3)


@pytest.mark.parametrize(("name", "millions"), [("bert-base", 109.5), ("bert-tiny", 4.4)])
def test_published_sizes(name, millions) -> None:
    assert create_spec(name).params / 1e6 == pytest.approx(millions, rel=0.01)


def test_json_round_trip() -> None:
    uneven = replace(SPEC, layers=(ViTLayer(2, 8, 4, 16), *SPEC.layers[1:]))
    assert BertSpec.from_json(uneven.to_json()) == uneven


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"tokens": 21}, "tokens=21"),
        ({"vocab": 10}, "vocab=10"),
        ({"layers": ()}, "depth=0"),
        ({"embed": 0}, "embed=0"),
        ({"norm_eps": -1.0}, "norm_eps"),
    ],
    ids=str,
)
def test_values_out_of_range_are_refused(wrong, words) -> None:
    with pytest.raises(UserError, match=words):
        replace(SPEC, **wrong)


def test_what_this_model_cannot_follow_is_refused(tmp_path) -> None:
    (tmp_path / "config.json").write_text(
        '{"model_type": "bert", "position_embedding_type": "relative_key"}'
    )
    with pytest.raises(UserError, match="position_embedding_type"):
        create_spec(tmp_path)


def test_an_embedding_reads_the_rows_of_its_words_and_no_more() -> None:
    small, large = (
        Block.of("text_embedding", embed=8, vocab=vocab, positions=64, types=2, tokens=16)
        for vocab in (100, 30_000)
    )
    assert large.params - small.params == 29_900 * 8
    assert large.params_read == small.params_read == (16 + 16 + 2) * 8
    assert large.bytes() == small.bytes() == 4 * (large.params_read + 16 + 16 * 8)
    attention = Block.of("attention", embed=8, heads=2, qk=4, v=4, tokens=16)
    assert attention.params_read == attention.params
