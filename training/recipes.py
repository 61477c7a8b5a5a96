"""Recipes: how the papers trained, as values of a training's options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..errors import UserError, did_you_mean
from ..option_fields import option_fields
from .plan import TrainingPlan

WARMUP_EPOCHS = 5.0

SMALL = TrainingPlan(epochs=20, learning_rate=1e-3, augment="light", autocast="auto")
# Touvron et al. 2021, table 9 and section 6: 300 epochs, 5 of them warm-up, at 0.0005 x batch / 512
# (here of 1024), down to 1e-5; its code clips no gradients.
DEIT = TrainingPlan(
    epochs=300,
    batch=1024,
    learning_rate=1e-3,
    weight_decay=0.05,
    augment="randaugment",
    autocast="auto",
    warmup=WARMUP_EPOCHS / 300,
    clip=0.0,
    final_learning_rate=1e-5,
    repeats=3,
    stochastic_depth=0.1,
    ema=0.99996,
)
# NViT's finetuning: 300 epochs from 2e-4 (for a batch of 512) down a cosine, stochastic depth 0.1,
# and otherwise as DeiT trains. The weights of the end count, not their average.
NVIT = replace(DEIT, batch=512, learning_rate=2e-4, ema=0.0)

RECIPES: Mapping[str, TrainingPlan] = {"small": SMALL, "deit": DEIT, "nvit-finetune": NVIT}


def plan_of(recipe: str, given: Mapping[str, Any]) -> TrainingPlan:
    """Return a recipe's plan with the options that are given.

    Where the batch is given and the learning rate is not, the rate goes with the batch, but for
    the recipe small; the warm-up stays as long in epochs where the epochs are others. Raises
    UserError for a recipe or an option that is unknown.
    """
    if recipe not in RECIPES:
        raise UserError(f"`recipe` '{recipe}' is unknown{did_you_mean(recipe, RECIPES)}.")
    return changed_plan(RECIPES[recipe], given, by_rule=recipe != "small")


def changed_plan(base: TrainingPlan, given: Mapping[str, Any], by_rule: bool) -> TrainingPlan:
    """Return a plan with the options that are given; see `plan_of`.

    by_rule: whether learning rate and warm-up go with the batch and the epochs.
    """
    fields = {field.name: field for field in option_fields(TrainingPlan)}
    unknown = [name for name in given if name not in fields]
    if unknown:
        raise UserError(f"training has no option `{unknown[0]}`{did_you_mean(unknown[0], fields)}.")
    chosen = {name: fields[name].taken(value) for name, value in given.items()}
    if by_rule:
        if "batch" in given and "learning_rate" not in given:
            chosen["learning_rate"] = base.learning_rate * chosen["batch"] / base.batch
        if "epochs" in given and "warmup" not in given:
            chosen["warmup"] = min(base.warmup * base.epochs / max(chosen["epochs"], 1e-9), 1.0)
        if "learning_rate" in chosen and "final_learning_rate" not in given:
            chosen["final_learning_rate"] = min(base.final_learning_rate, chosen["learning_rate"])
        if "batch" in given and "repeats" not in given:
            chosen["repeats"] = min(base.repeats, chosen["batch"])
    return replace(base, **chosen)
