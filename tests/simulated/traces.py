"""Traces of real machines: see tests/data/traces/README.md."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from vitprof.models import Block, Spec
from vitprof.profiler.plan import Subject

from .replay import LoggedRun

FOLDER = Path(__file__).parents[1] / "data" / "traces"


@dataclass(frozen=True)
class Trace:
    """Groups of a run of measuring, in their order; `runs_per_turn` as its plan had it."""

    groups: list[list[LoggedRun]]
    runs_per_turn: int


def read_trace(name: str) -> Trace:
    """Read a trace of the folder by its name."""
    said = json.loads((FOLDER / f"{name}.json").read_text())
    subjects = [_subject(one) for one in said["subjects"]]
    groups = []
    for runs in said["groups"]:
        now_us = 0
        group = []
        for nth, gap_us, wall_us, cpu_us, preemptions in runs:
            now_us += gap_us
            subject = subjects[nth] if nth >= 0 else None
            group.append(
                LoggedRun(subject, 1000 * now_us, 1000 * wall_us, 1000 * cpu_us, preemptions)
            )
            now_us += wall_us
        groups.append(group)
    return Trace(groups, said["runs_per_turn"])


def _subject(said: dict[str, object]) -> Subject:
    return Spec.from_dict(said) if "family" in said else (Block.of(**said),)
