"""Measuring models as their table was: it waits for the device, and refuses another machine."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from vitprof.models import create_spec
from vitprof.profiler.place.environment import fingerprint
from vitprof.profiler.remeasure import verified_ms
from vitprof.profiler.target import target_of
from vitprof.tables import LatencyTable
from vitprof.tables.setting import PartialSetting

Refused = Callable[..., Any]


@pytest.fixture
def table() -> LatencyTable:
    target = target_of(PartialSetting())
    return LatencyTable([], target.setting, fingerprint(target), source="lut.csv")


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VITPROF_LOCK_DIR", str(tmp_path))
    path = tmp_path / "host.lock"
    path.write_text("")
    return path


def test_the_end_of_long_work_waits_until_the_device_is_free(
    table: LatencyTable, lock: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        threading.Timer(0.5, lambda: fcntl.flock(held, fcntl.LOCK_UN)).start()
        with caplog.at_level("INFO", logger="vitprof"):
            measured, _ = verified_ms(table, [create_spec("vit-micro-8")], "this test")
    assert measured[0] > 0
    assert "waiting until it ends" in caplog.text


def test_who_only_measures_does_not_wait(table: LatencyTable, lock: Path, refused: Refused) -> None:
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with refused("this machine", "is being measured by another process"):
            verified_ms(table, [create_spec("vit-micro-8")], "this test", wait=None)
