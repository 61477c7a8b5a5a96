import numpy as np
import pytest
from vitprof.backends import random_input, seeded_input


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


@pytest.mark.parametrize("most_kept", [2**22, 64])
@pytest.mark.parametrize("shape", [(), (1,), (5, 7), (1, 3, 224, 224), (0, 4)])
def test_the_numbers_do_not_depend_on_what_was_asked_before(
    shape: tuple[int, ...], most_kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random_input, "_MOST_KEPT", most_kept)
    wanted = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    np.testing.assert_array_equal(seeded_input(shape), wanted)


def test_writing_into_an_input_changes_no_other() -> None:
    kept = seeded_input((3, 5)).copy()
    seeded_input((3, 5))[...] = 0
    np.testing.assert_array_equal(seeded_input((3, 5)), kept)
