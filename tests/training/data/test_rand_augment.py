"""RandAugment is timm's; an environment of its own has it (`tests/timm_env/check_recipe.py`)."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image, ImageOps
from vitprof.errors import MissingExtraError
from vitprof.training.data.rand_augment import _posterized, rand_augment


def test_no_bits_are_black_and_others_are_pillows() -> None:
    image = Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3))
    assert np.asarray(_posterized(ImageOps.posterize, image, 2)).max() == 128
    black = np.asarray(_posterized(ImageOps.posterize, image, 0))
    assert black.shape == (8, 8, 3)
    assert not black.any()


def test_without_timm_the_extra_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "timm.data.auto_augment", None)
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingExtraError, match="recipes"):
        rand_augment("rand-m9", 32, (0.5,) * 3, Image.Resampling.BICUBIC)
