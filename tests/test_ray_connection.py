"""What a busy server of clients answers at first is asked again, and not for ever."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from vitprof import ray_connection
from vitprof.errors import UserError

BUSY = "Initialization failure from server: RuntimeError: Starting Ray client server failed. See"


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the processes that try to connect say, one after the other; "" where one can."""
    said: list[str] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        words = said.pop(0)
        out = f"failed: {words}\n" if words else ""
        return subprocess.CompletedProcess(command, 3 if words else 0, out)

    monkeypatch.setattr(ray_connection.subprocess, "run", run)
    monkeypatch.setattr(ray_connection, "_import_ray", FakeRay)
    return said


class FakeRay(SimpleNamespace):
    """A Ray whose own connection fails at first as well."""

    failures = 1

    def is_initialized(self) -> bool:
        return False

    def init(self, **_: object) -> None:
        self.failures -= 1
        if self.failures >= 0:
            raise ConnectionAbortedError(BUSY)

    def shutdown(self) -> None:
        pass


def test_a_server_that_was_too_busy_is_asked_again(children: list[str]) -> None:
    children += [BUSY, BUSY, "", "not asked"]
    with ray_connection.ray_connection("auto"):
        assert children == ["not asked"]


def test_it_is_not_asked_for_ever(children: list[str]) -> None:
    children += [BUSY] * 9
    with (
        pytest.raises(UserError, match="Starting Ray client server failed"),
        ray_connection.ray_connection("auto"),
    ):
        pytest.fail("there is no connection")
    assert len(children) == 6


def test_any_other_reason_is_said_at_once(children: list[str]) -> None:
    children += ["No GCS server at this address", "not asked"]
    with (
        pytest.raises(UserError, match="No GCS server at this address"),
        ray_connection.ray_connection("auto"),
    ):
        pytest.fail("there is no connection")
    assert children == ["not asked"]


LISTENING = """
import os
from pathlib import Path

def family(ours):
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                after = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(after[1])
    found = {ours}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found

def addresses(pids):
    inodes = set()
    for pid in pids:
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            try:
                inodes.add(os.readlink(fd))
            except OSError:
                pass
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                yield fields[1].partition(":")[0]

from vitprof.ray_connection import local_ray
with local_ray(1) as ray:
    ray.get(ray.remote(lambda: 3).remote())
    print("listening", *sorted(addresses(family(os.getpid()))))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="Linux lists who listens")
@pytest.mark.cluster
def test_workers_of_this_machine_listen_on_the_loopback_alone() -> None:
    pytest.importorskip("ray")
    answer = subprocess.run(
        [sys.executable, "-c", LISTENING], capture_output=True, text=True, timeout=200, check=True
    )
    (said,) = [line for line in answer.stdout.splitlines() if line.startswith("listening")]
    found = set(said.split()[1:])
    assert found, "Ray listens somewhere"
    # 127.0.0.1, as the kernel writes it: of IPv4, and of IPv4 within IPv6.
    assert found <= {"0100007F", "0000000000000000FFFF00000100007F", "0" * 24 + "01000000"}, found
