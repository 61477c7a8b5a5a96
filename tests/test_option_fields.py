"""Options told once: what a field takes, and what it refuses by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from vitprof.errors import UserError
from vitprof.option_fields import changed_options, option, option_fields, taken_options


@dataclass(frozen=True)
class Options:
    count: int = option(3, "how many", at_least=1)
    rate: float | None = option(None, "how fast", above=0)
    eta: float | Literal["auto"] = option("auto", "a number or a word", at_least=0)
    kind: Literal["one", "two"] = option("one", "which")
    place: Path | None = option(None, "where")  # noqa: RUF009
    deep: bool = option(False, "whether")
    words: str = option("", "what is said")


def test_values_come_in_the_fields_type() -> None:
    given = {"count": "4", "rate": 2, "eta": "0.5", "kind": "two", "place": "x", "deep": True}
    found = taken_options(Options, given)
    assert found == Options(4, 2.0, 0.5, "two", Path("x"), True)
    assert isinstance(found.rate, float)
    assert changed_options(found) == {
        "count": 4,
        "rate": 2.0,
        "eta": 0.5,
        "kind": "two",
        "place": Path("x"),
        "deep": True,
    }
    assert taken_options(Options, {"rate": None, "eta": "auto"}) == Options()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("count", 0, "`count` 0 is not a whole number from 1 on"),
        ("count", 2.0, "is not a whole number"),
        ("count", True, "is not a whole number"),
        ("count", None, "`count` None is not a whole number"),
        ("rate", 0, "`rate` 0 is not a number above 0"),
        ("rate", float("nan"), "`rate` nan is not a number"),
        ("eta", "much", "`eta` much is neither auto nor a number from 0 on"),
        ("kind", "too", "did you mean 'two'?"),
        ("place", 3, "`place` 3 is not a path"),
        ("deep", 1, "`deep` 1 is not True or False"),
        ("words", 1, "`words` 1 is not a text"),
    ],
    ids=str,
)
def test_another_value_is_refused_by_name(name, value, words) -> None:
    with pytest.raises(UserError) as caught:
        taken_options(Options, {name: value})
    assert words in str(caught.value)


def test_a_field_that_is_no_option_is_a_mistake() -> None:
    @dataclass(frozen=True)
    class Wrong:
        count: int = 3

    with pytest.raises(TypeError, match=r"Wrong\.count"):
        option_fields(Wrong)
