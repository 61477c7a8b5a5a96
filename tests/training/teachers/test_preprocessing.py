"""What a preprocessor_config.json says, against what transformers does by it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from vitprof.errors import UserError
from vitprof.training.data.augment import normalised
from vitprof.training.data.images import Normalisation
from vitprof.training.teachers.adapted import Adapted
from vitprof.training.teachers.opened import Opened
from vitprof.training.teachers.preprocessing import Preprocessing, of_timm, read_preprocessing

STUDENT_NORM = ((0.1, 0.2, 0.3), (0.9, 0.8, 0.7))


@pytest.mark.parametrize(
    ("processor", "fields"),
    [
        ("ViTImageProcessorPil", {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.25, 0.3]}),
        ("ViTImageProcessorPil", {"do_normalize": False}),
        ("ViTImageProcessorPil", {"rescale_factor": 0.01}),
        ("ViTImageProcessorPil", {"do_rescale": False}),
        ("EfficientNetImageProcessorPil", {"rescale_factor": 1 / 127.5, "rescale_offset": True}),
        ("EfficientNetImageProcessorPil", {"include_top": False, "image_std": [0.4, 0.3, 0.2]}),
    ],
)
def test_images_are_normalised_as_transformers_does(processor, fields, photos, tmp_path) -> None:
    import transformers

    theirs = getattr(transformers, processor)(do_resize=False, do_center_crop=False, **fields)
    theirs.save_pretrained(tmp_path)
    pixels = photos.train.pixels[:2]
    expected = theirs([np.asarray(one) for one in pixels], return_tensors="pt")["pixel_values"]
    norm = Normalisation(*STUDENT_NORM)
    images = normalised(torch.from_numpy(pixels), norm)
    opened = Opened(torch.nn.Identity(), "t", read_preprocessing(tmp_path), 3, "")
    found = Adapted(opened, norm)(images)
    assert torch.allclose(found, expected, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize(
    ("fields", "side", "interpolation"),
    [
        (
            {"size": {"shortest_edge": 256}, "crop_size": 224, "do_center_crop": True},
            224,
            "bicubic",
        ),
        ({"size": {"height": 32, "width": 32}, "resample": 2}, 32, "bilinear"),
        ({"size": {"shortest_edge": 224}, "crop_pct": 0.875, "resample": 3}, 224, "bicubic"),
        ({"size": 64, "do_resize": False}, None, "bicubic"),
        ({"size": 64, "crop_size": {"height": 8, "width": 8}}, 64, "bicubic"),
        ({}, None, "bicubic"),
    ],
)
def test_the_size_is_that_after_scaling_and_cutting(fields, side, interpolation, tmp_path) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(fields))
    assert read_preprocessing(tmp_path) == Preprocessing(None, side, interpolation)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"size": {"height": 32, "width": 16}}, "a teacher takes squares"),
        ({"size": 10**9}, "a teacher takes squares of 1 to 4096"),
        ({"size": {"longest_edge": 8}}, "a teacher takes squares"),
        ({"do_flip_channel_order": True}, "blue, green and red"),
        (
            {"image_mean": [0.5], "image_std": [0.5], "rescale_factor": -1},
            "rescale_factor=-1 has to be a number above 0",
        ),
        ({"image_mean": [0.5], "image_std": [0]}, "image_std has to be above 0"),
    ],
)
def test_what_cannot_be_is_refused(fields, words, tmp_path) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(fields))
    with pytest.raises(UserError, match=words):
        read_preprocessing(tmp_path)


def test_timms_words() -> None:
    config = {
        "mean": (0.5, 0.5, 0.5),
        "std": [0.25, 0.25, 0.25],
        "input_size": (3, 240, 240),
        "interpolation": "bilinear",
    }
    found = of_timm(config, "config.json")
    assert found.norm is not None
    assert (found.norm.mean, found.side) == ((0.5, 0.5, 0.5), 240)
    assert found.interpolation == "bilinear"
    assert of_timm({"interpolation": "random"}, "config.json") == Preprocessing()
