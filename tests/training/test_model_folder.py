"""A model's folder: its weights, its normalisation, and what lies beside them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from vitprof.errors import UserError
from vitprof.models import ViTSpec, create_model, create_spec
from vitprof.training.data.images import Normalisation
from vitprof.training.model_folder import (
    PREPROCESSOR,
    normalisation_for,
    read_normalisation,
    weights_of,
    weights_or_refuse,
    write_model,
)

SPEC = ViTSpec.uniform(16, 1, 2, resolution=8, patch=4, classes=10, in_channels=1)
NORM = Normalisation((0.25,), (0.5,))


@pytest.fixture
def folder(tmp_path) -> Path:
    write_model(create_model(SPEC), tmp_path / "model", NORM)
    return tmp_path / "model"


def test_what_is_written_is_read_again(folder) -> None:
    assert create_spec(folder).blocks() == SPEC.blocks()
    assert read_normalisation(folder) == NORM
    model = create_model(folder, checkpoint=folder)
    again = create_model(folder, checkpoint=folder / "model.safetensors")
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name])


def test_weights_are_the_checkpoint_or_the_folder(folder) -> None:
    assert weights_of(str(folder)) == folder
    assert weights_of(folder, "other.pth") == Path("other.pth")
    assert weights_of("vit-micro-8") is None
    assert weights_of(SPEC) is None
    with pytest.raises(UserError, match="vit-micro-8 has no weights to prune; give `checkpoint`"):
        weights_or_refuse("vit-micro-8", None, " to prune")


def test_normalisation_comes_with_the_weights_or_from_the_images(folder, digits) -> None:
    assert normalisation_for(folder, digits) == NORM
    assert normalisation_for(folder / "model.safetensors", digits) == NORM
    assert normalisation_for(None, digits) == digits.normalisation
    (folder / PREPROCESSOR).unlink()
    assert normalisation_for(folder, digits) == digits.normalisation


@pytest.mark.parametrize(("mean", "std"), [("0.5", [0.5]), ([0.5], [0.0]), ([0.5], [0.5, 0.5])])
def test_a_normalisation_that_is_none_is_refused(folder, mean, std) -> None:
    (folder / PREPROCESSOR).write_text(json.dumps({"image_mean": mean, "image_std": std}))
    with pytest.raises(UserError, match=PREPROCESSOR):
        read_normalisation(folder)


def test_timms_normalisation_is_read(tmp_path):
    import json

    pretrained = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
    config = {"architecture": "vit_tiny_patch16_224", "pretrained_cfg": pretrained}
    (tmp_path / "config.json").write_text(json.dumps(config))
    norm = read_normalisation(tmp_path)
    assert norm is not None
    assert (norm.mean, norm.std) == ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit"}))
    assert read_normalisation(tmp_path) is None
