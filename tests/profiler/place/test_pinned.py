"""The calling thread stays on one core while a runtime computes on several."""

from __future__ import annotations

import os

import pytest
from vitprof.profiler.place.pinned import pinned

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="this system lets no thread choose its core"
)


def test_with_one_thread_or_too_few_cores_nothing_is_pinned() -> None:
    cores = os.sched_getaffinity(0)
    for threads in (1, len(cores) + 1):
        with pinned(threads):
            assert os.sched_getaffinity(0) == cores


def test_it_is_on_its_first_core_and_free_again_whatever_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now: set[int] = {4, 2, 6}
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(now))

    def choose(_: int, cores: set[int]) -> None:
        now.clear()
        now.update(cores)

    monkeypatch.setattr(os, "sched_setaffinity", choose)
    with pytest.raises(KeyboardInterrupt), pinned(2):
        assert now == {2}
        raise KeyboardInterrupt
    assert now == {2, 4, 6}
