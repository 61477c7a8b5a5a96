"""Modules of several inputs, by the names of their forward."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel, CLIPConfig, T5Config
from vitprof.backends import BackendOptions
from vitprof.backends.onnxruntime.backend import OnnxRuntimeExecutable
from vitprof.errors import UserError
from vitprof.foreign.open_model import open_model
from vitprof.foreign.sources import made_modules
from vitprof.foreign.sources.named_inputs import example_of, input_names
from vitprof.models.families.foreign.spec import ForeignSpec

SMALL = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
WORDS = {**SMALL, "intermediate_size": 64, "vocab_size": 100, "max_position_embeddings": 64}
IMAGE = {**SMALL, "intermediate_size": 64, "image_size": 32, "patch_size": 8}


@pytest.fixture
def bert(tmp_path: Path) -> str:
    BertConfig(**WORDS).save_pretrained(tmp_path)
    return f"hf:{tmp_path}"


def output_shapes(spec: ForeignSpec) -> list[tuple[int, ...]]:
    """What the runtime gives for the exported model."""
    assert spec.source is not None
    with OnnxRuntimeExecutable(spec.source.onnx(), BackendOptions()) as session:
        session.run()
        return [one.shape for one in session.outputs()]


def test_a_bert_takes_words_and_what_is_asked_for_beside_them(bert: str) -> None:
    assert open_model(bert).inputs == (("input_ids", (1, 64)),)
    assert open_model(bert, {"x": (2, 16)}).inputs == (("input_ids", (2, 16)),)
    sizes = (1, 32)
    names = ("token_type_ids", "input_ids", "attention_mask")
    spec = open_model(bert, dict.fromkeys(names, sizes))
    # In the order of the forward.
    assert spec.inputs == (
        *(("input_ids", sizes), ("attention_mask", sizes)),
        ("token_type_ids", sizes),
    )
    assert output_shapes(spec) == [(1, 32, 32)]
    assert open_model(bert, {"inputs_embeds": (1, 16, 32)}).inputs[0][0] == "inputs_embeds"


def test_the_module_computes_as_transformers_own(bert: str) -> None:
    sizes = {"input_ids": (2, 8), "attention_mask": (2, 8)}
    source = open_model(bert, sizes).source
    assert source is not None
    own = BertModel(BertConfig(**WORDS)).eval()
    own.load_state_dict(source.module().model.state_dict())
    words, seen = (example_of(name, one) for name, one in sizes.items())
    seen[1, 4:] = 0
    wanted = own(input_ids=words, attention_mask=seen).last_hidden_state
    torch.testing.assert_close(source.module()(words, seen), wanted)


def test_a_clip_takes_words_and_an_image(tmp_path: Path) -> None:
    CLIPConfig(text_config=WORDS, vision_config=IMAGE).save_pretrained(tmp_path)
    spec = open_model(f"hf:{tmp_path}", batch=2)
    assert spec.inputs == (("input_ids", (2, 64)), ("pixel_values", (2, 3, 32, 32)))
    assert output_shapes(spec) == [(2, 2)]
    more = open_model(f"hf:{tmp_path}", {"input_ids": (3, 8), "attention_mask": (3, 8)})
    assert [name for name, _ in more.inputs] == ["input_ids", "pixel_values", "attention_mask"]
    assert output_shapes(more) == [(1, 3)]


def test_a_t5_has_a_decoder(tmp_path: Path) -> None:
    config = T5Config(d_model=32, d_ff=64, num_layers=1, num_heads=2, d_kv=16, vocab_size=100)
    config.save_pretrained(tmp_path)
    spec = open_model(f"hf:{tmp_path}", {"decoder_input_ids": (1, 5)})
    assert spec.inputs == (("input_ids", (1, 128)), ("decoder_input_ids", (1, 5)))
    assert output_shapes(spec) == [(1, 5, 32)]


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({"attention_masks": (1, 3)}, "'attention_masks' .did you mean 'attention_mask'"),
        (
            {"input_ids": (1, 8), "pixel_values": (1, 3, 8, 8)},
            "'pixel_values' .known: .* not an input",
        ),
        ({"inputs_embeds": (1, 8, 7)}, "cannot be run with inputs_embeds: .*give `shapes` of"),
    ],
)
def test_inputs_that_do_not_fit_are_one_sentence(bert: str, shapes: dict, words: str) -> None:
    with pytest.raises(UserError, match=words) as refused:
        open_model(bert, shapes)
    assert "\n" not in str(refused.value)


class Flow(nn.Module):
    """Takes two images, as torchvision's RAFT does."""

    def forward(self, image1: Tensor, image2: Tensor, updates: int = 3) -> list[Tensor]:
        return [(image1 - image2) * updates]


def test_a_librarys_module_of_several_images(monkeypatch: pytest.MonkeyPatch) -> None:
    library = SimpleNamespace(list_models=lambda: ["raft"], get_model=lambda name, weights: Flow())
    monkeypatch.setattr(made_modules, "_library", lambda name, title: library)
    sizes = dict.fromkeys(("image1", "image2"), (1, 3, 8, 8))
    spec = open_model("torchvision:raft", sizes)
    assert spec.inputs == tuple(sizes.items()) and output_shapes(spec) == [(1, 3, 8, 8)]
    assert input_names(Flow()) == ["image1", "image2"]
    with pytest.raises(UserError, match="image1, image2"):
        open_model("torchvision:raft")
    with pytest.raises(UserError, match=r"'image' .*, which is not an input"):
        open_model("torchvision:raft", {"image1": (1, 3, 8, 8), "image": (1, 3, 8, 8)})
