"""A whole schedule of a method: what it gives, what is given before it, and what it is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from vitprof.compress.methods import TRAINING, all_methods, find_method
from vitprof.errors import UserError
from vitprof.training.plan import RECIPE_NAMES, TrainingPlan
from vitprof.training.recipes import NVIT

METHOD = find_method("nvit")


def taken(recipe: str | None = "nvit", **given):
    return METHOD.taken(given, "a model", recipe)


def test_nvits_is_the_papers() -> None:
    options, plan = taken()
    assert (options.prune_every, options.prune_learning_rate) == (100, 1e-4)
    assert options.prune_warmup * options.prune_epochs == plan.warmup * plan.epochs == 5
    assert plan == NVIT
    assert (plan.epochs, plan.learning_rate, plan.stochastic_depth) == (300, 2e-4, 0.1)
    whole = METHOD.recipe("nvit")
    assert whole.target == "0.54x,0.50x,0.39x,0.19x"
    assert whole.groups == {"embed": 16, "heads": 2, "qk": 8, "v": 8, "mlp": 16}


def test_what_is_given_counts_before_the_recipe() -> None:
    options, plan = taken(prune_every=7, epochs=30, ema=0.9)
    assert (options.prune_every, options.prune_learning_rate) == (7, 1e-4)
    # The warm-up stays as long in epochs, and pruning's is its own.
    assert options.prune_warmup == 0.1
    assert plan == replace(NVIT, epochs=30.0, ema=0.9, warmup=5 / 30)


def test_learning_rates_go_with_the_batch_unless_they_are_given() -> None:
    options, plan = taken(batch=256)
    assert (options.prune_learning_rate, plan.learning_rate) == (5e-5, 1e-4)
    options, plan = taken(batch=256, prune_learning_rate=3e-4, learning_rate=1e-3)
    assert (options.prune_learning_rate, plan.learning_rate) == (3e-4, 1e-3)


def test_a_recipe_of_training_leaves_the_methods_options() -> None:
    usual, own = taken(None)
    assert own == METHOD.training
    options, plan = taken("nvit-finetune")
    assert (options, plan) == (usual, NVIT)


def test_every_option_of_training_is_one_of_a_method_that_trains() -> None:
    assert set(TRAINING) == set(TrainingPlan.names()) - {"seed", "decay"}
    _, plan = taken(None, repeats=3, accumulate=2, limit_batches=4)
    assert plan == replace(METHOD.training, repeats=3, accumulate=2, limit_batches=4)


def test_no_recipe_of_a_method_has_the_name_of_one_of_training() -> None:
    for method in all_methods():
        assert not set(method.recipes) & set(RECIPE_NAMES)


@pytest.mark.parametrize(
    ("method", "recipe", "words"),
    [
        ("nvit", "nvti", "`recipe` 'nvti' is unknown (did you mean 'nvit'?)"),
        ("optin", "nvit", "`method` optin trains none"),
    ],
)
def test_what_cannot_be_is_one_sentence(method, recipe, words) -> None:
    with pytest.raises(UserError) as error:
        find_method(method).taken({}, "a model", recipe)
    assert words in str(error.value)
