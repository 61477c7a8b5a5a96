"""What several commands read the same way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from vitprof.cli.options.table_and_setting import seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("60s", 60.0),
        ("2m", 120.0),
        ("1h", 3600.0),
        ("1.5m", 90.0),
        ("0.25h", 900.0),
        (" 60 s ", 60.0),
        ("0.001s", 0.001),
        ("007", 7.0),
    ],
)
def test_a_time_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert seconds_of(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "s",
        "soon",
        "0",
        "0s",
        "0.0m",
        "-5",
        "+5",
        "1d",
        "60S",
        "1e3",
        "1.",
        ".5",
        "1,5m",
        "nan",
        "inf",
        "1m30s",
        "60 s s",
        "m1",
        "5\n5",
    ],
)
def test_what_is_no_time_is_refused_with_examples(
    text: str, refused: Callable[..., object]
) -> None:
    with refused("is not a time", "60s, 2m or 1h"):
        seconds_of(text)


def test_a_setting_that_cannot_be_is_one_sentence(run) -> None:
    answer = run("bench", "--model", "deit-tiny", "--device", "t4")
    assert answer.code == 2
    assert answer.is_one_sentence
    assert "Tesla T4" in answer.err
    answer = run("measure", "--sparsity", "2:4")
    assert (answer.code, answer.is_one_sentence) == (2, True)
    answer = run("measure", "--backend", "tensort")
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert "its backend is onnxruntime" in answer.err
