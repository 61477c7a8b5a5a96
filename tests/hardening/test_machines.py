"""Machines made of namespaces: their network, their processes, their clocks."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hardening_parts.c_library import compiled
from hardening_parts.machines import Machine, Machines, why_not
from hardening_parts.ray_machines import CLOCK

REASON = why_not()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(REASON), reason=f"no machines can be made here: {REASON}"),
]
SERVE = (
    "import socket; s = socket.create_server(('', 7007));\n"
    "while True: c, _ = s.accept(); c.sendall(b'here'); c.close()"
)
ASK = (
    "import socket, sys; c = socket.create_connection((sys.argv[1], 7007), 1.0);"
    "c.settimeout(1.0); print(c.recv(9).decode())"
)


@pytest.fixture
def machines() -> Iterator[Machines]:
    with (
        tempfile.TemporaryDirectory(prefix="vp", dir="/tmp") as folder,
        Machines(Path(folder) / "m") as made,
    ):
        yield made


def said(machine: Machine, *command: str, **environment: str) -> str:
    """Return what a command prints on a machine, "" where it fails."""
    running = machine.start(command, environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    printed, _ = running.communicate(timeout=20)
    return printed.strip() if running.returncode == 0 else ""


def until(words: str, machine: Machine, *command: str) -> bool:
    """Whether a command prints these words within some seconds."""
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        if said(machine, *command) == words:
            return True
        time.sleep(0.1)
    return False


def test_a_cable_carries_until_it_is_pulled(machines: Machines) -> None:
    first, second = machines.add("a"), machines.add("b")
    second.start((sys.executable, "-c", SERVE), {})
    ask = (sys.executable, "-c", ASK, second.address)
    assert until("here", first, *ask)
    machines.pull(second)
    assert said(first, *ask) == ""
    assert said(second, *ask) == "here", "a machine without a cable still reaches itself"
    machines.plug(second)
    assert until("here", first, *ask)
    machines.slow_down(second, "64kbit")
    assert until("here", first, *ask)
    machines.speed_up(second)


def test_killing_a_machine_ends_all_of_its_processes(machines: Machines) -> None:
    machine = machines.add("a")
    sleeping = machine.start(("bash", "-c", "sleep 300 & sleep 300"), {})
    while said(machine, "pgrep", "-c", "sleep") != "3":  # with that of the first process
        time.sleep(0.05)
    (machines.shared / "kept").touch()
    assert said(machine, "ls", str(machines.shared)) == "booted", "its temporary files are its own"
    machine.kill()
    assert sleeping.wait(10) != 0
    assert not machine.on
    machine.boot(machines.shared)
    assert said(machine, "pgrep", "-c", "sleep") == "1"


def test_a_signal_reaches_a_command_and_not_the_machine(machines: Machines) -> None:
    machine = machines.add("a")
    wait = "import signal, time; signal.signal(signal.SIGUSR1, lambda *_: exit(7)); time.sleep(60)"
    running = machine.start((sys.executable, "-c", wait), {})
    while said(machine, "pgrep", "-cf", "SIGUSR1") == "":
        time.sleep(0.05)
    time.sleep(0.5)  # until its handler is set
    machine.send(running, signal.SIGUSR1)
    assert running.wait(10) == 7
    assert machine.on


def test_a_machine_has_clocks_of_its_own(machines: Machines, tmp_path: Path) -> None:
    long_on = machines.add("a", booted_s=100 * 86400)
    up = float(said(long_on, "cat", "/proc/uptime").split()[0])
    here = float(Path("/proc/uptime").read_text().split()[0])
    assert up - here == pytest.approx(100 * 86400, abs=60)
    clock = {"LD_PRELOAD": str(compiled(CLOCK, tmp_path)), "CLOCK_APART_S": "-86400"}
    ask = "import time; print(time.time(), time.time_ns() / 1e9, time.monotonic())"
    found = said(long_on, sys.executable, "-c", ask, **clock).split()
    assert [float(one) for one in found[:2]] == pytest.approx([time.time() - 86400] * 2, abs=60)
    assert float(found[2]) == pytest.approx(time.monotonic() + 100 * 86400, abs=60)
