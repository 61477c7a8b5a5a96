"""What all verbs have in common: typed, described, and taking what their command takes."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable

import pytest
import vitprof
from vitprof.cli.command_list import COMMANDS
from vitprof.cli.main import vitprof as commands

# `search` is a room and `eval` a builtin, so these verbs have names of their own.
VERBS = {
    "devices",
    "doctor",
    "plan",
    "measure",
    "predict",
    "compare",
    "compare_runtimes",
    "validate",
    "calibrate",
    "bench",
    "breakdown",
    "variants",
    "gate",
    "train",
    "evaluate",
    "prune",
    "prune_heads",
    "search_models",
    "supernet",
    "impact",
    "distill",
    "quantize",
    "choose",
    "choose_deployment",
    "pipeline",
    "build",
    "bench_attention",
    "push_table",
    "pull_tables",
    "transfer",
    "transfer_models",
    "report",
    "ceilings",
    "schema",
}
VERB_OF = {"eval": "evaluate", "search": "search_models"}
# Of how a command prints and what it writes of the result, which is save() and plot() in Python.
OF_PRINTING = {
    "as_json",
    "out",
    "plot",
    "trace",
    "csv_path",
    "top",
    "device_files",
    "old_space",
    "wide",
    "wait",  # in Python `with vitprof.waiting(...)`
    "no_lock",  # in Python `with vitprof.without_lock()`
    "log",  # results in a tracker
    "model_explorer",  # save_model_explorer() of the result
    "places",  # the table and the model, by place
    "junit",
    "summary",
}
# Of the plan that measure and build are given, and of the chosen method's own options.
GIVEN_OTHERWISE = {
    # With --models the command calls `vitprof.transfer_models`.
    "transfer": set(inspect.signature(vitprof.transfer_models).parameters),
    "measure": set(inspect.signature(vitprof.plan).parameters),
    "build": set(inspect.signature(vitprof.plan).parameters),
    # With --runtimes the command calls `vitprof.choose_deployment`.
    "choose": set(inspect.signature(vitprof.choose_deployment).parameters),
    # With --published the command calls `vitprof.published_variants`.
    "variants": {"published", *inspect.signature(vitprof.published_variants).parameters},
    # With --runtimes the command calls `vitprof.compare_runtimes`.
    "compare": {"dtypes", "paths", *inspect.signature(vitprof.compare_runtimes).parameters},
}


def verb(name: str) -> Callable:
    return getattr(vitprof, name)


@pytest.mark.parametrize("name", sorted(VERBS))
def test_a_verb_is_typed_and_described(name: str) -> None:
    function = verb(name)
    signature = inspect.signature(function)
    for parameter in signature.parameters.values():
        assert parameter.annotation is not parameter.empty, parameter.name
    assert signature.return_annotation is not signature.empty
    text = inspect.getdoc(function) or ""
    assert "Raises" in text or name == "devices"
    assert f"vitprof.{name}(" in text  # an example
    for parameter in signature.parameters.values():
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            assert re.search(rf"\b{parameter.name}\b", text), f"says nothing of {parameter.name}"


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_verb_takes_what_its_command_takes(command: str) -> None:
    name = VERB_OF.get(command, command.replace("-", "_"))
    if name not in VERBS:
        assert command in {"table", "models", "space", "check-plugin", "completion"}
        return
    made = commands.get_command(None, command)  # type: ignore[arg-type]
    assert made is not None
    options = {
        "table" if str(one.name) == "table_path" else str(one.name) for one in made.params
    } - OF_PRINTING
    signature = inspect.signature(verb(name))
    if any(one.kind is one.VAR_KEYWORD for one in signature.parameters.values()):
        return  # a method's own options, by keyword
    assert options <= set(signature.parameters) | GIVEN_OTHERWISE.get(name, set())


def test_every_name_is_there_and_listed() -> None:
    assert set(vitprof.__all__) >= VERBS
    for name in vitprof.__all__:
        assert getattr(vitprof, name) is not None
    with pytest.raises(AttributeError, match="no_such_verb"):
        importlib.import_module("vitprof").no_such_verb  # noqa: B018
