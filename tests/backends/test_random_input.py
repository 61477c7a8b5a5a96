import numpy as np
from vitprof.backends import seeded_input


def test_the_same_shape_gives_the_same_normal_numbers() -> None:
    first, second = seeded_input((2, 100, 50)), seeded_input((2, 100, 50))
    np.testing.assert_array_equal(first, second)
    assert first.dtype == np.float32
    assert abs(float(first.mean())) < 0.05
    assert abs(float(first.std()) - 1) < 0.05


def test_fp16_holds_the_same_numbers_rounded() -> None:
    half = seeded_input((4, 8), "fp16")
    assert half.dtype == np.float16
    np.testing.assert_array_equal(half, seeded_input((4, 8)).astype(np.float16))
