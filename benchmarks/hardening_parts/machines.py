"""Machines on this one: Linux namespaces with networks, processes and temporary files.

All hang on one bridge. A machine's cable can be pulled, its line made slow, its clock set; killing
it ends all of its processes at once, as a power cut does. Needs root and `ip`, `tc` (iproute2),
`unshare` and `nsenter` (util-linux).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

SUBNET = "10.77.0"
TOOLS = ("ip", "tc", "unshare", "nsenter")
SECONDS_TO_BOOT = 10.0
# Process 1 of a machine: mounts what the machine keeps to itself, then ends orphans for ever.
BOOT = 'mount --bind "$0" "$1" && touch "$0/booted" && while :; do sleep 3600 & wait $!; done'


def why_not() -> str:
    """Return why machines cannot be made here, "" where they can."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} cannot be found"
    if os.geteuid() != 0:
        return "network namespaces need root"
    made = subprocess.run(["unshare", "--net", "--pid", "--fork", "true"], check=False)
    return "" if made.returncode == 0 else "this machine does not let root make namespaces"


@dataclass
class Machine:
    """A machine: `clock_apart_s` is added to its time of day, `booted_s` to its time since boot."""

    name: str
    address: str
    namespace: str
    folder: Path
    clock_apart_s: int = 0
    booted_s: int = 0
    _outer: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _first: int = 0

    @property
    def port(self) -> str:
        """The bridge's end of its cable."""
        return f"to-{self.name}"

    @property
    def on(self) -> bool:
        return self._outer is not None

    def boot(self, shared: Path) -> None:
        """Start it; it sees its own folder at `shared`."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        clocks = ("--time", "--monotonic", str(self.booted_s), "--boottime", str(self.booted_s))
        spaces = ("--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
        command = ("unshare", *spaces, *(clocks if self.booted_s else ()))
        self._outer = subprocess.Popen(
            [
                *("ip", "netns", "exec", self.namespace, *command),
                *("bash", "-c", BOOT, str(self.folder), str(shared)),
            ],
            stderr=subprocess.DEVNULL,  # unshare's words when the machine is killed
            start_new_session=True,
        )
        ends = time.monotonic() + SECONDS_TO_BOOT
        while not (self.folder / "booted").exists():
            if time.monotonic() > ends or self._outer.poll() is not None:
                raise SystemExit(f"hardening.py: the machine {self.name} does not start.")
            time.sleep(0.02)
        pid = self._outer.pid
        self._first = int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], **popen: object
    ) -> subprocess.Popen[str]:
        """Start a command on it."""
        spaces = ("--mount", "--pid", "--net", *(("--time",) if self.booted_s else ()))
        return subprocess.Popen(
            ["nsenter", "--target", str(self._first), *spaces, "--", *command],
            env={**os.environ, **environment},
            text=True,
            **popen,  # type: ignore[call-overload]
        )

    @staticmethod
    def send(process: subprocess.Popen[str], number: int) -> None:
        """Send a signal to a command that `start` started, not to what brought it there."""
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            os.kill(int(child), number)

    def signal_all(self, number: int) -> None:
        """Send a signal to all of its processes but its first."""
        command = ("bash", "-c", f"kill -{signal.Signals(number).name} -1")
        self.start(command, {}, stderr=subprocess.DEVNULL).wait()

    def kill(self) -> None:
        """End all of its processes at once."""
        if self._outer is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._first, signal.SIGKILL)
            self._outer.wait()
            self._outer = None


class Machines:
    """The machines of one campaign, their bridge and their cables. Close it in the end.

    `folder` has to be short: programs keep sockets in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shared = folder / "t"
        self._prefix = f"vp{os.getpid()}"
        self._hub = f"{self._prefix}-hub"
        self._made: dict[str, Machine] = {}

    def __enter__(self) -> Self:
        if reason := why_not():
            raise SystemExit(f"hardening.py: this part needs network namespaces: {reason}.")
        self.shared.mkdir(parents=True)
        _ip("netns", "add", self._hub)
        _ip("-n", self._hub, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self._hub, "link", "set", "bridge", "up")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for machine in self._made.values():
            machine.kill()
        for namespace in (*(one.namespace for one in self._made.values()), self._hub):
            _ip("netns", "delete", namespace)
        shutil.rmtree(self.folder, ignore_errors=True)

    def add(self, name: str, clock_apart_s: int = 0, booted_s: int = 0) -> Machine:
        """Make a machine with an address and a cable, and start it."""
        address = f"{SUBNET}.{10 + len(self._made)}"
        namespace = f"{self._prefix}-{name}"
        machine = Machine(name, address, namespace, self.folder / name, clock_apart_s, booted_s)
        _ip("netns", "add", namespace)
        self._made[name] = machine
        cable = (
            "link",
            "add",
            machine.port,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            namespace,
        )
        _ip("-n", self._hub, *cable)
        _ip("-n", self._hub, "link", "set", machine.port, "master", "bridge", "up")
        _ip("-n", namespace, "address", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", namespace, "link", "set", "eth0", "up")
        _ip("-n", namespace, "link", "set", "lo", "up")
        machine.boot(self.shared)
        return machine

    def pull(self, machine: Machine) -> None:
        """Pull a machine's cable."""
        _ip("-n", self._hub, "link", "set", machine.port, "down")

    def plug(self, machine: Machine) -> None:
        """Put a machine's cable in again."""
        _ip("-n", self._hub, "link", "set", machine.port, "up")

    def slow_down(self, machine: Machine, rate: str) -> None:
        """Let a machine receive and send so much only: "1mbit"."""
        shape = ("root", "tbf", "rate", rate, "burst", "32kbit", "latency", "1s")
        for namespace, device in ((self._hub, machine.port), (machine.namespace, "eth0")):
            _run("tc", "-n", namespace, "qdisc", "replace", "dev", device, *shape)

    def speed_up(self, machine: Machine) -> None:
        """Undo `slow_down`."""
        for namespace, device in ((self._hub, machine.port), (machine.namespace, "eth0")):
            _run("tc", "-n", namespace, "qdisc", "delete", "dev", device, "root")


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"hardening.py: {' '.join(command)}: {done.stderr.strip()}")
