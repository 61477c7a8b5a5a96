"""`vitprof.waiting`: a busy device is waited for, and says so where nobody waits."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
import vitprof
from vitprof import DeviceBusyError, UserError
from vitprof.profiler.place import device_lock
from vitprof.profiler.target import check_free
from vitprof.tables.setting import PartialSetting


def test_a_busy_device_is_waited_for_inside_the_block(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("VITPROF_LOCK_DIR", str(tmp_path))
    with (tmp_path / "host.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(DeviceBusyError, match="is being measured by"):
            check_free(PartialSetting(), "this test")

        def nap(_: float) -> None:
            fcntl.flock(held, fcntl.LOCK_UN)

        monkeypatch.setattr(device_lock.time, "sleep", nap)
        with vitprof.waiting("10m"):
            check_free(PartialSetting(), "this test")


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(UserError, match="`time`: 'soon' is not a time"), vitprof.waiting("soon"):
        pass
