"""Random questions to the guided search, answered from what `vitprof choose` has measured."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

from vitprof.search.deployments.choices import DTYPES
from vitprof.search.deployments.evaluator import DeploymentEvaluator
from vitprof.search.deployments.guided import guided_search, most_evaluations
from vitprof.search.deployments.ladder import ladder_of
from vitprof.search.deployments.score import Measured, MeasuredLimits, Score, evaluated
from vitprof.search.deployments.space import DeploymentCosts, DeploymentSpace
from vitprof.search.goal import SearchGoal
from vitprof.search.limits import Limits
from vitprof.search.problem import SearchProblem

WEIGHTS = (Score(), Score(0.0, 0.0), Score(1.0, 100.0), Score(0.1, 0.0))


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
            one["facts"]["top3"],
            one["facts"]["latency_ms"],
            one["facts"]["peak_bytes"],
            one["facts"]["cpu_percent"],
        )
        for one in records
    }


def ask(folder: Path, parts: list[tuple[str, ...]], count: int, seed: int = 0) -> Answers:
    """Ask `count` questions that some variant satisfies, of each part of the models in turn."""
    found = measured_in(folder / "facts.jsonl")
    rng = random.Random(seed)
    best, none, shares, lost, asked = 0, 0, [], [], 0
    while asked < count:
        ladders = [ladder_of(folder / name).ladder for name in parts[asked % len(parts)]]
        space = DeploymentSpace.of(ladders, DTYPES, (1, 2))
        everyone = [space.deployment(row) for rows in space.enumerate() for row in rows]
        mine = {one.name: found[one.name] for one in everyone}
        limits, score = question(rng, mine)
        top = max((evaluated(one, score, limits) for one in mine.values()), key=lambda e: e.rank)
        if not top.keeps_limits:
            continue
        asked += 1
        replay = DeploymentEvaluator(space, lambda one: found[one.name], score, limits)
        costs = DeploymentCosts(space)
        problem = SearchProblem(space, costs, Limits(), SearchGoal(), replay)
        guided_search(problem, most_evaluations(space.count()))
        got = max(problem.found.values(), key=lambda e: e.rank)
        shares.append(len(replay.measured) / space.count())
        best += got.rank >= top.rank
        none += not got.keeps_limits
        if got.keeps_limits and got.rank < top.rank:
            lost.append(top.figure - got.figure)
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
