"""Threads and processes that are left behind are found, and such that end are not."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from vitprof.profiler.conformance.left_running import Running


def test_nothing_is_left_where_a_thread_ends() -> None:
    before = Running.now()
    thread = threading.Thread(target=lambda: None)
    thread.start()
    assert before.left_behind() is None


def test_a_thread_that_stays_is_found_wherever_threads_can_be_counted(tmp_path: Path) -> None:
    stop = threading.Event()
    for proc in (Path("/proc"), tmp_path):  # the second has no such files, as on macOS
        before = Running.now(proc)
        thread = threading.Thread(target=stop.wait)
        thread.start()
        left = before.left_behind(patience_s=0.0, proc=proc)
        assert left is not None
        assert left.startswith("1 threads and 0 processes")
    stop.set()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are listed in /proc")
def test_a_child_process_is_found() -> None:
    before = Running.now()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        left = before.left_behind(patience_s=0.0)
        assert left is not None
        assert "1 processes" in left
    finally:
        child.communicate(b"\n")
