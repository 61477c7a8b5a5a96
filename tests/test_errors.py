"""Errors that users cause: their sentences, and the word that was probably meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.errors import DeviceBusyError, UnfinishedError, UserError, did_you_mean


@given(st.text())
def test_no_sign_of_a_name_reaches_a_terminal(name: str) -> None:
    for error in (
        UserError(f"unknown op '{name}'."),
        DeviceBusyError(f"{name} has the device."),
        UnfinishedError(f"{name} is left.", done=1, missing=1),
    ):
        assert str(error).isprintable()
        assert str(UserError(str(error))) == str(error)
    if name.isprintable():
        assert str(UserError(name)) == name


def test_a_table_with_a_control_character_in_an_op() -> None:
    from vitprof.models import Block

    with pytest.raises(UserError, match=r"unknown op 'attentio\\x1an' \(did you mean 'attention'"):
        Block.of("attentio\x1an", embed=4)


def test_a_parameter_is_spelled_as_it_was_given() -> None:
    error = UserError("`max_latency` is 0.")
    assert error.worded(lambda name: "--" + name.replace("_", "-")) == "--max-latency is 0."


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("attenton", " (did you mean 'attention'?)"),
        ("t5", " (did you mean 't4'?)"),
        ("zzzzzz", " (known: attention, mlp, t4)"),
    ],
)
def test_the_nearest_word_or_all(word: str, said: str) -> None:
    assert did_you_mean(word, ["mlp", "t4", "attention"]) == said
