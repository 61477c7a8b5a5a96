"""How images become squares, for testing and for training."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import stats
from vitprof.errors import UserError
from vitprof.training.data.random_view import RATIOS, RandomView, random_part
from vitprof.training.data.view import View, square_of


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_the_middle_of_a_larger_image() -> None:
    """256 of the shorter side for 224 pixels, and the square in the middle: ImageNet's usual."""
    image = noise(320, 256)
    seen = View(224, crop_pct=0.875).of(image)
    assert seen.size == (224, 224)
    assert np.array_equal(seen, image.crop((48, 16, 272, 240)))


def test_a_longer_side_is_rounded_down() -> None:
    assert np.array_equal(
        square_of(noise(101, 50), 24), noise(101, 50).resize((48, 24), 3).crop((12, 0, 36, 24))
    )


def test_squash_scales_both_sides() -> None:
    image = noise(30, 20)
    assert np.array_equal(View(10, mode="squash").of(image), image.resize((10, 10), 3))


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.floats(0.3, 1))
def test_any_image_becomes_the_square(width: int, height: int, side: int, share: float) -> None:
    assert View(side, share).of(Image.new("RGB", (width, height))).size == (side, side)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"side": 0}, "`resolution` is 0"),
        ({"crop_pct": 1.5}, "`crop_pct` is 1.5"),
        ({"interpolation": "bicubik"}, "did you mean 'bicubic'"),
    ],
)
def test_what_is_out_of_range_is_named(changed, words) -> None:
    with pytest.raises(UserError, match=words):
        View(**{"side": 8, **changed})


@given(
    st.integers(1, 400),
    st.integers(1, 400),
    st.integers(0, 2**32),
    st.tuples(st.floats(0.05, 0.5), st.floats(0.5, 1)),
)
def test_a_random_part_lies_in_the_image(width: int, height: int, seed: int, area) -> None:
    left, top, wide, tall = random_part((width, height), area, random.Random(seed))
    assert 0 <= left <= left + wide <= width
    assert 0 <= top <= top + tall <= height
    assert wide >= 1
    assert tall >= 1


def test_areas_are_uniform_and_ratios_log_uniform() -> None:
    """Of a large image, where every draw fits but those of nearly all of it."""
    draw = random.Random(0)
    parts = [random_part((4000, 4000), (0.08, 0.5), draw) for _ in range(4000)]
    areas = [wide * tall / 4000**2 for _, _, wide, tall in parts]
    ratios = [np.log(wide / tall) for _, _, wide, tall in parts]
    low, high = np.log(RATIOS)
    assert stats.kstest(areas, "uniform", (0.08, 0.42)).pvalue > 0.01
    assert stats.kstest(ratios, "uniform", (low, high - low)).pvalue > 0.01


def test_the_same_seed_is_the_same_view_and_another_one_is_not() -> None:
    view, image = RandomView(View(16)), noise(40, 30)
    first, again, other = (np.asarray(view.of(image, seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_half_of_the_images_are_mirrored() -> None:
    view = RandomView(View(8), area=None)
    image = noise(8, 8)
    mirrored = [np.array_equal(view.of(image, n), np.asarray(image)[:, ::-1]) for n in range(400)]
    assert stats.binomtest(sum(mirrored), 400, 0.5).pvalue > 0.01


def test_without_anything_random_it_is_the_view() -> None:
    view = View(8, 0.5)
    image = noise(20, 30)
    plain = RandomView(view, area=None, flip=False)
    assert np.array_equal(plain.of(image, 3), view.of(image))
