"""Random questions to the guided search, answered from what `vitprof choose` has measured."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from vitprof.cli.options.choice import PRECISIONS, ladder_of
from vitprof.search.deployments.deployments import VariantCosts, VariantSpace
from vitprof.search.deployments.guided import SHARE, Outlook, guided_search
from vitprof.search.deployments.score import (
    Measured,
    MeasuredLimits,
    Score,
    figure_of,
    keeps_limits,
)
from vitprof.search.evaluation_log import Key, key_of
from vitprof.search.limits import Limits
from vitprof.search.objective import Objective
from vitprof.search.problem import Problem

WEIGHTS = (Score(), Score(0.0, 0.0), Score(1.0, 100.0), Score(0.1, 0.0))


class Replay:
    """An evaluator that looks up what was measured."""

    measures = "score in points"

    def __init__(
        self, space: VariantSpace, found: dict[str, Measured], limits: MeasuredLimits, score: Score
    ) -> None:
        self.space, self.found, self.limits, self.score = space, found, limits, score
        self.asked: dict[Key, Measured] = {}

    def evaluate(self, population: np.ndarray) -> Iterator[tuple[int, float]]:
        for position, row in enumerate(population):
            measured = self.found[self.space.variant(row).name]
            self.asked[key_of(row)] = measured
            yield position, figure_of(measured, self.score, self.limits)


@dataclass(frozen=True)
class Answers:
    """Of how many questions the best was found, of which share of measurements, and what was lost.

    lost: points of score that a worse answer is behind. none: questions without any answer that
    keeps the limits, though there is one.
    """

    questions: int
    best: int
    share: float
    lost: list[float]
    none: int


def measured_in(path: Path) -> dict[str, Measured]:
    records = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    return {
        one["variant"]: Measured(
            one["facts"]["top3"], one["facts"]["latency_ms"], one["facts"]["peak_bytes"],
            one["facts"]["cpu_percent"],
        )
        for one in records
    }  # fmt: skip


def ask(folder: Path, parts: list[tuple[str, ...]], count: int, seed: int = 0) -> Answers:
    """Ask `count` questions that some variant satisfies, of each part of the models in turn."""
    found = measured_in(folder / "facts.jsonl")
    rng = random.Random(seed)
    best, none, shares, lost, asked = 0, 0, [], [], 0
    while asked < count:
        ladders = [ladder_of(folder / name).ladder for name in parts[asked % len(parts)]]
        space = VariantSpace.of(ladders, PRECISIONS, (1, 2))
        mine = {
            space.variant(row).name: found[space.variant(row).name]
            for rows in space.enumerate() for row in rows
        }  # fmt: skip
        limits, score = question(rng, mine)
        top = max(figure_of(one, score, limits) for one in mine.values())
        if not keeps_limits(top):
            continue
        asked += 1
        machine = Replay(space, mine, limits, score)
        problem = Problem(Limits((), VariantCosts(space)), Objective(), machine)
        outlook = Outlook(lambda machine=machine: machine.asked, score, limits)
        guided_search(problem, outlook, int(SHARE * space.count()))
        got = max(problem.found.values())
        shares.append(len(machine.asked) / space.count())
        best += got >= top
        none += not keeps_limits(got)
        if keeps_limits(got) and got < top:
            lost.append(top - got)
    return Answers(count, best, max(shares), lost, none)


def question(rng: random.Random, found: dict[str, Measured]) -> tuple[MeasuredLimits, Score]:
    """Return limits a little above what one of the variants has, and weights."""
    one = found[rng.choice(sorted(found))]
    kinds = rng.choice(("", "latency", "memory", "cpu latency", "latency memory", "accuracy"))
    limits = MeasuredLimits(
        one.latency_ms * 1.03 if "latency" in kinds else None,
        one.memory_bytes * 1.01 if "memory" in kinds else None,
        110.0 if "cpu" in kinds else None,
        one.accuracy - 0.001 if "accuracy" in kinds else None,
    )
    return limits, rng.choice(WEIGHTS)
