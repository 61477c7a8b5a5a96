"""A Ray cluster whose nodes are machines of their own: a head, a desk for commands, workers.

A node that was hit is started again by `mend`, as somebody would who looks after a cluster.
"""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from .c_library import compiled
from .machines import Machine, Machines

CLOCK = Path(__file__).with_name("clock.c")
PORT = 6399
WORKERS = ("a", "b")
SECONDS_TO_START = 120.0
TRIES = 3
# A lost node is noticed within 15 s, and a lost head within 20, instead of about a minute.
CHECKS = {
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 2000,
    "health_check_failure_threshold": 5,
    "gcs_rpc_server_reconnect_timeout_s": 20,
}
MEMORY = str(100 * 2**20)


class RayMachines:
    """The cluster; `locks` holds the device lock's folder of each worker."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.locks = folder / "locks"
        self._stack = ExitStack()
        self._down: set[str] = set()
        self._token = secrets.token_hex(32)

    def __enter__(self) -> Self:
        short = Path(tempfile.mkdtemp(prefix="vp", dir="/tmp"))
        self._stack.callback(shutil.rmtree, short, ignore_errors=True)
        self.network = self._stack.enter_context(Machines(short / "m"))
        self.head, self.desk = (self.network.add(name) for name in ("head", "desk"))
        self.workers = [self.network.add(name) for name in WORKERS]
        self._start_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def address(self) -> str:
        return f"{self.head.address}:{PORT}"

    def measure(self, arguments: Sequence[str], work: Path, log: Path) -> subprocess.Popen[str]:
        """Start `vitprof measure` at the desk, its state in `work`; it prints into `log`."""
        command = [sys.executable, "-m", "vitprof", "measure", "--ray", self.address, *arguments]
        with log.open("a") as printed:
            environment = {**self._environment(self.desk), "VITPROF_STATE": str(work / "state")}
            return self.desk.start(command, environment, stdout=printed, stderr=printed)

    def set_clocks(self, machine: Machine, apart_s: int, booted_s: int) -> None:
        """Set a machine's time of day and its time since boot, and start it again."""
        machine.clock_apart_s, machine.booted_s = apart_s, booted_s
        machine.kill()
        self._down.add(machine.name)
        self.mend()

    def kill(self, machine: Machine) -> None:
        machine.kill()
        self._down.add(machine.name)

    def distrust(self, machine: Machine) -> None:
        """Have a machine started again by `mend`: Ray may have given it up."""
        self._down.add(machine.name)

    def kill_worker_process(self, machine: Machine) -> None:
        """End the processes that measure on a machine, and leave Ray's own alone."""
        command = ("pkill", "-KILL", "-f", "ray::FleetWorker")
        machine.start(command, self._environment(machine)).wait()

    def freeze(self, machine: Machine, seconds: float) -> None:
        """Stop all processes of a machine for a while."""
        machine.signal_all(signal.SIGSTOP)
        time.sleep(seconds)
        machine.signal_all(signal.SIGCONT)

    def mend(self) -> None:
        """Start what is down again; with its head a whole cluster is."""
        down, self._down = self._down, set()
        if self.head.name in down:
            self._start_all()
            return
        for machine in (self.desk, *self.workers):
            if machine.name in down:
                self._join(machine)

    def _start_all(self) -> None:
        self._boot(self.head)
        config = json.dumps(CHECKS)
        given = ("--head", f"--port={PORT}", "--include-dashboard=false", "--num-cpus=0")
        self._ray(self.head, (*given, f"--system-config={config}"))
        for machine in (self.desk, *self.workers):
            self._join(machine)

    def _join(self, machine: Machine) -> None:
        self._boot(machine)
        has = ("--num-cpus=0",)
        if machine in self.workers:
            has = ("--num-cpus=1", '--resources={"vitprof:cpu": 1}')
        self._ray(machine, (f"--address={self.address}", *has))

    def _boot(self, machine: Machine) -> None:
        machine.kill()
        machine.boot(self.network.shared)

    def _ray(self, machine: Machine, arguments: Sequence[str]) -> None:
        own = (f"--node-ip-address={machine.address}", f"--object-store-memory={MEMORY}")
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", *own, *arguments]
        printed = self._folder / f"{machine.name}.log"
        for _ in range(TRIES):
            with printed.open("w") as log:
                started = machine.start(
                    [*command, "--disable-usage-stats"],
                    self._environment(machine),
                    stdout=log,
                    stderr=log,
                )
            try:
                if started.wait(SECONDS_TO_START) == 0:
                    return
            except subprocess.TimeoutExpired:
                started.kill()
            self._boot(machine)
        raise SystemExit(
            f"hardening.py: Ray does not start on {machine.name}: {printed.read_text()[-2000:]}"
        )

    def _environment(self, machine: Machine) -> dict[str, str]:
        locks = self.locks / machine.name
        locks.mkdir(parents=True, exist_ok=True)
        environment = {
            "RAY_TMPDIR": str(self.network.shared),
            "TMPDIR": str(self.network.shared),
            "VITPROF_LOCK_DIR": str(locks),
            "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self._token,
        }
        if machine.clock_apart_s:
            environment["LD_PRELOAD"] = str(compiled(CLOCK, self._folder.resolve()))
            environment["CLOCK_APART_S"] = str(machine.clock_apart_s)
        return environment
