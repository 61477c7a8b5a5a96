"""SIGINT and SIGTERM at random stages of each command, and clocks that jump under it.

A command that is interrupted ends with exit code 130 and a sentence, leaves no temporary file and
no process, and goes on afterwards to the result of a run that was not interrupted; one that had
finished its work may end with its own code. Under a clock that jumps hours to and fro, a run has to
end with the result that it has under one that does not.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
from collections.abc import Callable

from .commands import Ended, Place
from .comparing import differences
from .faults import SIGNAL, Fault
from .outcomes import Outcome, write_rows
from .scenes import Scene, resumable
from .single import single
from .stage import Stage, Tally, add_only, chosen, swept

EACH = 6
INTERRUPTED = 130
HOUR = 3600.0


def add_options(parser: argparse.ArgumentParser) -> None:
    add_only(parser)


def run(options: argparse.Namespace) -> list[Outcome]:
    stage = Stage.ready(options.out, "signals")
    scenes = (*resumable(stage.material), *single(stage.material))
    rows = []
    for scene in chosen(scenes, options.only):
        for tally in (
            interrupted(stage, scene, options.count or EACH, options.seed),
            under_jumping_clocks(stage, scene, options.seed),
        ):
            rows.append(tally.outcome)
            write_rows(options.out, "signals", rows)
            print(tally.outcome, flush=True)
    return rows


def interrupted(stage: Stage, scene: Scene, count: int, seed: int) -> Tally:
    """Interrupt a command so often, each in a run of its own, by SIGINT and SIGTERM in turns."""
    tally = Tally("SIGINT, SIGTERM", scene.name)
    reference = stage.place(scene, "reference")
    whole = stage.run(scene, reference)
    if whole.code not in scene.codes:
        tally.fault(seed, f"nobody interrupted it, and it ended with {whole.code}: {whole.err}")
        return tally
    for one in range(seed, seed + count):
        tally.calls += 1
        number = signal.SIGINT if one % 2 else signal.SIGTERM
        faults = one_interruption(stage, scene, one, number, (reference, whole))
        if faults:
            tally.fault(one, f"{signal.Signals(number).name}: {'; '.join(faults)[:600]}")
        else:
            tally.done += 1
    return tally


def one_interruption(
    stage: Stage, scene: Scene, seed: int, number: int, uninterrupted: tuple[Place, Ended]
) -> list[str]:
    """Interrupt a run, at a call that changes a file or after a time, and go on; return faults."""
    reference, whole = uninterrupted
    rng = random.Random(seed)
    place = stage.place(scene, f"seed-{seed}")
    if rng.random() < 0.5:
        fault, after = Fault(rng.randint(1, max(whole.calls, 1)), SIGNAL, number), None
    else:
        fault, after = None, (rng.uniform(0.0, whole.seconds), number)
    ended = stage.run(scene, place, fault, after)
    faults = met_the_signal(scene, place, ended, number)
    # Before vitprof has set its handlers, a signal ends the process as it ends any.
    if ended.code in (INTERRUPTED, -number):
        if not scene.resumes:
            place = stage.place(scene, f"seed-{seed}")
        again = stage.run(scene, place)
        finished = again.code == 2 and "holds a finished run" in again.sentence
        if again.code not in scene.codes and not finished:
            faults.append(f"afterwards it ended with {again.code}: {again.err[-300:]}")
    faults += differences(reference.work, place.work, scene.volatile)
    faults += [f"{name} is left behind" for name in swept(place)]
    if not faults:
        shutil.rmtree(place.folder)
    return faults


def met_the_signal(scene: Scene, place: Place, ended: Ended, number: int) -> list[str]:
    """Return what is wrong with how a command ended that got a signal."""
    faults = [f"a process lives on: {command}" for command in ended.orphans]
    faults += [f"{name} is left behind" for name in place.left_behind()]
    if "Traceback" in ended.err:
        faults.append(f"a traceback: {ended.err[-400:]}")
    if ended.code == INTERRUPTED and "interrupted" not in ended.sentence:
        faults.append(f"no sentence: {ended.err[-300:]}")
    if ended.code not in (INTERRUPTED, -number, *scene.codes):
        faults.append(f"it ended with {ended.code}: {ended.err[-300:]}")
    return faults


def jumping(seed: int) -> Callable[[], None]:
    """Return what makes this process's time of day jump: by up to a day, at every tenth call."""

    def install() -> None:
        import time

        rng = random.Random(seed)
        real, real_ns = time.time, time.time_ns
        off = [0.0]

        def jumped() -> float:
            if rng.random() < 0.1:
                off[0] = rng.choice((-24, -1, 1, 24)) * HOUR
            return real() + off[0]

        time.time = jumped
        time.time_ns = lambda: real_ns() + int(off[0] * 1e9)

    return install


def under_jumping_clocks(stage: Stage, scene: Scene, seed: int) -> Tally:
    """Run a command twice under a clock that jumps: the result is as under one that does not."""
    tally = Tally("a clock that jumps", scene.name)
    reference = stage.place(scene, "reference")
    if stage.run(scene, reference).code not in scene.codes:
        tally.fault(seed, "it does not run")
        return tally
    for one in (seed, seed + 1):
        place = stage.place(scene, f"clock-{one}")
        ended = stage.run(scene, place, setup=jumping(one))
        tally.calls += 1
        faults = differences(reference.work, place.work, scene.volatile)
        if ended.code not in scene.codes:
            faults.append(f"it ended with {ended.code}: {ended.err[-300:]}")
        faults += negative_times(place.work / "lut.csv") if scene.fixed else []
        if faults:
            tally.fault(one, "; ".join(faults)[:600])
        else:
            tally.done += 1
            shutil.rmtree(place.folder)
    return tally


def negative_times(table: object) -> list[str]:
    """Return what a table says that is below nothing."""
    from pathlib import Path

    from vitprof.tables import LatencyTable

    read = LatencyTable.read_csv(Path(str(table)))
    seconds = read.header.seconds or {}
    faults = [f"{kind} took {taken} s" for kind, taken in seconds.items() if taken < 0]
    return faults + [
        f"{row.name} takes {row.latency_ms} ms" for row in read.rows if row.latency_ms < 0
    ]
