"""How a model is trained: one dataclass for the options, the loop and what a run keeps of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import UserError, did_you_mean

if TYPE_CHECKING:
    from .data.augment import Augmentation

AUGMENTS = ("none", "light", "deit")
AUTOCASTS = ("auto", "bf16", "fp32")


@dataclass(frozen=True)
class TrainingPlan:
    """How long and how fast a model is trained.

    AdamW with `learning_rate` at its peak for `batch` images, up over `warmup` of all steps and
    down a cosine unless `decay` is False; gradients above the norm `clip` are scaled down to it (0:
    never). `augment` names one of `AUGMENTATIONS`; `autocast` is "bf16", "fp32", or "auto", which
    is settled before training. Raises UserError naming what is out of range.
    """

    epochs: float = 10.0
    batch: int = 128
    learning_rate: float = 5e-4
    weight_decay: float = 0.05
    augment: str = "none"
    autocast: str = "bf16"
    seed: int = 0
    warmup: float = 0.05
    decay: bool = True
    clip: float = 1.0

    def __post_init__(self) -> None:
        for name, value, fits, range_ in (
            ("epochs", self.epochs, self.epochs >= 0, "0 or more"),
            ("batch", self.batch, 1 <= self.batch <= 65536, "from 1 to 65536"),
            ("learning_rate", self.learning_rate, self.learning_rate > 0, "above 0"),
            ("weight_decay", self.weight_decay, self.weight_decay >= 0, "0 or more"),
        ):
            if not fits:
                raise UserError(f"`{name}` is {value}; it has to be {range_}.")
        for name, word, known in (
            ("augment", self.augment, AUGMENTS),
            ("autocast", self.autocast, AUTOCASTS),
        ):
            if word not in known:
                raise UserError(f"`{name}` '{word}' is unknown{did_you_mean(word, known)}.")

    @property
    def augmentation(self) -> Augmentation:
        from .data.augment import AUGMENTATIONS

        return AUGMENTATIONS[self.augment]
