"""How a model is trained: one dataclass for the options, the loop and what a run keeps of them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from ..errors import UserError, did_you_mean
from ..option_fields import option

if TYPE_CHECKING:
    from .data.augment import Augmentation

AUGMENTS = ("none", "light", "deit", "randaugment")
OPTIMIZERS = ("adamw", "muon")
AUTOCASTS = ("auto", "bf16", "fp16", "fp32")
RECIPE_NAMES = ("small", "deit", "nvit-finetune")
# What an augmentation's parameters are called as options of a run.
OVERRIDES = ("mixup", "cutmix", "erase", "smoothing", "rand_augment")


MOST_EPOCHS = 1_000_000


@dataclass(frozen=True)
class TrainingPlan:
    """How long and how fast a model is trained.

    By `optimizer`, with `learning_rate` at its peak for `batch` images, up over `warmup` of all
    steps and down a cosine to `final_learning_rate` unless `decay` is False; gradients above the
    norm `clip` are scaled down to it (0: never). `augment` names one of `AUGMENTATIONS`; `mixup`,
    `cutmix`, `erase`, `smoothing` and `rand_augment` say otherwise for one of its parts (None: as
    it has it). `repeats`: every image is so many times in a batch, varied again (repeated
    augmentation). `stochastic_depth`: chance of the last block's branches to be left out, falling
    to 0 at the first. `patch_dropout`: share of the patches that a step leaves out (a ViT's).
    `layer_decay`: factor of the learning rate from each block to the one before. `accumulate`: a
    batch is computed in so many parts. `ema`: decay of the average of the weights that is kept
    beside them (0: none). `compile`: by torch.compile; `checkpointing`: activations of blocks are
    computed again in place of being kept. `limit_batches`: the run stops after so many steps, as if
    that had been asked for (a dry run). `autocast` is "bf16", "fp16", "fp32", or "auto", which is
    settled before training.
    Raises UserError naming what is out of range.
    """

    epochs: float = option(10.0, "how often every image is seen")
    batch: int = option(128, "images a step, over all processes")
    learning_rate: float = option(5e-4, "peak learning rate of AdamW; then it follows a cosine")
    weight_decay: float = option(0.05, "AdamW's")
    augment: str = option(
        "none",
        "light: crop, flip, label smoothing; deit adds mixup, cutmix and erasing; randaugment adds "
        "RandAugment (timm's)",
    )
    autocast: str = option(
        "bf16", "number format of the computation; auto takes bf16 if the device supports it"
    )
    seed: int = option(0, "seed of everything drawn")
    warmup: float = option(0.05, "share of the steps over which the learning rate rises")
    decay: bool = option(True, "whether the learning rate falls after the warm-up")
    clip: float = option(
        1.0, "largest norm of the gradients; they are scaled down to it. 0: no limit"
    )
    final_learning_rate: float = option(0.0, "learning rate at the end of the cosine")
    repeats: int = option(
        1,
        "how often an image is in a batch, each time augmented differently (repeated augmentation)",
    )
    stochastic_depth: float = option(
        0.0, "probability that the last block is skipped; it falls linearly to 0 at the first"
    )
    patch_dropout: float = option(
        0.0, "share of a ViT's patches that a step leaves out, others for every image"
    )
    layer_decay: float = option(
        1.0, "factor of the learning rate from each block to the one before it"
    )
    accumulate: int = option(1, "number of parts in which a batch is computed, one after the other")
    ema: float = option(
        0.0, "decay of the moving average of the weights, which becomes the result. 0: no average"
    )
    compile: bool = option(False, "use torch.compile")
    checkpointing: bool = option(
        False, "recompute activations in the backward pass instead of keeping them"
    )
    mixup: float | None = option(None, "mixup's α, instead of `augment`'s; 0: none")
    cutmix: float | None = option(None, "cutmix's α, instead of `augment`'s; 0: none")
    erase: float | None = option(None, "share of images with a rectangle erased")
    smoothing: float | None = option(None, "share of a label spread over all classes")
    rand_augment: str | None = option(
        None, "RandAugment in timm's notation, e.g. rand-m9-mstd0.5-inc1"
    )
    optimizer: str = option(
        "adamw",
        "muon: Muon for the matrices of the blocks and AdamW for the rest; learns more from each "
        "step, and is slow on a device without bf16",
    )
    limit_batches: int | None = option(
        None, "dry run: at most this many batches of each phase, including testing"
    )

    def __post_init__(self) -> None:
        for name, fits, range_ in (
            ("epochs", 0 <= self.epochs <= MOST_EPOCHS, f"from 0 to {MOST_EPOCHS}"),
            ("batch", 1 <= self.batch <= 65536, "from 1 to 65536"),
            ("learning_rate", self.learning_rate > 0, "above 0"),
            ("weight_decay", self.weight_decay >= 0, "0 or more"),
            ("warmup", 0 <= self.warmup <= 1, "from 0 to 1"),
            ("clip", self.clip >= 0, "0 or more"),
            (
                "final_learning_rate",
                0 <= self.final_learning_rate <= self.learning_rate,
                "from 0 to `learning_rate`",
            ),
            ("repeats", 1 <= self.repeats <= self.batch, "from 1 to `batch`"),
            ("stochastic_depth", 0 <= self.stochastic_depth < 1, "from 0 to below 1"),
            ("patch_dropout", 0 <= self.patch_dropout < 1, "from 0 to below 1"),
            ("layer_decay", 0 < self.layer_decay <= 1, "above 0 and at most 1"),
            ("accumulate", 1 <= self.accumulate <= self.batch, "from 1 to `batch`"),
            ("ema", 0 <= self.ema < 1, "from 0 to below 1"),
            ("mixup", (self.mixup or 0) >= 0, "0 or more"),
            ("cutmix", (self.cutmix or 0) >= 0, "0 or more"),
            ("erase", 0 <= (self.erase or 0) <= 1, "from 0 to 1"),
            ("smoothing", 0 <= (self.smoothing or 0) < 1, "from 0 to below 1"),
            ("limit_batches", self.limit_batches is None or self.limit_batches > 0, "1 or more"),
        ):
            if not fits:
                raise UserError(f"`{name}` is {getattr(self, name)}; it has to be {range_}.")
        for name, word, known in (
            ("augment", self.augment, AUGMENTS),
            ("autocast", self.autocast, AUTOCASTS),
            ("optimizer", self.optimizer, OPTIMIZERS),
        ):
            if word not in known:
                raise UserError(f"`{name}` '{word}' is unknown{did_you_mean(word, known)}.")

    @property
    def augmentation(self) -> Augmentation:
        from .data.augment import AUGMENTATIONS

        given = {name: getattr(self, name) for name in OVERRIDES}
        return replace(
            AUGMENTATIONS[self.augment],
            **{name: value for name, value in given.items() if value is not None},
        )

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of all fields."""
        return tuple(field.name for field in fields(cls))
