"""Options of `vitprof prune`: what to come down to, and those of every method, as it tells them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from ...compress.methods import TRAINING, all_methods
from ...option_fields import OptionField, option_fields
from .renamed import RenamedOption

F = TypeVar("F", bound=Callable[..., Any])


def target_options(function: F) -> F:
    """Add --target, --target-macs and --target-params."""
    decorated: Any = function
    for option in (
        click.option("--target-params", help="The same in parameters: 0.5x, 5M."),
        click.option("--target-macs", help="The same in MACs: 0.5x, 300M."),
        click.option(
            "--target",
            cls=RenamedOption,
            old=["--target-latency"],
            help="The target latency: 12ms, or 0.54x of the model's own; several are separated "
            "by commas.",
        ),
    ):
        decorated = option(decorated)
    return decorated


def score_option(function: F) -> F:
    """Add --score, one of those that some method has."""
    methods = all_methods()
    every = dict.fromkeys(score for method in methods for score in method.scores)
    usual = ", ".join(f"{m.scores[0]} for {m.name}" for m in methods if m.scores)
    return click.option(
        "--score",
        type=click.Choice(tuple(every)),
        help=f"Measure of importance (default: {usual}).",
    )(function)


def method_recipes() -> dict[str, str]:
    """Return the help of every whole schedule that some method has, by its name."""
    every = [method.recipes.items() for method in all_methods()]
    return {name: recipe.help for recipes in every for name, recipe in recipes}


def method_options(function: F) -> F:
    """Add every method's options; several methods may have one in common."""
    decorated: Any = function
    for name, having in reversed(_by_name().items()):
        decorated = click.option(*_declaration(name, having), **_parameters(having))(decorated)
    return decorated


def given_method_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of methods, and of training, that the running command line gives."""
    names, context = {*_by_name(), *TRAINING}, click.get_current_context()
    return {
        name: value
        for name, value in given.items()
        if name in names and context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }


def _by_name() -> dict[str, dict[str, OptionField]]:
    """Return the options by name, each with the methods that have it."""
    found: dict[str, dict[str, OptionField]] = {}
    for method in all_methods():
        for field in option_fields(method.Options):
            found.setdefault(field.name, {})[method.name] = field
    return found


def _declaration(name: str, having: Mapping[str, OptionField]) -> list[str]:
    return [name, *dict.fromkeys(_option(f.spelling or f.name) for f in having.values())]


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _parameters(having: Mapping[str, OptionField]) -> dict[str, Any]:
    """Return what makes a click option of one field, or of several that have its name."""
    fields = list(having.values())
    first = fields[0]
    text = "; ".join(
        f"{' and '.join(m for m, f in having.items() if f.help == help_)}: {help_}"
        for help_ in dict.fromkeys(field.help for field in fields)
    )
    if first.default is None and first.shown:
        text += f" (default: {first.shown})"
    alike = all(
        (f.kind, f.choices, f.at_least, f.above)
        == (first.kind, first.choices, first.at_least, first.above)
        for f in fields
    )
    same_default = len({field.default for field in fields}) == 1
    usual = ", ".join(f"{field.default} for {method}" for method, field in having.items())
    return {
        "help": re.sub("`([a-z_]+)`", lambda match: _option(match[1]), f"{text}."),
        "cls": RenamedOption,
        "old": list(dict.fromkeys(_option(old) for field in fields for old in field.old)),
        "default": first.default,
        "show_default": usual if not same_default else first.default is not None,
        **(_type(first) if alike else {"type": str}),
    }


def _type(field: OptionField) -> dict[str, Any]:
    """Return what click takes for the field; a number or a word is read by the method."""
    if field.kind is bool:
        return {"is_flag": True, "show_default": False}
    if field.kind is Path:
        return {"type": click.Path(path_type=Path)}
    if field.kind is str:
        return {"type": click.Choice(field.choices) if field.choices else str}
    if field.choices:
        return {"type": str}
    bounds: dict[str, Any] = {"min": field.at_least}
    if field.above is not None:
        bounds = {"min": field.above, "min_open": True}
    return {"type": (click.IntRange if field.kind is int else click.FloatRange)(**bounds)}
