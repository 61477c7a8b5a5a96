"""RAPL's counters: unwrapped, of whole packages and their memory, and never guessed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.profiler.sustained.rapl import Zone, rapl_energy

RANGE_UJ = 262_143_328_850


@pytest.fixture
def powercap(tmp_path: Path) -> Path:
    return tmp_path / "sys/class/powercap"


def add(powercap: Path, zone: str, name: str, uj: int, range_uj: int | None = RANGE_UJ) -> Path:
    place = powercap / zone
    place.mkdir(parents=True, exist_ok=True)
    (place / "name").write_text(f"{name}\n")
    if range_uj is not None:
        (place / "max_energy_range_uj").write_text(f"{range_uj}\n")
    (place / "energy_uj").write_text(f"{uj}\n")
    return place / "energy_uj"


def test_energy_is_of_packages_and_their_memory(powercap: Path, tmp_path: Path) -> None:
    package = add(powercap, "intel-rapl:0", "package-0", 5_000_000)
    core = add(powercap, "intel-rapl:0:0", "core", 1_000_000)
    memory = add(powercap, "intel-rapl:0:2", "dram", 9_000_000)
    board = add(powercap, "intel-rapl:1", "psys", 70_000_000)
    same = add(powercap, "intel-rapl-mmio:0", "package-0", 5_000_000)
    gauge = rapl_energy(tmp_path)
    assert gauge.source == "RAPL: package-0 + dram of package 0"
    assert gauge.read() == 0
    for counter in (core, board, same):
        counter.write_text("99000000")
    package.write_text("17500000")
    memory.write_text("10000000")
    assert gauge.read() == pytest.approx(12.5 + 1.0)
    assert gauge.read() == pytest.approx(13.5)


def test_a_counter_that_wraps_goes_on(powercap: Path, tmp_path: Path) -> None:
    counter = add(powercap, "intel-rapl:0", "package-0", RANGE_UJ - 2_000_000)
    gauge = rapl_energy(tmp_path)
    gauge.read()
    counter.write_text("3000000")
    assert gauge.read() == pytest.approx(5.0)
    counter.write_text("4000000")
    assert gauge.read() == pytest.approx(6.0)


@given(
    spent=st.lists(st.integers(0, 999_999), min_size=1, max_size=30),
    first=st.integers(0, 999_999),
)
def test_any_spending_below_a_whole_turn_is_counted_in_full(
    spent: list[int], first: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    counter = tmp_path_factory.mktemp("rapl") / "energy_uj"
    counter.write_text(str(first))
    zone = Zone("package-0", counter, 1_000_000)
    assert zone.read() == 0
    total = first
    for one in spent:
        total += one
        counter.write_text(str(total % 1_000_000))
        assert zone.read() == pytest.approx((total - first) / 1e6)


def test_a_wrap_without_a_range_and_a_lost_counter_make_the_energy_unknown(
    powercap: Path, tmp_path: Path
) -> None:
    counter = add(powercap, "intel-rapl:0", "package-0", 5_000_000, range_uj=None)
    gauge = rapl_energy(tmp_path)
    gauge.read()
    counter.write_text("1000000")
    assert gauge.read() is None
    counter.write_text("2000000")
    assert gauge.read() is None, "what was lost stays lost"


def test_half_of_the_packages_are_no_energy(powercap: Path, tmp_path: Path) -> None:
    add(powercap, "intel-rapl:0", "package-0", 5_000_000)
    second = add(powercap, "intel-rapl:1", "package-1", 5_000_000)
    gauge = rapl_energy(tmp_path)
    assert gauge.read() == 0
    second.unlink()
    assert gauge.read() is None


def test_without_a_counter_the_reason_is_told(powercap: Path, tmp_path: Path) -> None:
    assert "no RAPL counter" in rapl_energy(tmp_path).source
    add(powercap, "intel-rapl:0", "psys", 1)
    assert "no RAPL counter" in rapl_energy(tmp_path).source


def test_a_counter_that_only_root_may_read_is_named(
    powercap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Linux has it since 2020; tests may run as root, who reads all."""
    counter = add(powercap, "intel-rapl:0", "package-0", 5_000_000)
    read_text, may = Path.read_text, os.access

    def read(path: Path, *given: object, **named: object) -> str:
        if path == counter:
            raise PermissionError(13, "Permission denied", str(path))
        return read_text(path, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "read_text", read)
    monkeypatch.setattr(os, "access", lambda path, mode: path != counter and may(path, mode))
    gauge = rapl_energy(tmp_path)
    assert gauge.read() is None
    assert "/sys/class/powercap/intel-rapl:0/energy_uj" in gauge.source
    assert "administrator" in gauge.source
