"""How a run reads its images, and what the user is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import UserError
from ..notes import note
from .data.kept_where import Keep, Loading, OnDamaged
from .data.reader import waiting_bytes

if TYPE_CHECKING:
    from .data.images import Dataset
    from .plan import TrainingPlan


def loading_of(
    plan: TrainingPlan, keep: Keep, workers: int | None, on_damaged: OnDamaged
) -> Loading:
    """Return how images are read; UserError for what does not go with the plan.

    RandAugment takes images as they are stored, so with it they stay on disk.
    """
    if plan.augmentation.rand_augment:
        if keep == "memory":
            raise UserError("RandAugment takes images on disk; leave `keep` away, or give disk.")
        keep = "disk"
    return Loading(keep, workers, on_damaged)


def say_how_read(data: Dataset, plan: TrainingPlan) -> None:
    """Say of images on disk how they are read, and what memory that takes.

    Raises UserError where RandAugment is asked for and images are arrays.
    """
    stored = data.train.stored
    if stored is None:
        if plan.augmentation.rand_augment:
            raise UserError(
                f"RandAugment takes image files, and {data.train.name} holds arrays; take "
                "`augment` deit."
            )
        return
    waiting = waiting_bytes(stored, plan.batch) / 2**20
    readers = stored.loading.processes
    note(
        f"{len(data.train)} images are read from {data.train.name} by "
        f"{readers} process{'' if readers == 1 else 'es'}; at most {waiting:.3g} MiB of them wait "
        "in memory."
    )
