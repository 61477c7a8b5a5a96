"""The order of images follows from the seed alone, and every image comes once an epoch."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from vitprof.training.data import order
from vitprof.training.data.order import Batches, epoch_order


class Some:
    """n images in memory, or in shards that begin at `starts`."""

    def __init__(self, count: int, starts: list[int] | None = None) -> None:
        self.count = count
        self.stored: Any = None
        if starts is not None:
            source = SimpleNamespace(starts=np.array(starts))
            self.stored = SimpleNamespace(indices=np.arange(count), source=source)

    def __len__(self) -> int:
        return self.count


@given(st.integers(1, 50), st.integers(0, 5), st.integers(0, 5), st.integers(1, 12))
def test_an_epoch_has_every_image_once(count: int, seed: int, epoch: int, shards: int) -> None:
    starts = sorted({0, *np.linspace(0, count, shards, endpoint=False).astype(int).tolist()})
    for images in (Some(count), Some(count, starts)):
        found = epoch_order(images, seed, epoch)
        assert sorted(found.tolist()) == list(range(count))
        assert found.equal(epoch_order(images, seed, epoch))


def test_neighbours_come_from_few_shards(monkeypatch) -> None:
    monkeypatch.setattr(order, "SHARDS_AT_ONCE", 2)
    found = epoch_order(Some(60, list(range(0, 60, 10))), 0, 0)
    shards = [set((part // 10).tolist()) for part in found.split(20)]
    assert [len(part) for part in shards] == [2, 2, 2]
    assert set().union(*shards) == set(range(6))
    first = found[:20]
    assert not first.equal(first.sort().values)  # both shards' images are mixed


def test_repeats_stand_together_and_an_epoch_is_as_long() -> None:
    once, thrice = epoch_order(Some(10), 3, 1), epoch_order(Some(10), 3, 1, 3)
    assert thrice.tolist() == once.repeat_interleave(3)[:10].tolist()


def test_batches_from_any_step_are_the_same() -> None:
    batches = Batches(Some(10), 3, seed=4)  # type: ignore[arg-type]
    assert batches.an_epoch == 3
    whole = [(e, p, chosen.tolist()) for e, p, chosen in batches.steps(0, 8)]
    assert [(e, p) for e, p, _ in whole] == [(n // 3, n % 3) for n in range(8)]
    for first in range(8):
        assert [(e, p, c.tolist()) for e, p, c in batches.steps(first, 8)] == whole[first:]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_order_in_memory_is_torchs_own(count: int) -> None:
    """Runs that began before images could stay on disk go on as they were."""
    found = epoch_order(Some(20), 7, count)
    mixed = 0
    for number in (7, count):
        mixed = (mixed * 1_000_003 + number + 1) % (2**63 - 1)
    assert found.equal(torch.randperm(20, generator=torch.Generator().manual_seed(mixed)))
