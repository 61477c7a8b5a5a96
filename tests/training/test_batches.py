"""The batches of a run: the same from disk whoever reads, resumes or shares them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from vitprof.training.batches import TrainingBatches
from vitprof.training.data.datasets import load_dataset
from vitprof.training.data.images import Dataset, Normalisation
from vitprof.training.data.kept_where import Loading
from vitprof.training.plan import TrainingPlan
from vitprof.training.processes import Processes

NORM = Normalisation((0.5,) * 3, (0.25,) * 3)
PLAN = TrainingPlan(batch=4, augment="deit", seed=3)
Pairs = list[tuple[torch.Tensor, torch.Tensor]]


@pytest.fixture
def on_disk(make_folder) -> Dataset:
    folder = make_folder(size=(20, 16), count=10)
    return load_dataset(str(folder), 8, loading=Loading("disk", workers=0))


def all_of(data: Dataset, plan: TrainingPlan = PLAN, first: int = 0, **others) -> Pairs:
    return list(TrainingBatches(data, NORM, plan, **others).from_step(first, 9))


def same(one: Pairs, other: Pairs) -> bool:
    return len(one) == len(other) and all(
        torch.equal(a, b) and torch.equal(c, d) for (a, c), (b, d) in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("repeats", [1, 3])
def test_a_run_goes_on_from_any_step(on_disk, repeats: int) -> None:
    plan = replace(PLAN, repeats=repeats)
    whole = all_of(on_disk, plan)
    assert len(whole) == 9  # 16 images: four steps an epoch
    assert not same(whole[:4], whole[4:8])
    for first in (1, 5):
        assert same(all_of(on_disk, plan, first), whole[first:])


@pytest.mark.parametrize("source", ["disk", "memory"])
def test_two_processes_share_what_one_has(on_disk, digits, source: str) -> None:
    data = on_disk if source == "disk" else digits
    norm = NORM if source == "disk" else Normalisation((0.5,), (0.25,))
    whole = list(TrainingBatches(data, norm, PLAN).from_step(0, 3))
    for rank in range(2):
        processes = Processes(rank, 2)
        share = list(TrainingBatches(data, norm, PLAN, processes=processes).from_step(0, 3))
        members = processes.members_of(4)
        for (images, targets), (all_images, all_targets) in zip(share, whole, strict=True):
            torch.testing.assert_close(images, all_images[members], rtol=0, atol=0)
            torch.testing.assert_close(targets, all_targets[members], rtol=0, atol=0)


def test_without_augmentation_disk_and_memory_are_the_same(on_disk, make_folder) -> None:
    plan = replace(PLAN, augment="none")
    stored = on_disk.train.stored
    assert stored is not None
    kept = load_dataset(stored.source.name, 8)
    assert same(all_of(on_disk, plan), all_of(kept, plan))


def test_a_repeated_image_is_varied_anew(on_disk) -> None:
    plan = replace(PLAN, repeats=2, augment="light")
    images, targets = all_of(on_disk, plan)[0]
    assert torch.equal(targets[0], targets[1])
    order = TrainingBatches(on_disk, NORM, plan).order
    _, _, chosen = next(order.steps(0, 1))
    assert chosen[0] == chosen[1]
    assert len(images) == 4
