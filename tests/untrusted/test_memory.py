"""What may be taken of the memory is said by a variable, or is a share of what is free."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from vitprof.untrusted import memory
from vitprof.untrusted.memory import check_memory, free_memory, memory_limit

Refused = Callable[..., Any]


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:    2000 kB\n")
    return tmp_path


def test_free_is_the_least_of_machine_and_container(machine: Path) -> None:
    assert free_memory(machine) == 2000 * 1024
    group = machine / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("1000000\n")
    (group / "memory.current").write_text("700000\n")
    (group / "memory.stat").write_text("anon 5\ninactive_file 200000\n")
    assert free_memory(machine) == 500_000
    (group / "memory.max").write_text("max\n")
    assert free_memory(machine) == 2000 * 1024
    assert free_memory(machine / "none") is None


def test_more_than_the_limit_is_refused_and_said(
    monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.delenv("VITPROF_MEMORY_LIMIT", raising=False)
    monkeypatch.setattr(memory, "free_memory", lambda: 10 * 2**30)
    assert memory_limit() == 8 * 2**30
    check_memory(8 * 2**30, "it")
    with refused("it needs 9 GiB of memory, more than 8 GiB", "80 %", "VITPROF_MEMORY_LIMIT"):
        check_memory(9 * 2**30, "it")
    monkeypatch.setenv("VITPROF_MEMORY_LIMIT", "1GiB")
    with refused("it needs 2 GiB of memory, more than 1 GiB"):
        check_memory(2 * 2**30, "it")
    monkeypatch.setenv("VITPROF_MEMORY_LIMIT", "20GiB")
    check_memory(19 * 2**30, "it")
    monkeypatch.setenv("VITPROF_MEMORY_LIMIT", "all")
    with refused("VITPROF_MEMORY_LIMIT", "'all'"):
        check_memory(1, "it")


def test_where_nothing_is_known_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VITPROF_MEMORY_LIMIT", raising=False)
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    check_memory(2**60, "it")
