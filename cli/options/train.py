"""Options of how a model is trained, each a parameter of its own, named as in `TrainingPlan`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from ...option_fields import OptionField, option_fields
from ...training.plan import AUGMENTS, AUTOCASTS, OPTIMIZERS, RECIPE_NAMES, TrainingPlan
from .renamed import RenamedOption

F = TypeVar("F", bound=Callable[..., Any])

fused_attention_option = click.option(
    "--fused-attention",
    is_flag=True,
    help="Train with PyTorch's fused attention (flash, if available); vitprof bench-attention "
    "measures whether it is faster.",
)

fresh_option = click.option(
    "--fresh", is_flag=True, help="Start again if --out holds a run, instead of continuing it."
)


# What a choice of words is for each, and what else the option was called.
CHOICES = {"augment": AUGMENTS, "autocast": AUTOCASTS, "optimizer": OPTIMIZERS}
OLD = {"autocast": ["--precision"]}
# Options of every command that trains; the others belong to those that take a recipe.
USUAL = ("epochs", "batch", "learning_rate", "weight_decay", "augment", "autocast", "seed")
# Fields that a run sets by itself.
INNER = ("decay",)


def training_options(**defaults: Any) -> Callable[[F], F]:
    """Add --epochs, --batch, --learning-rate and the other usual ones, with these defaults."""
    plan = TrainingPlan(**{"augment": "light", "autocast": "auto", **defaults})

    def add(function: F) -> F:
        decorated: Any = function
        for name in reversed(USUAL):
            decorated = _option(FIELDS[name], getattr(plan, name))(decorated)
        return decorated

    return add


def recipe_options(**more: str) -> Callable[[F], F]:
    """Add --recipe, and every option that a recipe has a value for.

    more: recipes that the command has beside those of training, each with its help.
    """

    def add(function: F) -> F:
        decorated: Any = function
        for name, field in reversed(FIELDS.items()):
            if name not in (*USUAL, *INNER):
                decorated = _option(field, None)(decorated)
        return click.option(
            "--recipe",
            type=click.Choice((*more, *RECIPE_NAMES)),
            help="Defaults of a paper for options that are not given: "
            + "".join(f"{text}, " for text in more.values())
            + "deit (Touvron et al. 2021), nvit-finetune (NViT's finetuning), small (few epochs on "
            "small images).",
        )(decorated)

    return add


def given_training(given: Mapping[str, Any]) -> dict[str, Any]:
    """Take the training options out of a command's; return those that its command line gives."""
    context = click.get_current_context()
    return {
        name: given[name]
        for name in FIELDS
        if name in given and context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }


def _option(field: OptionField, default: Any) -> Callable[[F], F]:
    kind: Any = field.kind
    named = re.sub("`([a-z_]+)`", lambda match: f"--{match[1].replace('_', '-')}", field.help)
    about: dict[str, Any] = {
        "help": f"{named[0].upper()}{named[1:]}.",
        "cls": RenamedOption,
        "old": OLD.get(field.name, []),
        "default": default,
        "show_default": default is not None,
    }
    if kind is bool:
        about.update(is_flag=True, default=False, show_default=False)
    else:
        choices = CHOICES.get(field.name)
        about["type"] = click.Choice(choices) if choices else kind
    return click.option(f"--{field.name.replace('_', '-')}", **about)


FIELDS = {field.name: field for field in option_fields(TrainingPlan)}
