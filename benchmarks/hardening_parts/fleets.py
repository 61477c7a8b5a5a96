"""`measure --ray` while nodes, cables, clocks, the head or the command itself fail.

A real Ray cluster of four machines (network namespaces): a head, a desk where the command runs, and
two workers that measure this machine's processor. At a random moment of a run something fails. In
the end every point of the plan is in the table once, with the sessions that had been measured
before, nothing is left unfinished, and no worker holds its device's lock. Where the fault ends the
command, the same command is given again on a mended cluster.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vitprof.tables import LatencyTable

from .comparing import kept_lines, read_table, whole_table
from .outcomes import Outcome, write_rows
from .ray_machines import RayMachines
from .signals import negative_times
from .stage import Tally, add_only

PLAN = ("--model", "vit-micro-8", "--points", "24", "--sessions", "3", "--whole-models", "3")
TABLE = "fleet.csv"
LIMIT_S = 240.0
RUNS_AFTER_A_FAULT = 3
LATEST = 0.7  # of the lines that an undisturbed run writes
SECONDS_TO_UNLOCK = 20.0
DAY_S = 86400


@dataclass
class Run:
    """A run of the command, while it goes on."""

    cluster: RayMachines
    process: subprocess.Popen[str]
    work: Path
    log: Path
    rng: random.Random

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def over(self) -> bool:
        return self.process.poll() is not None

    def send(self, number: int) -> None:
        self.cluster.desk.send(self.process, number)

    def wait_for(self, words: str, seconds: float) -> bool:
        """Wait until the command says these words; False where it does not in time."""
        ends = time.monotonic() + seconds
        while words not in self.output and time.monotonic() < ends and not self.over:
            time.sleep(0.1)
        return words in self.output


def add_options(parser: argparse.ArgumentParser) -> None:
    add_only(parser)


def run(options: argparse.Namespace) -> list[Outcome]:
    folder = options.out.resolve() / "fleets"
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    with RayMachines(folder) as cluster:
        whole, points = undisturbed(cluster, folder)
        for name, trouble in TROUBLES.items():
            if not any(word in name for word in options.only.split("|")):
                continue
            tally = Tally("a fleet", name)
            seed = options.seed
            while tally.calls < (options.count or trouble.count):
                one_run(cluster, folder, trouble, seed, (tally, whole, points))
                seed += 1
            rows.append(tally.outcome)
            write_rows(options.out, "fleets", rows)
            print(tally.outcome, flush=True)
    return rows


def undisturbed(cluster: RayMachines, folder: Path) -> tuple[int, frozenset[object]]:
    """Return how many lines a run without a fault writes, and the points of its table."""
    run = started(cluster, folder / "undisturbed", random.Random(0))
    most = 0
    while not run.over:
        most = max(most, len(kept_lines(run.work / TABLE)))
        time.sleep(0.02)
    if run.process.returncode not in (0, 1):
        raise SystemExit(f"hardening.py: a fleet does not measure: {run.output[-2000:]}")
    return most, frozenset(row.key for row in LatencyTable.read_csv(run.work / TABLE).rows)


def started(cluster: RayMachines, place: Path, rng: random.Random, again: bool = False) -> Run:
    """Start the command in a folder: a new one, or the one of the run before."""
    work, log = place / "work", place / "log"
    if not again:
        shutil.rmtree(place, ignore_errors=True)
        work.mkdir(parents=True)
    process = cluster.measure((*PLAN, "--out", str(work / TABLE)), work, log)
    return Run(cluster, process, work, log, rng)


def one_run(
    cluster: RayMachines,
    folder: Path,
    trouble: Trouble,
    seed: int,
    counting: tuple[Tally, int, frozenset[object]],
) -> None:
    """Let something fail in one run; a run that ends before it happens does not count."""
    tally, whole, points = counting
    rng = random.Random(f"{tally.target} {seed}")
    place = folder / "".join(c if c.isalnum() else "-" for c in f"{tally.target}-{seed}")
    trouble.before(cluster, rng)
    run = started(cluster, place, rng)
    moment = rng.randint(1, max(1, int(LATEST * whole)))
    while len(kept_lines(run.work / TABLE)) < moment and not run.over:
        time.sleep(0.01)
    before = finished_points(run.work / TABLE)
    struck = not run.over
    if struck:
        tally.calls += 1
        trouble.strike(run)
    faults = ended_in_time(run)
    for _ in range(RUNS_AFTER_A_FAULT):
        if whole_table(run.work / TABLE) or faults:
            break
        if not trouble.ends_the_command:
            faults.append(f"the command ended before its work: {run.output[-600:]}")
        cluster.mend()
        run = started(cluster, place, rng, again=True)
        faults += ended_in_time(run)
    cluster.mend()
    trouble.after(cluster)
    faults += judged(run.work / TABLE, points, before) + held_locks(cluster.locks)
    if "Traceback" in run.output:
        faults.append(f"a traceback: {run.output[-600:]}")
    if not struck:
        return
    if faults:
        tally.fault(seed, "; ".join(faults)[:900])
    else:
        tally.done += 1
        shutil.rmtree(place)


def ended_in_time(run: Run) -> list[str]:
    try:
        run.process.wait(LIMIT_S)
    except subprocess.TimeoutExpired:
        run.send(signal.SIGKILL)
        run.process.wait()
        return [f"it did not end within {LIMIT_S:.0f} s: {run.output[-600:]}"]
    return []


def finished_points(path: Path) -> dict[object, tuple[float, ...]]:
    """Return the sessions of the points that are done."""
    table = read_table(path)
    return {row.key: row.session_ms for row in table.rows} if table else {}


def judged(
    path: Path, points: frozenset[object], before: dict[object, tuple[float, ...]]
) -> list[str]:
    """Return what is wrong with the table in the end."""
    table = read_table(path)
    if table is None:
        return ["there is no table that can be read"]
    faults = ["the table is not finished"] if table.unfinished else []
    counts = Counter(row.key for row in table.rows)
    faults += [f"measured twice: {key}" for key, count in counts.items() if count > 1]
    faults += [f"lost: {key}" for key in points - counts.keys()]
    faults += [f"not in the plan: {key}" for key in counts.keys() - points]
    # A point that scatters may have got more sessions since.
    now = {row.key: Counter(row.session_ms) for row in table.rows}
    faults += [
        f"sessions are lost or doubled: {key}"
        for key, sessions in before.items()
        if Counter(sessions) - now.get(key, Counter())
    ]
    return faults + negative_times(path)


def held_locks(folder: Path) -> list[str]:
    """Return the locks of devices that a worker still holds after a while."""
    ends = time.monotonic() + SECONDS_TO_UNLOCK
    for path in folder.glob("*/*.lock"):
        with path.open() as lock:
            while True:
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                if time.monotonic() > ends:
                    return [f"{path.parent.name} still holds its device"]
                time.sleep(0.1)
    return []


# --- what fails ----------------------------------------------------------------------------------


def kill_node(run: Run) -> None:
    run.cluster.kill(run.rng.choice(run.cluster.workers))


def kill_worker_process(run: Run) -> None:
    run.cluster.kill_worker_process(run.rng.choice(run.cluster.workers))


def cut_for_a_moment(run: Run) -> None:
    machine = run.rng.choice([*run.cluster.workers, run.cluster.desk])
    run.cluster.network.pull(machine)
    time.sleep(run.rng.uniform(0.5, 4.0))
    run.cluster.network.plug(machine)


def cut_until_given_up(run: Run) -> None:
    machine = run.rng.choice(run.cluster.workers)
    run.cluster.network.pull(machine)
    run.wait_for("lost:", 60.0)
    run.cluster.network.plug(machine)
    run.cluster.distrust(machine)


def flap(run: Run) -> None:
    machine = run.rng.choice(run.cluster.workers)
    for _ in range(8):
        run.cluster.network.pull(machine)
        time.sleep(run.rng.uniform(0.1, 0.6))
        run.cluster.network.plug(machine)
        time.sleep(run.rng.uniform(0.1, 0.6))


def slow_line(run: Run) -> None:
    for machine in run.cluster.workers:
        run.cluster.network.slow_down(machine, "256kbit")


def usual_lines(cluster: RayMachines) -> None:
    for machine in cluster.workers:
        cluster.network.speed_up(machine)


def freeze_for_a_moment(run: Run) -> None:
    run.cluster.freeze(run.rng.choice(run.cluster.workers), run.rng.uniform(0.5, 5.0))


def freeze_until_given_up(run: Run) -> None:
    machine = run.rng.choice(run.cluster.workers)
    run.cluster.freeze(machine, 25.0)
    run.cluster.distrust(machine)


def set_clocks_apart(cluster: RayMachines, rng: random.Random) -> None:
    apart = rng.choice((-30 * DAY_S, -DAY_S, -60, 60, DAY_S, 365 * DAY_S))
    cluster.set_clocks(rng.choice(cluster.workers), apart, rng.choice((0, 100 * DAY_S)))


def set_clocks_right(cluster: RayMachines) -> None:
    for machine in cluster.workers:
        if machine.clock_apart_s or machine.booted_s:
            cluster.set_clocks(machine, 0, 0)


def kill_head(run: Run) -> None:
    run.cluster.kill(run.cluster.head)


def kill_command(run: Run) -> None:
    run.send(signal.SIGKILL)


def interrupt_command(run: Run) -> None:
    run.send(signal.SIGINT)


def nothing(*_: object) -> None:
    pass


@dataclass(frozen=True)
class Trouble:
    """Something that fails: `strike` in the middle of a run, `before` and `after` around it."""

    strike: Callable[[Run], None]
    count: int
    ends_the_command: bool = False
    before: Callable[[RayMachines, random.Random], None] = nothing
    after: Callable[[RayMachines], None] = nothing


TROUBLES = {
    "a node is killed": Trouble(kill_node, 10),
    "a worker's process is killed": Trouble(kill_worker_process, 6),
    "the network is cut for seconds": Trouble(cut_for_a_moment, 8),
    "the network is cut until the node is given up": Trouble(cut_until_given_up, 5),
    "the network comes and goes": Trouble(flap, 4),
    "the line has 256 kbit/s": Trouble(slow_line, 3, after=usual_lines),
    "a node stands still for seconds": Trouble(freeze_for_a_moment, 6),
    "a node stands still until it is given up": Trouble(freeze_until_given_up, 3),
    "clocks are apart": Trouble(nothing, 5, before=set_clocks_apart, after=set_clocks_right),
    "the head is killed": Trouble(kill_head, 5, ends_the_command=True),
    "the command is killed": Trouble(kill_command, 5, ends_the_command=True),
    "the command is interrupted": Trouble(interrupt_command, 4, ends_the_command=True),
}
