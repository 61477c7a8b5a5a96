"""How far outputs are from what is expected, by a sketch of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from vitprof.backends.agreement import (
    SUMS,
    TOLERANCE,
    OutputSketch,
    relative_error,
    sketches,
    why_wrong,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


@pytest.mark.parametrize("size", [SUMS - 1, 1000, 37_824])
@pytest.mark.parametrize("error", [1e-6, 1e-3, 0.1, 1.0])
def test_a_sketch_tells_the_relative_error(
    size: int, error: float, rng: np.random.Generator
) -> None:
    exact = rng.standard_normal((1, size))
    off = rng.standard_normal((1, size))
    off *= error * np.linalg.norm(exact) / np.linalg.norm(off)
    told = OutputSketch.of(exact).error_of(exact + off)
    assert told == pytest.approx(error, rel=0.5)


def test_one_value_among_thousands_shows(rng: np.random.Generator) -> None:
    exact = rng.standard_normal((1, 197, 192)).astype(np.float32)
    wrong = exact.copy()
    wrong[0, 100, 7] += 1000
    told = OutputSketch.of(exact).error_of(wrong)
    assert told == pytest.approx(1000 / np.linalg.norm(exact), rel=0.3)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: -x,
        lambda x: x[:, ::-1],
        np.zeros_like,
        lambda x: 1.6 * x,
        lambda x: np.concatenate([x[:, :5], 0 * x[:, 5:]], axis=1),
    ],
    ids=["negated", "reversed", "zeros", "scaled", "half"],
)
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_what_is_wrong_is_wrong_in_every_precision(
    dtype: str, change: object, rng: np.random.Generator
) -> None:
    exact = rng.standard_normal((1, 10, 64)).astype(np.float32)
    why = why_wrong([change(exact)], sketches([exact]), dtype)  # type: ignore[operator]
    assert why is not None
    assert f"{dtype} may be {TOLERANCE[dtype]:g}" in why


@pytest.mark.parametrize("dtype", ["fp32", "fp16"])
def test_rounding_is_not_wrong(dtype: str, rng: np.random.Generator) -> None:
    exact = rng.standard_normal((1, 10, 64)).astype(np.float32)
    rounded = exact.astype(np.float16 if dtype == "fp16" else np.float32) * np.float16(1)
    assert why_wrong([rounded], sketches([exact]), dtype) is None


def test_only_the_first_image_of_a_batch_counts(rng: np.random.Generator) -> None:
    batch = rng.standard_normal((3, 5, 8))
    assert why_wrong([batch], sketches([batch[:1]]), "fp32") is None
    other = batch.copy()
    other[1:] = 0
    assert why_wrong([other], sketches([batch]), "fp32") is None


def test_shapes_counts_and_values_that_are_no_numbers(rng: np.random.Generator) -> None:
    exact = rng.standard_normal((1, 4, 8))
    expected = sketches([exact])
    assert why_wrong([], expected, "fp32") == "it gives 0 outputs and the model has 1"
    assert "shape (1, 8, 4)" in str(why_wrong([exact.reshape(1, 8, 4)], expected, "fp32"))
    for value in (math.nan, math.inf):
        broken = exact.copy()
        broken[0, 0, 0] = value
        assert why_wrong([broken], expected, "fp32") == "its outputs are not finite numbers"
    assert why_wrong([0 * exact], sketches([0 * exact]), "fp32") is None


def test_indices_are_not_compared(rng: np.random.Generator) -> None:
    exact, picked = rng.standard_normal((1, 8)), np.array([[3]])
    assert why_wrong([exact, picked + 1], sketches([exact, picked]), "fp32") is None


def test_the_exact_error_is_the_length_of_the_difference() -> None:
    exact = [np.array([3.0, 4.0], np.float32)]
    assert relative_error([np.array([3.0, 4.5], np.float32)], exact) == pytest.approx(0.1)
    assert relative_error([np.array([3.0, np.nan], np.float32)], exact) == math.inf
    assert relative_error([np.zeros((1, 2), np.float32)], exact) == math.inf
    assert relative_error(exact, exact) == 0.0
