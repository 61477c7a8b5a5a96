"""The machine's clocks: what /proc/stat says of everybody else, and what if it says nonsense."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from vitprof.profiler.sampling import clock
from vitprof.profiler.sampling.clock import SystemClock, _busy_ns

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
CORES = "cpu0 9 9 9 9 9 9 9 9 9 9\nintr 7\nctxt 5\n"


@pytest.fixture
def stat(tmp_path: Path) -> Path:
    return tmp_path / "stat"


@pytest.mark.parametrize(
    ("fields", "ticks"),
    [
        # user nice system idle iowait irq softirq steal guest guest_nice
        ("1 20 300 4000 50000 600000 7000000 80000000 0 0", 87_600_321),
        ("0 0 0 123456 654321 0 0 0 0 0", 0),
        ("100 0 0 5 5 0 0 0 40 2", 100),  # a guest's time stands within user already
        ("3 2 1 9", 6),  # a kernel of old
        ("99999999999999 0 0 1", 99_999_999_999_999),
    ],
)
def test_what_is_neither_idle_nor_waiting_for_a_disk_is_busy(
    fields: str, ticks: int, stat: Path
) -> None:
    stat.write_text(f"cpu  {fields}\n{CORES}")
    assert _busy_ns(stat) == ticks * TICK_NS


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"\n\ncpu 1 2 3 4\n",
        b"cpu  a b c d\n",
        b"cpu  1 2 3.5 4\n",
        b"\x80\xff\x00\n",
        b"cpu  1 2 - 4\n",
        b"cpu\n",
        b"some text\n",
    ],
)
def test_a_damaged_file_tells_nothing(content: bytes, stat: Path) -> None:
    stat.write_bytes(content)
    assert not _busy_ns(stat)


def test_a_missing_or_unreadable_file_tells_nothing(stat: Path, tmp_path: Path) -> None:
    assert _busy_ns(stat) is None
    assert _busy_ns(tmp_path) is None


def test_others_are_the_machine_less_this_process_averaged_over_the_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(SystemClock, "cpu", lambda self: 2_000_000)
    monkeypatch.setattr(clock, "_busy_ns", lambda: 10_000_000)
    assert SystemClock().others() == 2_000_000
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert SystemClock().others() == 8_000_000


@pytest.mark.parametrize("busy", [None, 0, 1_999_999, 2_000_000])
def test_others_never_used_less_than_nothing(
    busy: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sandboxes show a /proc/stat of zeros, and its ticks lag behind the process's clock."""
    monkeypatch.setattr(SystemClock, "cpu", lambda self: 2_000_000)
    monkeypatch.setattr(clock, "_busy_ns", lambda: busy)
    assert SystemClock().others() == 0


def test_the_systems_own_clocks_only_go_forward() -> None:
    now = SystemClock()
    reads = (now.wall, now.cpu, now.preemptions)
    before = [read() for read in reads]
    sum(range(100_000))
    after = [read() for read in reads]
    assert all(then <= later for then, later in zip(before, after, strict=True))
    assert after[0] > before[0]
    assert now.others() >= 0
