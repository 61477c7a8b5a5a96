"""What a busy server of clients answers at first is asked again, and not for ever."""

from __future__ import annotations

import subprocess
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
