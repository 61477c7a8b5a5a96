"""JSON, TOML and YAML of somebody else: small files that would take the machine are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from vitprof.untrusted.structured import json_object, json_value, toml_table, yaml_mapping

Refused = Callable[..., Any]


def test_what_is_within_the_limits_is_read() -> None:
    assert json_object('{"a": [1, "\\ud83d\\ude00[[["], "b": {}}', "x") == {
        "a": [1, "\U0001f600[[["],
        "b": {},
    }
    assert json_value("3", "x") == 3
    assert toml_table('[a.b]\nc."d.e" = [0.1, 0.2]\n# ' + "a." * 30, "x")["a"]["b"]
    assert yaml_mapping("a: {mean: 1}\nb: [x, 2]\n", "x") == {"a": {"mean": 1}, "b": ["x", 2]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, ["nested too deeply: the depth is 65, more than 64", "VITPROF_DEEPEST=65"]),
        ('{"a":' * 70 + "1" + "}" * 70, ["nested too deeply"]),
        ("[" + "1," * 2_000_001 + "1]", ["the number of its values", "VITPROF_MOST_ITEMS"]),
        ("[" + "1" * 5000 + "]", ["thousands of digits"]),
        ('{"a": 1, "b": 2, "a": 3}', ["'a' is given twice"]),
        ("[NaN]", ["NaN is not a number"]),
        ('{"a": "\\ud800"}', ["half of a sign"]),
        ('{"\\ud800": 1}', ["half of a sign"]),
        ('{"a": ', ["line 1, column"]),
        ("[1]", ["is not a JSON object"]),
    ],
)
def test_json_that_is_refused(text: str, words: list[str], refused: Refused) -> None:
    with refused("file.json", *words):
        json_object(text, "file.json")


def test_of_many_keys_the_one_that_stands_twice_is_found(refused: Refused) -> None:
    """Counting each of them took minutes."""
    keys = ", ".join(f'"k{n}": 1' for n in range(60_000))
    with refused("'k59999' is given twice"):
        json_object("{" + keys + ', "k59999": 2}', "x")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\n" + "a." * 100_000 + "a = 1", ["line 2", "over 16 parts"]),
        ("[" + '"a" . ' * 100_000 + "a]", ["line 1", "over 16 parts"]),
        ("x = {" + "a." * 20 + "a = 1}", ["over 16 parts"]),
        ("a = " + "[" * 5000, ["nested too deeply"]),
        ("a = ", ["not valid TOML"]),
        ("a" * 300_000, ["not valid TOML"]),
    ],
)
def test_toml_that_is_refused(text: str, words: list[str], refused: Refused) -> None:
    with refused("file.toml", *words):
        toml_table(text, "file.toml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &x [1]\nb: *x", ["line 2", "aliases"]),
        ("a: !!python/object/apply:os.system [ls]", ["line 1", "tags"]),
        ("? [a, b]\n: 1", ["line 1", "not a key"]),
        ("? {a: b}\n: 1", ["not a key"]),
        ('a: !!int ""', ["tags"]),
        ("a: !!bool x", ["tags"]),
        ("a: !!timestamp x", ["tags"]),
        ("a: !!map [x]", ["tags"]),
        ("a: !!map [[x, y]]", ["tags"]),
        ('a: "\\UFFFFFFFF"', ["not valid YAML"]),
        ("a: 2001-99-99", ["not valid YAML"]),
        ("a: 1\nb: 2\na: 3", ["line 3", "'a' appears twice"]),
        ("a: " + "[" * 3000, ["nested too deeply"]),
        ("- 1", ["not a mapping"]),
        ("a: [", ["not valid YAML"]),
    ],
)
def test_yaml_that_is_refused(text: str, words: list[str], refused: Refused) -> None:
    with refused("file.yaml", *words):
        yaml_mapping(text, "file.yaml")


def test_a_limit_is_lifted_by_the_variable_that_the_error_names(
    monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    text = "[" * 70 + "]" * 70
    with refused("VITPROF_DEEPEST=65"):
        json_value(text, "x")
    monkeypatch.setenv("VITPROF_DEEPEST", "70")
    assert isinstance(json_value(text, "x"), list)
    monkeypatch.setenv("VITPROF_DEEPEST", "many")
    with refused("VITPROF_DEEPEST='many' is not a whole number"):
        json_value(text, "x")
