"""How a model's configuration says that images are scaled and cut."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from vitprof.errors import UserError
from vitprof.training.data.stored_pixels import channels_first
from vitprof.training.data.view import View
from vitprof.training.expected_view import expected_view


def beside(folder, record, name: str = "preprocessor_config.json"):
    (folder / name).write_text(json.dumps(record))
    return folder


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({"crop_pct": 0.9, "interpolation": "bicubic"}, View(224, 0.9)),
        (
            {"crop_pct": 1.0, "interpolation": "bilinear", "crop_mode": "squash"},
            View(224, 1.0, "bilinear", "squash"),
        ),
        ({"interpolation": "random"}, View(224)),
        ({}, View(224)),
    ],
)
def test_timms(tmp_path, config, wanted: View) -> None:
    record = {"architecture": "deit_tiny_patch16_224", "pretrained_cfg": config}
    assert expected_view(beside(tmp_path, record, "config.json"), 224) == wanted
    (tmp_path / "model.safetensors").touch()
    assert expected_view(tmp_path / "model.safetensors", 224) == wanted


def test_nothing_is_said(tmp_path) -> None:
    assert expected_view(tmp_path, 32) == View(32)
    beside(tmp_path, {"image_mean": [0.5], "image_std": [0.5]})
    assert expected_view(tmp_path, 32) == View(32)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"size": {"longest_edge": 3}}, "size=.* has to say pixels"),
        ({"size": 4, "crop_size": 8, "do_center_crop": True}, "cut to 2.0 of its side"),
        ({"size": 4, "crop_size": "x", "do_center_crop": True}, "crop_size='x' has to say"),
        ({"size": 4, "crop_pct": "x"}, "cut to 'x' of its side"),
    ],
)
def test_values_that_cannot_be(tmp_path, record, words) -> None:
    with pytest.raises(UserError, match=words):
        expected_view(beside(tmp_path, record), 4)


def test_a_crop_that_is_not_supported(tmp_path) -> None:
    record = {"architecture": "x", "pretrained_cfg": {"crop_mode": "border"}}
    with pytest.raises(UserError, match="crop_mode='border' is not supported"):
        expected_view(beside(tmp_path, record, "config.json"), 4)


PROCESSORS = {
    "ViTImageProcessor": {"size": {"height": 32, "width": 32}},
    "DeiTImageProcessor": {"size": {"height": 36, "width": 36}, "crop_size": 32},
    "ConvNextImageProcessor": {"size": {"shortest_edge": 32}, "crop_pct": 0.875},
    "BitImageProcessor": {"size": {"shortest_edge": 36}, "crop_size": 32},
}


@pytest.mark.parametrize("name", PROCESSORS)
@pytest.mark.parametrize("size", [(53, 41), (40, 64)])
def test_it_is_what_hugging_faces_own_processor_does(tmp_path, name: str, size) -> None:
    transformers = pytest.importorskip("transformers")
    processor = getattr(transformers, name)(**PROCESSORS[name], do_normalize=False)
    processor.save_pretrained(tmp_path)
    image = Image.fromarray(
        np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    )
    theirs = processor(image, do_rescale=False, return_tensors="np")["pixel_values"][0]
    ours = channels_first(expected_view(tmp_path, 32).of(image))
    assert ours.shape == theirs.shape
    # Another resampling than Pillow's rounds to a neighbour here and there.
    apart = np.abs(ours.astype(float) - theirs.astype(float))
    assert np.mean(apart) < 0.6
    assert np.quantile(apart, 0.99) <= 3
