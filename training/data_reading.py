"""How a run reads its images, and the notes about it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import UserError
from ..notes import note
from .data.held_out import some_of
from .data.images import Dataset
from .data.kept_where import Keep, Loading, OnDamaged
from .data.rand_augment import timms_rand_augment
from .data.reader import waiting_bytes
from .fit import check_batch

if TYPE_CHECKING:
    from .plan import TrainingPlan


def loading_of(
    plan: TrainingPlan, keep: Keep, workers: int | None, on_damaged: OnDamaged
) -> Loading:
    """Return how images are read; UserError for what does not go with the plan.

    RandAugment takes images as they are stored, so with it they stay on disk. Without timm it is
    refused here, before any work is done.
    """
    if plan.augmentation.rand_augment:
        if keep == "memory":
            raise UserError("RandAugment takes images on disk; omit `keep`, or give disk.")
        timms_rand_augment()
        keep = "disk"
    return Loading(keep, workers, on_damaged)


def ready_data(data: Dataset, plan: TrainingPlan, says: bool = True) -> Dataset:
    """Return the data that a plan trains and tests on, and say how images on disk are read.

    A dry run tests on no more images than `limit_batches` batches hold. says: whether the user is
    told. Raises UserError where there is no whole batch, or RandAugment is asked for and images are
    arrays.
    """
    check_batch(data, plan.batch)
    _check_varied(data, plan)
    if says:
        _say_how_read(data, plan)
    if plan.limit_batches is None:
        return data
    return replace(data, test=some_of(data.test, plan.limit_batches * plan.batch))


def read_from(data: object) -> str:
    """Return "disk" for images that are read as they come, else "memory"."""
    on_disk = isinstance(data, Dataset) and data.train.stored is not None
    return "disk" if on_disk else "memory"


def _check_varied(data: Dataset, plan: TrainingPlan) -> None:
    if data.train.stored is None and plan.augmentation.rand_augment:
        raise UserError(
            f"RandAugment takes image files, and {data.train.name} holds arrays; take "
            "`augment` deit."
        )


def _say_how_read(data: Dataset, plan: TrainingPlan) -> None:
    stored = data.train.stored
    if stored is None:
        return
    waiting = waiting_bytes(stored, plan.batch) / 2**20
    readers = stored.loading.processes
    note(
        f"{len(data.train)} images are read from {data.train.name} by "
        f"{readers} process{'' if readers == 1 else 'es'}; at most {waiting:.3g} MiB of them wait "
        "in memory."
    )
