"""SIGKILL at random moments of every command that goes on where it stopped.

A run is killed at a call that changes a file, or at a moment of its time, and started again, until
it is done. No row, record or result that was finished may be lost, and what it leaves in the end is
compared with a run that was not killed: on a fixed machine, and for training, to the last digit.
Where figures were measured by this machine's clock, they are left out.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
from collections.abc import Iterator

from .commands import Ended, Place
from .comparing import differences, doubled_points, kept_lines, lost_lines, whole_table
from .faults import SIGNAL, Fault
from .outcomes import Outcome, write_rows
from .scenes import Scene, resumable
from .stage import Stage, Tally, add_only, chosen, swept

# Of a scene whose weight is 1; the weights' sum is 28.
KILLS = 12
# After so many the run is let through.
MOST_OF_A_RUN = 8


def add_options(parser: argparse.ArgumentParser) -> None:
    add_only(parser)


def run(options: argparse.Namespace) -> list[Outcome]:
    stage = Stage.ready(options.out, "kills")
    rows = []
    for scene in chosen(resumable(stage.material), options.only):
        wanted = round((options.count or KILLS) * scene.weight)
        tally = killed_until_done(stage, scene, wanted, options.seed)
        rows.append(tally.outcome)
        write_rows(options.out, "kills", rows)
        print(tally.outcome, flush=True)
    return rows


def killed_until_done(stage: Stage, scene: Scene, wanted: int, seed: int) -> Tally:
    """Kill runs of a command until there were so many kills; `calls` are the kills."""
    tally = Tally("kills", scene.name)
    reference = stage.place(scene, "reference")
    ended = stage.run(scene, reference)
    if ended.code not in scene.codes:
        tally.fault(seed, f"the run that nobody killed ended with {ended.code}: {ended.err}")
        return tally
    while tally.calls < wanted:
        place = stage.place(scene, f"seed-{seed}")
        before, calls = tally.faults, tally.calls
        one_run(stage, scene, place, (reference, ended), (tally, seed, wanted))
        if tally.faults == before:
            tally.done += tally.calls - calls
            shutil.rmtree(place.folder)
        seed += 1
    return tally


def one_run(
    stage: Stage,
    scene: Scene,
    place: Place,
    uninterrupted: tuple[Place, Ended],
    counting: tuple[Tally, int, int],
) -> None:
    """Kill one run until it is done, and judge what it leaves."""
    reference, as_a_whole = uninterrupted
    tally, seed, wanted = counting
    moments = moments_of(random.Random(seed), as_a_whole)
    kept: dict[str, list[str]] = {}
    kills = 0
    while True:
        fault, after = next(moments)
        if kills >= MOST_OF_A_RUN or tally.calls >= wanted:
            fault, after = None, None
        ended = stage.run(scene, place, fault, after)
        for command in ended.orphans:
            tally.fault(seed, f"a process lives on: {command}")
        if not ended.killed:
            break
        kills += 1
        tally.calls += 1
        for name in scene.logs:
            lines = kept_lines(place.work / name)
            if whole_table(place.work / name):
                kept[name] = []  # the finished table stands in the journal's place
                continue
            if lost := lost_lines(kept.get(name, []), lines):
                tally.fault(seed, f"after kill {kills} {name} lacks {len(lost)}: {lost[0][:200]}")
            kept[name] = lines
    # It was killed between its last result and its end.
    finished = kills and ended.code == 2 and "holds a finished run" in ended.sentence
    if ended.code not in scene.codes and not finished:
        tally.fault(seed, f"after {kills} kills it ended with {ended.code}: {ended.err[-600:]}")
        return
    faults = differences(reference.work, place.work, scene.volatile)
    faults += [f"{name} is left behind" for name in swept(place)]
    for name in scene.logs:
        if name.endswith(".csv"):
            faults += [f"{name} holds twice {key}" for key in doubled_points(place.work / name)]
    if faults:
        tally.fault(seed, f"after {kills} kills: {'; '.join(faults)[:600]}")


def moments_of(
    rng: random.Random, whole: Ended
) -> Iterator[tuple[Fault | None, tuple[float, int] | None]]:
    """Yield when to kill: at a call that changes a file, or after a time."""
    while True:
        if rng.random() < 0.6:
            yield Fault(rng.randint(1, max(whole.calls, 1)), SIGNAL, signal.SIGKILL), None
        else:
            yield None, (rng.uniform(0.0, whole.seconds), signal.SIGKILL)
