"""Ceilings by a scripted runtime: the best run counts, once three sessions attained it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from vitprof.errors import UserError
from vitprof.models import Block
from vitprof.profiler.ceilings import (
    AGREEING,
    FEWEST_RUNS,
    LONGEST_S,
    SIDES,
    STREAM,
    STREAM_COLUMNS,
    STREAM_ROWS,
    WARM_UP,
    ceilings_by,
    ceilings_from,
    product,
)

GMACS, GBYTES = 50.0, 20.0
MOVED = 3 * STREAM_ROWS * STREAM_COLUMNS * 4


@dataclass
class Scripted:
    """A clock, and sessions whose best run takes a kernel's ideal time, or `slow` of it.

    All other runs take twice that. `slow` gives the factor of the n-th session of a kernel.
    """

    slow: Callable[[int], float] = lambda nth: 1.0
    now: int = 0
    opened: list[Block] = field(default_factory=list)

    def wall(self) -> int:
        return self.now

    def cpu(self) -> int:
        return self.now

    def preemptions(self) -> int:
        return 0

    def open(self, kernel: Block) -> Session:
        rate = GMACS if kernel.op == "kernel_matmul" else GBYTES
        work = kernel.macs if kernel.op == "kernel_matmul" else MOVED
        slow = self.slow(self.opened.count(kernel))
        self.opened.append(kernel)
        return Session(self, round(slow * work / rate))


@dataclass
class Session:
    clock: Scripted
    ns: int
    runs: int = 0

    def run(self) -> None:
        self.runs += 1
        self.clock.now += self.ns * (1 if self.runs == WARM_UP + FEWEST_RUNS else 2)


def test_the_best_run_counts_once_three_sessions_agree() -> None:
    machine = Scripted()
    found = ceilings_by(machine.open, machine)
    assert found.peak == pytest.approx(GMACS, rel=1e-6)
    assert found.bandwidth == pytest.approx(GBYTES, rel=1e-6)
    assert found.differences == pytest.approx((0, 0), abs=1e-6)
    assert machine.opened.count(STREAM) == AGREEING


def test_spells_in_which_nothing_attains_the_best_are_waited_for() -> None:
    # Every third session alone finds the machine undisturbed.
    machine = Scripted(lambda nth: 1.0 if nth % 3 == 2 else 1.5)
    found = ceilings_by(machine.open, machine)
    assert (found.peak, found.bandwidth) == pytest.approx((GMACS, GBYTES), rel=1e-6)
    assert found.differences == pytest.approx((0, 0), abs=1e-6)
    assert machine.opened.count(STREAM) == 9


def test_a_spell_in_which_all_agree_is_waited_for_too() -> None:
    # Four rounds are all slow by the same factor, and their sessions agree.
    machine = Scripted(lambda nth: 1.4 if nth < 4 else 1.0)
    asked = itertools.count()

    def slowdown() -> float:
        return 1.4 if next(asked) < 2 * 4 else 1.01

    found = ceilings_by(machine.open, machine, slowdown=slowdown)
    assert found.peak == pytest.approx(GMACS, rel=1e-6)
    assert found.slowdown == 1.01


def test_a_machine_that_is_never_undisturbed_says_so() -> None:
    machine = Scripted(lambda nth: 1.2)
    found = ceilings_by(machine.open, machine, slowdown=lambda: 1.2)
    assert found.peak == pytest.approx(GMACS / 1.2, rel=1e-6)
    assert found.slowdown == 1.2
    assert LONGEST_S * 1e9 < machine.now < 1.5 * LONGEST_S * 1e9


def test_it_ends_where_no_session_is_like_another() -> None:
    machine = Scripted(lambda nth: 1.1**nth)
    seen: list[tuple[int, int]] = []
    found = ceilings_by(
        machine.open,
        machine,
        on_progress=lambda stage, done, total, detail: seen.append((done, total)),
    )
    assert machine.now < 3 * LONGEST_S * 1e9
    assert found.peak == pytest.approx(GMACS, rel=1e-6)
    assert found.differences == pytest.approx((1 - 1.1**-2, 1 - 1.1**-2), rel=1e-5)
    assert seen[0] == (0, AGREEING)
    assert seen[-1] == (AGREEING, AGREEING)


def test_products_grow_until_they_take_long() -> None:
    machine = Scripted()
    ceilings_by(machine.open, machine)
    sides = [kernel["rows"] for kernel in machine.opened if kernel != STREAM]
    # 2048³ MACs take 172 ms at this rate, so larger ones are left out.
    assert sides == [512, 1024, 2048] * 3
    assert set(sides) < set(SIDES)
    assert product(512).macs == 512**3


def test_products_far_from_the_best_are_not_repeated() -> None:
    machine = Scripted()
    true_open = machine.open

    def opened(kernel: Block) -> Session:
        session = true_open(kernel)
        if kernel == product(512):
            session.ns *= 2
        return session

    assert ceilings_by(opened, machine).peak == pytest.approx(GMACS, rel=1e-6)
    sides = [kernel["rows"] for kernel in machine.opened if kernel != STREAM]
    assert sides == [512, 1024, 2048] + [1024, 2048] * 2


def test_a_size_that_a_slow_moment_hit_is_tried_again() -> None:
    # The machine is slow while the first round measures the largest matrices, the best ones.
    machine = Scripted()
    true_open = machine.open
    asked = itertools.count()

    def opened(kernel: Block) -> Session:
        session = true_open(kernel)
        largest = kernel == product(2048)
        if kernel != STREAM and not largest:
            session.ns = round(1.05 * session.ns)
        if largest and machine.opened.count(kernel) == 1:
            session.ns *= 2
        return session

    def slowdown() -> float:
        return 2.0 if next(asked) == 1 else 1.0  # asked after the first round

    assert ceilings_by(opened, machine, slowdown=slowdown).peak == pytest.approx(GMACS, rel=1e-6)


def test_a_file_of_something_else_is_refused() -> None:
    good = {
        "gmacs_per_s": 1.0,
        "gbytes_per_s": 2.0,
        "gmacs_difference": 0.0,
        "gbytes_difference": 0.1,
    }
    assert ceilings_from({**good, "more": 1}, "c.json") == {**good, "slowdown": None}
    assert ceilings_from({**good, "slowdown": 1.2}, "c.json") == {**good, "slowdown": 1.2}
    for wrong in (
        *([], {}, {**good, "gbytes_difference": -0.1}, {**good, "gmacs_per_s": "1"}),
        {**good, "slowdown": "1"},
    ):
        with pytest.raises(UserError, match=r"c\.json has no number"):
            ceilings_from(wrong, "c.json")
