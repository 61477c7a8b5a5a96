"""The first difference of two headers, in words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.tables.difference import first_difference

JSON = st.dictionaries(
    st.sampled_from("abc"),
    st.integers(0, 2) | st.dictionaries(st.sampled_from("xy"), st.integers(0, 2)),
)


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        ({"cpu": "A"}, {"cpu": "B"}, "cpu: 'A' and 'B'"),
        ({"m": {"cpu": "A", "l2": 1}}, {"m": {"cpu": "A", "l2": 2}}, "m.l2: 1 and 2"),
        ({}, {"cpu": "B"}, "cpu: None and 'B'"),
        ({"cpu": "A"}, {}, "cpu: 'A' and None"),
        ({"m": {"cpu": "A"}}, {"m": "A"}, "m: {'cpu': 'A'} and 'A'"),
        (None, {"a": 1}, "a: None and 1"),
    ],
)
def test_it_says_where_and_what(before: object, now: object, words: str) -> None:
    assert first_difference(before, now) == words


@given(before=JSON, now=JSON)
def test_nothing_differs_exactly_when_both_are_equal(before: dict, now: dict) -> None:
    assert (first_difference(before, now) == "") == (before == now)
    assert first_difference(before, json.loads(json.dumps(before))) == ""
