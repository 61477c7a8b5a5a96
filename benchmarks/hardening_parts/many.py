"""Two and twenty processes at once on one file, one device or one log.

Of those that may not go together one works and the others are refused with a sentence that names
the file or the device; of those that may, all work. No row, point or record is lost or doubled,
and all end.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Callable, Sequence

from .commands import Ended, Place
from .comparing import differences, doubled_points
from .outcomes import Outcome, write_rows
from .scenes import Scene
from .stage import Stage, Tally, add_only

CROWDS = (2, 20)
ROUNDS = {2: 10, 20: 3}
BUSY, REFUSED = 75, 2


def add_options(parser: argparse.ArgumentParser) -> None:
    add_only(parser)


def run(options: argparse.Namespace) -> list[Outcome]:
    stage = Stage.ready(options.out, "many")
    rows = []
    for crowd in CROWDS:
        for name, judge in JUDGES.items():
            if options.only not in name:
                continue
            tally = Tally(f"{crowd} processes", name)
            for seed in range(options.seed, options.seed + (options.count or ROUNDS[crowd])):
                tally.calls += crowd
                before, refused = tally.faults, tally.refused
                judge(stage, crowd, seed, tally)
                if tally.faults == before:
                    tally.done += crowd - (tally.refused - refused)
            rows.append(tally.outcome)
            write_rows(options.out, "many", rows)
            print(tally.outcome, flush=True)
    return rows


def together(
    stage: Stage, commands: Sequence[Sequence[object]], place: Place, seed: int, fixed: bool = True
) -> list[Ended]:
    """Start commands in one place within a tenth of a second, and wait for all of them."""
    from . import fixed_machine

    rng = random.Random(seed)
    running = []
    for number, command in enumerate(commands):
        own = Place(place.folder)
        setup = fixed_machine.install if fixed else None
        running.append(stage.runner.start(command, own, setup=setup, log=f"{number}"))
        time.sleep(rng.uniform(0, 0.1 / len(commands)))
    return [one.wait(stage.runner.limit_s) for one in running]


def one_table(stage: Stage, crowd: int, seed: int, tally: Tally) -> None:
    """Measure into one file: one does, the others are refused; nothing is doubled."""
    scene = Scene("many-table", (), fixed=True)
    alone = stage.place(scene, f"alone-{crowd}")
    command = _measuring(stage, "lut.csv")
    first = together(stage, [command], alone, seed)[0]
    place = stage.place(scene, f"together-{crowd}-{seed}")
    ended = together(stage, [command] * crowd, place, seed)
    _judge_refusals(ended, tally, seed, least=1)
    if first.code not in (0, 1):
        tally.fault(seed, f"alone it ended with {first.code}: {first.err[-300:]}")
        return
    again = together(stage, [command], place, seed)[0]
    if again.code not in (0, 1):
        tally.fault(seed, f"afterwards it ended with {again.code}: {again.err[-300:]}")
        return
    faults = differences(alone.work, place.work, scene.volatile)
    faults += doubled_points(place.work / "lut.csv") + place.left_behind()
    if faults:
        tally.fault(seed, "; ".join(faults)[:500])


def one_device(stage: Stage, crowd: int, seed: int, tally: Tally) -> None:
    """Measure into files of their own with --wait: each in its turn, none at the same time."""
    scene = Scene("many-device", (), fixed=True)
    place = stage.place(scene, f"together-{crowd}-{seed}")
    commands = [(*_measuring(stage, f"{n}.csv"), "--wait", "10m") for n in range(crowd)]
    ended = together(stage, commands, place, seed)
    for number, one in enumerate(ended):
        if one.code not in (0, 1):
            tally.fault(seed, f"number {number} ended with {one.code}: {one.err[-300:]}")
        elif doubled_points(place.work / f"{number}.csv"):
            tally.fault(seed, f"{number}.csv holds a point twice")


def one_journal_of_speeds(stage: Stage, crowd: int, seed: int, tally: Tally) -> None:
    """Add runs to the file of machines' speeds: every process adds five, all are there."""
    place = stage.place(Scene("many-speeds", ()), f"together-{crowd}-{seed}")

    def add(number: int) -> None:
        from vitprof.models import Block
        from vitprof.profiler.place.known_machines import KnownMachines
        from vitprof.tables import Setting

        machines = KnownMachines({"machine": {"cpu": "x"}, "runtime": {"v": 1}}, Setting("a", "b"))
        for nth in range(5):
            block = Block.of("mlp", embed=8, mlp=8, tokens=2)
            machines.add(block, 1 + number + nth / 100, 0.5)

    codes = _forked(place, add, crowd)
    lines = (place.folder / "state").glob("*.jsonl")
    found = [json.loads(line) for file in lines for line in file.read_text().splitlines()][1:]
    seen = sorted(one["undisturbed_ms"] for one in found)
    wanted = sorted(round(1 + n + nth / 100, 6) for n in range(crowd) for nth in range(5))
    if any(codes) or seen != wanted:
        tally.fault(seed, f"exit codes {codes}; {len(seen)} of {len(wanted)} records are there")


def one_facts_file(stage: Stage, crowd: int, seed: int, tally: Tally) -> None:
    """Append records to one log: all are there, none is torn."""
    place = stage.place(Scene("many-facts", ()), f"together-{crowd}-{seed}")
    path = place.work / "facts.jsonl"

    def add(number: int) -> None:
        from vitprof.append_log import JsonLog

        log = JsonLog(path, "hardening", {}, what="a campaign", remedy="remove it")
        for nth in range(5):
            log.append({"who": number, "nth": nth, "text": "x" * 5000})

    codes = _forked(place, add, crowd)
    lines = path.read_text().splitlines()
    try:
        records = [json.loads(line) for line in lines]
    except ValueError:
        tally.fault(seed, f"exit codes {codes}; a line is torn")
        return
    seen = sorted((one["who"], one["nth"]) for one in records if "who" in one)
    wanted = [(who, nth) for who in range(crowd) for nth in range(5)]
    if any(codes) or seen != wanted or len(records) != len(wanted) + 1:
        tally.fault(seed, f"exit codes {codes}; {len(seen)} of {len(wanted)} records are there")


def one_replaced_file(stage: Stage, crowd: int, seed: int, tally: Tally) -> None:
    """Replace one file: whoever is last, the file is a whole one of somebody's."""
    place = stage.place(Scene("many-file", ()), f"together-{crowd}-{seed}")
    path = place.work / "table.csv"

    def write(number: int) -> None:
        from vitprof.atomic_write import write_atomically

        for _ in range(5):
            write_atomically(path, f"{number}\n" * 20000)

    codes = _forked(place, write, crowd)
    lines = path.read_text().splitlines()
    if any(codes) or len(set(lines)) != 1 or len(lines) != 20000 or place.left_behind():
        tally.fault(seed, f"exit codes {codes}; {len(set(lines))} writers in one file")


JUDGES: dict[str, Callable[[Stage, int, int, Tally], None]] = {
    "measure into one table": one_table,
    "measure on one device, waiting": one_device,
    "the file of machines' speeds": one_journal_of_speeds,
    "one file of facts": one_facts_file,
    "one file that all replace": one_replaced_file,
}


def _measuring(stage: Stage, out: str) -> tuple[object, ...]:
    given = ("measure", "--model", stage.material["tiny.json"], "--points", 12, "--sessions", 1)
    return (*given, "--whole-models", 0, "--out", out)


def _judge_refusals(ended: Sequence[Ended], tally: Tally, seed: int, least: int) -> None:
    """At least so many work; the others say that another one does."""
    worked = sum(one.code in (0, 1) for one in ended)
    if worked < least:
        tally.fault(seed, f"none of {len(ended)} worked: {ended[0].err[-300:]}")
    for one in ended:
        if one.code in (0, 1):
            continue
        if one.code not in (BUSY, REFUSED) or not one.sentence:
            tally.fault(seed, f"one ended with {one.code}: {one.err[-300:]}")
        else:
            tally.refused += 1


def _forked(place: Place, work: Callable[[int], None], count: int) -> list[int]:
    """Do work(0), work(1), … in processes at once; return their exit codes."""
    read, write = os.pipe()
    pids = []
    for number in range(count):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.close(write)
                os.environ.update(place.environment())
                os.read(read, 1)  # all begin at once: when the other end is closed
                work(number)
                code = 0
            finally:
                os._exit(code)
        pids.append(pid)
    os.close(read)
    os.close(write)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
