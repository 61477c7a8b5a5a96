"""Many texts in two arrays are the same texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.training.data.sources.packed_names import PackedNames


@given(st.lists(st.text(max_size=12)))
def test_they_are_the_texts_that_were_given(names: list[str]) -> None:
    packed = PackedNames(names)
    assert list(packed) == names
    assert len(packed) == len(names)
    assert packed[1:3] == names[1:3]
    for place in range(-len(names), len(names)):
        assert packed[place] == names[place]


def test_bytes_that_are_no_utf8_are_kept() -> None:
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    assert list(PackedNames([name, "b"])) == [name, "b"]


@pytest.mark.parametrize("place", [2, -3])
def test_a_place_outside_is_no_place(place: int) -> None:
    with pytest.raises(IndexError):
        PackedNames(["a", "b"])[place]


def test_a_name_takes_its_bytes_and_eight_more() -> None:
    names = [f"n0144{n % 1000:04}/n0144_{n:08}.JPEG" for n in range(10_000)]
    assert PackedNames(names).nbytes == sum(map(len, names)) + 8 * len(names)
