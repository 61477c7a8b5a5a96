"""Every call that changes a file fails in turn: disk full, an I/O error, a read-only file system.

A command whose call fails ends with exit code 2 and a sentence that names a file, or does without
what could not be written and its result is the whole one. Nothing is left beside the results, no
file is torn, what stood there before still stands, and the same command afterwards, on a disk that
works, gives the result of a run that met no fault.
"""

from __future__ import annotations

import argparse
import errno
import random
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from .commands import Ended, Place
from .comparing import differences, kept_lines, lost_lines
from .faults import FAIL_ON, FAIL_ONCE, Fault
from .outcomes import Outcome, write_rows
from .scenes import MEASURED, Scene, resumable
from .single import single
from .stage import Stage, Tally, add_only, chosen, swept

ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS)
# Of a command that makes more calls, so many are taken: a training writes its state in hundreds.
# Every kind of call on every file is among them.
MOST = 60
# What differs in names of one kind: numbers, and what `tempfile` draws.
DRAWN = re.compile(r"(?<=tmp)\w{8}(?=$|/)|(?<=[-_.])[a-z0-9_]{8}(?=[/.]|$)|\d+")


def add_options(parser: argparse.ArgumentParser) -> None:
    add_only(parser)


def run(options: argparse.Namespace) -> list[Outcome]:
    stage = Stage.ready(options.out, "writes")
    rows = []
    scenes = (*single(stage.material), *resumable(stage.material))
    for scene in chosen(scenes, options.only):
        tally = each_call_failing(stage, scene, options.count or MOST, options.seed)
        rows.append(tally.outcome)
        write_rows(options.out, "writes", rows)
        print(tally.outcome, flush=True)
    return rows


def each_call_failing(stage: Stage, scene: Scene, most: int, seed: int) -> Tally:
    """Let each call of the command fail in a run of its own; the seed of a run is its call."""
    tally = Tally("failing writes", scene.name)
    reference = stage.place(scene, "reference")
    ended = stage.run(scene, reference)
    if ended.code not in scene.codes:
        tally.fault(seed, f"without a fault it ended with {ended.code}: {ended.err[-600:]}")
        return tally
    if len(ended.made) != ended.calls:
        raise SystemExit(f"{scene.name}: {len(ended.made)} of {ended.calls} calls were recorded.")
    calls = calls_to_fail([_short(call, reference) for call in ended.made], most, seed)
    print(f"{scene.name}: {len(calls)} of {ended.calls} calls", flush=True)
    for nth in calls:
        tally.calls += 1
        before = tally.faults
        number = ERRORS[nth % len(ERRORS)]
        mode = FAIL_ON if nth % 2 else FAIL_ONCE
        place = stage.place(scene, f"call-{nth}")
        failing(stage, scene, place, reference, Fault(nth, mode, number), tally)
        if tally.faults == before:
            shutil.rmtree(place.folder)
    return tally


def calls_to_fail(made: Sequence[str], most: int, seed: int) -> Sequence[int]:
    """Return the numbers of the calls: all, or as many as asked for.

    Of each kind of call on each file the first and the last one are among them, however few are
    asked for.
    """
    numbers = range(1, len(made) + 1)
    if len(made) <= most:
        return numbers
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for nth, call in zip(numbers, made, strict=True):
        first.setdefault(kind_of(call), nth)
        last[kind_of(call)] = nth
    taken = {*first.values(), *last.values()}
    others = [nth for nth in numbers if nth not in taken]
    drawn = random.Random(seed).sample(others, min(max(most - len(taken), 0), len(others)))
    return sorted([*taken, *drawn])


def kind_of(call: str) -> str:
    """Return a call and its file without what differs from one file of a kind to the next."""
    return DRAWN.sub("#", call)


def failing(
    stage: Stage, scene: Scene, place: Place, reference: Place, fault: Fault, tally: Tally
) -> None:
    """Run with the fault and once more without it, and judge both."""
    ended = stage.run(scene, place, fault)
    name = errno.errorcode[fault.number]
    what = f"{name} at {_short(ended.struck, place)}"
    faults = judged(scene, place, reference, ended)
    if ended.code == 2 and not faults:
        tally.refused += 1
    elif not faults:
        tally.done += 1
    kept = {log: kept_lines(place.work / log) for log in scene.logs}
    given = {name for name in scene.given if (place.work / name).is_file()}
    faults += [f"{name}, which was given, is gone" for name in set(scene.given) - given]
    again = stage.run(scene, place) if ended.code == 2 else ended
    # What it did without may have cost time: of a model that was not prepared, for one.
    left_out = scene.volatile if ended.code == 2 else (*scene.volatile, *MEASURED)
    if again.code not in scene.codes:
        faults.append(f"afterwards it ended with {again.code}: {again.err[-300:]}")
    else:
        faults += differences(reference.work, place.work, left_out)
        for log in scene.logs:
            if ended.code == 2 and scene.exact is False:
                lost = lost_lines(kept[log], kept_lines(place.work / log))
                faults += [f"{log} lost a line"] if lost and log.endswith("jsonl") else []
    faults += [f"{left} is left behind" for left in swept(place)]
    if faults:
        tally.fault(fault.nth, f"{what}: {'; '.join(faults)[:700]}")


def judged(scene: Scene, place: Place, reference: Place, ended: Ended) -> list[str]:
    """Return what is wrong with how a command met its fault."""
    faults = [f"a process lives on: {command}" for command in ended.orphans]
    faults += [f"{name} is left behind" for name in place.left_behind()]
    if "Traceback" in ended.err:
        return [*faults, f"a traceback: {ended.err[-400:]}"]
    if ended.code == 2:
        if not ended.sentence:
            return [*faults, f"no sentence: {ended.err[-300:]}"]
        results = [path.name for path in reference.work.rglob("*")]
        if not names_the_place(ended.sentence, ended.struck, place, results):
            faults.append(f"no file is named: {ended.sentence}")
        return faults
    if ended.code not in scene.codes:
        return [*faults, f"it ended with {ended.code}: {ended.err[-300:]}"]
    return faults


def names_the_place(sentence: str, struck: str, place: Place, results: Sequence[str] = ()) -> bool:
    """Whether the sentence holds the name of the file that failed, or of a folder it is in.

    A part of a file, a lock and a temporary file have names of their own, and where all later calls
    fail too another file may be named: then it is that of one of the `results`.
    """
    path = Path(struck.partition(" ")[2])
    inside = path.relative_to(place.folder) if path.is_relative_to(place.folder) else path
    names = [one for one in inside.parts if not one.startswith(".vitprof-")]
    if inside.suffix == ".part" or inside == Path("work") or inside.parts[0] != "work":
        names += results
    return (
        any(name in sentence for name in names if name != "work") or str(place.folder) in sentence
    )


def _short(struck: str, place: Place) -> str:
    return struck.replace(str(place.folder) + "/", "")
