"""A gate's file: the budgets of a team, in TOML, read strictly.

    table = "lut.csv"

    [[budget]]
    model = "deit-tiny"
    max_latency = "12ms"

    [[regression]]
    base = "base.onnx"
    head = "head.onnx"
    max_regression = "5%"

Files are looked for beside it. A key that is not known is refused, never left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...models.checks import check_known_fields, shown
from ...tables.setting import PartialSetting
from ...untrusted.files import read_text
from ...untrusted.structured import toml_table
from .measured import Comparison
from .predicted import Budget

LARGEST_FILE_BYTES = 100_000
MOST_ENTRIES = 500
BUDGET, REGRESSION = "budget", "regression"
_TEXT, _QUANTITY, _FLAG, _NUMBER = (str,), (str, int, float), (bool,), (int,)
_SETTING: Mapping[str, tuple[type, ...]] = {
    field.name: _NUMBER if field.name in ("batch", "threads") else _TEXT
    for field in dataclasses.fields(PartialSetting)
}
_KEYS: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    BUDGET: {
        "model": _TEXT,
        "table": _TEXT,
        "max_latency": _QUANTITY,
        "max_memory": _QUANTITY,
        "max_params": _QUANTITY,
        "max_macs": _QUANTITY,
        "at": _TEXT,
        "extrapolate": _FLAG,
        "require_device": _TEXT,
    },
    REGRESSION: {
        "base": _TEXT,
        "head": _TEXT,
        "max_regression": _TEXT,
        "allow_other_outputs": _FLAG,
        "time": _QUANTITY,
        "sessions": _NUMBER,
        **_SETTING,
    },
}
_REQUIRED = {BUDGET: ("model",), REGRESSION: ("base", "head", "max_regression")}
_FILES = ("model", "table", "base", "head")
_WORDS: Mapping[tuple[type, ...], str] = {
    _TEXT: "a text",
    _QUANTITY: "a text or a number",
    _FLAG: "true or false",
    _NUMBER: "a whole number",
}


def read_gate_file(path: Path) -> tuple[list[Budget], list[Comparison]]:
    """Return what a gate's file asks for; raises UserError naming its first mistake."""
    config = _toml(path)
    where = str(path)
    _check(config, ("table", *_KEYS), where)
    table = config.get("table")
    if table is not None and not isinstance(table, str):
        raise UserError(f"{where}: table={shown(table)} has to be a text.")
    budgets, comparisons = [], []
    for kind in _KEYS:
        for number, entry in enumerate(_entries(config, kind, where), 1):
            place = f"{where}, [[{kind}]] {number}"
            given = _checked(entry, kind, place)
            if kind == BUDGET and table is not None:
                given.setdefault("table", table)
            given = {name: _beside(path, name, value) for name, value in given.items()}
            try:
                if kind == BUDGET:
                    budgets.append(Budget(**given, place=place))
                else:
                    comparisons.append(_comparison(given))
            except UserError as error:
                raise UserError(f"{place}: {error}") from None
    if not budgets and not comparisons:
        raise UserError(f"{where} has neither a [[budget]] nor a [[regression]]; add one.")
    return budgets, comparisons


def _toml(path: Path) -> dict[str, Any]:
    return toml_table(read_text(path, "a gate's file", LARGEST_FILE_BYTES), str(path))


def _entries(config: Mapping[str, Any], kind: str, where: str) -> Sequence[Mapping[str, Any]]:
    entries = config.get(kind, [])
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise UserError(f"{where}: write {kind} as [[{kind}]], for there may be several.")
    if len(entries) > MOST_ENTRIES:
        raise UserError(f"{where} has more than {MOST_ENTRIES} entries [[{kind}]].")
    return entries


def _checked(entry: Mapping[str, Any], kind: str, where: str) -> dict[str, Any]:
    """Return an entry whose keys and types are right."""
    known = _KEYS[kind]
    _check(entry, known, where)
    for name in _REQUIRED[kind]:
        if name not in entry:
            raise UserError(f"{where}: {name} is missing; add it.")
    for name, value in entry.items():
        kinds = known[name]
        is_flag = isinstance(value, bool)
        if not isinstance(value, kinds) or (is_flag and kinds != _FLAG) or value == "":
            raise UserError(f"{where}: {name}={shown(value)} has to be {_WORDS[kinds]}.")
    return dict(entry)


def _check(given: Mapping[str, Any], known: Any, where: str) -> None:
    try:
        check_known_fields(given, known)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def _beside(path: Path, name: str, value: Any) -> Any:
    """Return a file's path as it is beside the gate's file; a model's name as it is."""
    if name not in _FILES:
        return value
    beside = path.parent / value
    try:
        is_file = name == "table" or beside.exists()
    except (OSError, ValueError):  # a name that is not a path
        is_file = False
    return str(beside) if is_file else value


def _comparison(given: Mapping[str, Any]) -> Comparison:
    setting = {name: value for name, value in given.items() if name in _SETTING}
    others = {name: value for name, value in given.items() if name not in _SETTING}
    return Comparison(setting=PartialSetting(**setting), **others)
