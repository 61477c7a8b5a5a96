"""One choice of a search space, from values that nobody vouches for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.spaces.gene import LARGEST_CHOICES, Gene, Need, choices_of


@given(st.lists(st.integers(1, 10**8), min_size=1, max_size=20, unique=True))
def test_its_values_ascend_and_are_what_was_given(values: list[int]) -> None:
    gene = Gene.of("mlp", values, "layer-1", deepens=True, needs=Need("depth", 2))
    assert gene.values == tuple(sorted(values))
    assert (gene.name, gene.block, gene.deepens) == ("mlp", "layer-1", True)
    assert gene.needs == Need("depth", 2)


def test_fractions_are_for_those_choices_that_may_be_one() -> None:
    assert Gene.of("ratio", (2, 1.5), "x", fractions=True).values == (1.5, 2)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (None, "must be a list"),
        ("16", "must be a list"),
        ({"16": 1}, "must be a list"),
        ([], "no choice"),
        ([16, 0], "0 is not a choice"),
        ([-8], "-8 is not a choice"),
        ([True], "True is not a choice"),
        (["16"], "'16' is not a choice"),
        ([[16]], "not a choice"),
        ([1.5], "whole numbers"),
        ([float("nan")], "not a choice"),
        ([float("inf")], "not a choice"),
        ([10**9], "not a choice"),
        ([10**5000], "thousands of digits"),
        ([16, 24, 16], "names a choice twice"),
        (list(range(1, LARGEST_CHOICES + 2)), f"more than {LARGEST_CHOICES}"),
    ],
)
def test_what_is_no_choice_is_refused(refused, values, words: str) -> None:
    with refused("embed", words):
        Gene.of("embed", values, "model")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, -0.5, True])
def test_a_fraction_is_a_number_above_0(refused, value) -> None:
    with refused("ratio", "numbers above 0"):
        Gene.of("ratio", [value], "x", fractions=True)


def test_one_number_stands_for_the_list_of_it() -> None:
    record = {"heads": 3, "ratio": 1.5, "flag": True, "list": [1, 2]}
    assert choices_of(record, "heads") == [3]
    assert choices_of(record, "ratio") == [1.5]
    assert choices_of(record, "flag") is True  # and is then refused
    assert choices_of(record, "list") == [1, 2]
    assert choices_of(record, "missing", 64) == [64]
    assert choices_of(record, "missing") is None
