"""Ceilings by a scripted runtime: the best of all runs counts, and repeats are told apart."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from vitprof.errors import UserError
from vitprof.models import Block
from vitprof.profiler.ceilings import (
    RUNS,
    SIDES,
    STREAM,
    STREAM_COLUMNS,
    STREAM_ROWS,
    ceilings_by,
    ceilings_from,
    product,
)

GMACS, GBYTES = 50.0, 20.0
MOVED = 3 * STREAM_ROWS * STREAM_COLUMNS * 4


@dataclass
class Scripted:
    """A clock, and sessions whose runs take a kernel's ideal time, the slow ones twice that."""

    now: int = 0
    opened: list[Block] = field(default_factory=list)

    def wall(self) -> int:
        return self.now

    def cpu(self) -> int:
        return self.now

    def preemptions(self) -> int:
        return 0

    def open(self, kernel: Block) -> Session:
        self.opened.append(kernel)
        rate = GMACS if kernel.op == "kernel_matmul" else GBYTES
        work = kernel.macs if kernel.op == "kernel_matmul" else MOVED
        # The second repeat's machine is 4 % slower.
        slow = 1.04 if self.opened.count(kernel) > 1 else 1.0
        return Session(self, round(slow * work / rate))


@dataclass
class Session:
    clock: Scripted
    ns: int
    runs: int = 0

    def run(self) -> None:
        self.runs += 1
        self.clock.now += self.ns * (1 if self.runs == RUNS else 2)


def test_the_best_run_counts_and_the_repeats_difference_is_told() -> None:
    machine = Scripted()
    found = ceilings_by(machine.open, machine)
    assert found.peak == pytest.approx(GMACS, rel=1e-6)
    assert found.bandwidth == pytest.approx(GBYTES, rel=1e-6)
    assert found.differences == pytest.approx((1 - 1 / 1.04, 1 - 1 / 1.04), rel=1e-5)


def test_products_grow_until_they_take_long() -> None:
    machine = Scripted()
    ceilings_by(machine.open, machine)
    sides = [kernel["rows"] for kernel in machine.opened if kernel != STREAM]
    # 2048³ MACs take 172 ms at this rate, so larger ones are left out.
    assert sides == [512, 1024, 2048] * 2
    assert set(sides) < set(SIDES)
    assert product(512).macs == 512**3


def test_a_file_of_something_else_is_refused() -> None:
    good = {
        "gmacs_per_s": 1.0,
        "gbytes_per_s": 2.0,
        "gmacs_difference": 0.0,
        "gbytes_difference": 0.1,
    }
    assert ceilings_from({**good, "more": 1}, "c.json") == good
    for wrong in ([], {}, {**good, "gbytes_difference": -0.1}, {**good, "gmacs_per_s": "1"}):
        with pytest.raises(UserError, match=r"c\.json has no number"):
            ceilings_from(wrong, "c.json")
