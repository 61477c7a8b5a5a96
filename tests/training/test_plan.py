"""A plan refuses what cannot be trained by."""

from __future__ import annotations

import pytest
from vitprof.errors import UserError
from vitprof.training.data.augment import AUGMENTATIONS
from vitprof.training.plan import AUGMENTS, TrainingPlan


def test_every_name_has_its_augmentation() -> None:
    assert set(AUGMENTS) == set(AUGMENTATIONS)
    assert TrainingPlan(augment="deit").augmentation == AUGMENTATIONS["deit"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"epochs": -0.5}, "`epochs` is -0.5; it has to be from 0 to 1000000"),
        ({"epochs": float("nan")}, "`epochs` is nan"),
        ({"batch": 70000}, "`batch` is 70000; it has to be from 1 to 65536"),
        ({"learning_rate": 0}, "`learning_rate` is 0; it has to be above 0"),
        ({"weight_decay": -1}, "`weight_decay` is -1"),
        ({"augment": "diet"}, "did you mean 'deit'"),
        ({"autocast": "fp8"}, "`autocast` 'fp8' is unknown"),
        ({"limit_batches": 0}, "`limit_batches` is 0; it has to be 1 or more"),
    ],
)
def test_what_is_out_of_range_is_named(changed, words) -> None:
    with pytest.raises(UserError) as error:
        TrainingPlan(**changed)
    assert words in str(error.value)
