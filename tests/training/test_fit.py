"""Whether models and data go together."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from vitprof.errors import UserError
from vitprof.models import BertSpec, ViTSpec, create_model, create_spec
from vitprof.training.data.loading import images_for_trained, load_data_for
from vitprof.training.fit import (
    check_batch,
    check_fits,
    fitted_spec,
    of_length,
    refuse_texts,
)
from vitprof.training.model_folder import write_model
from vitprof.training.torch_device import find_torch_device

SPEC = ViTSpec.uniform(16, 1, 2, resolution=8, patch=4, classes=10, in_channels=1, name="tiny")
CPU = torch.device("cpu")


def test_a_new_model_is_fitted_to_the_images(digits) -> None:
    spec = fitted_spec(replace(SPEC, classes=3, in_channels=3), digits.train)
    check_fits(spec, digits.train, digits.normalisation)
    assert spec == SPEC


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"classes": 3}, "has 10 classes and tiny takes 3; train it on these first"),
        ({"in_channels": 3}, "has 1 channels and tiny takes 3"),
        ({"resolution": 12}, "has 8 pixels of a side and tiny takes 12; give `resolution`"),
    ],
)
def test_what_differs_is_named(digits, changed, words) -> None:
    with pytest.raises(UserError, match=words):
        check_fits(replace(SPEC, **changed), digits.train, digits.normalisation)


def test_texts_have_a_length_and_images_a_resolution() -> None:
    bert = create_spec("bert-tiny")
    assert isinstance(bert, BertSpec)
    assert of_length(bert, 16).tokens == 16
    assert of_length(SPEC, None, 8) == SPEC
    with pytest.raises(UserError, match="`sequence_length` is for models of texts"):
        of_length(SPEC, 16)
    with pytest.raises(UserError, match="`resolution` is for models of images"):
        of_length(bert, None, 8)
    with pytest.raises(UserError, match="positions"):
        of_length(bert, 10**6)
    with pytest.raises(UserError, match="a model of texts, and vitprof train takes"):
        refuse_texts(bert, "vitprof train")


def test_a_batch_has_to_be_had_once(digits) -> None:
    check_batch(digits, len(digits.train))
    with pytest.raises(UserError, match="take a smaller `batch`"):
        check_batch(digits, len(digits.train) + 1)


def test_data_is_loaded_for_a_model(digits, tmp_path) -> None:
    norm = digits.normalisation
    write_model(create_model(SPEC), tmp_path / "model", norm)
    data, found = load_data_for(SPEC, "digits", tmp_path / "model")
    assert (len(data.test), found) == (len(digits.test), norm)
    folder, images, found = images_for_trained(tmp_path / "model", "digits")
    assert (folder, len(images.train), found) == (tmp_path / "model", len(digits.train), norm)
    with pytest.raises(UserError, match="the digits are 8 x 8; 9 x 9 is another size"):
        images_for_trained(tmp_path / "model", "digits", 9)
    with pytest.raises(UserError, match="not a folder with a trained model"):
        images_for_trained("vit-micro-8", "digits")


def test_a_device_is_one_that_is_there() -> None:
    assert find_torch_device("cpu") == CPU
    assert find_torch_device().type in ("cpu", "cuda")
    for name in ("tpu", "cuda:99", "meta"):
        with pytest.raises(UserError, match=f"`train_device` {name}"):
            find_torch_device(name)
