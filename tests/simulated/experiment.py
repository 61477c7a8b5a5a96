"""What every estimator makes of many sessions on a simulated machine whose truth is known."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from vitprof.models import Block
from vitprof.profiler.plan import Subject
from vitprof.profiler.sampling.reference import STANDARD
from vitprof.profiler.sampling.sampler import sample_group
from vitprof.profiler.sampling.sampling_plan import SamplingPlan
from vitprof.profiler.sampling.timed_run import Sample

from .estimators import ESTIMATORS
from .machine import Machine
from .replay import LoggedRun, Replayed, replayed
from .runtime import Session, truth_ms
from .weather import Weather


def _attention(embed: int, heads: int) -> Block:
    return Block.of("attention", embed=embed, heads=heads, qk=64, v=64, tokens=197)


def _mlp(embed: int, width: int) -> Block:
    return Block.of("mlp", embed=embed, mlp=width, tokens=197)


SUBJECTS: list[Subject] = [
    (_attention(192, 3),),
    (_attention(384, 6),),
    (_attention(768, 12),),
    (_mlp(192, 768),),
    (_mlp(384, 1536),),
    (_mlp(768, 3040),),
    (_attention(384, 6), _mlp(384, 1536)) * 3,
]


@dataclass(frozen=True)
class Group:
    """One group of sessions: what it logged, what the sampler said, and what was true."""

    log: list[LoggedRun]
    sampled: Mapping[Subject, list[Sample]]
    readings: list[float]
    sessions: Mapping[Subject, Session]

    def replayed(self) -> Replayed:
        return replayed(self.log)


def sampled_group(weather: Weather, seed: int) -> Group:
    """Sample SUBJECTS once beside a reference whose session is neither lucky nor unlucky."""
    machine, log = Machine(weather, seed), list[LoggedRun]()
    machine.idle(machine.rng.uniform(0.0, 120.0))
    sessions = {subject: Session(subject, machine, log) for subject in SUBJECTS}
    reference = Session((STANDARD,), machine, log, logged_as=None)
    reference.ms = truth_ms((STANDARD,))
    readings: list[float] = []
    samples = sample_group(
        sessions,
        SamplingPlan(),
        machine,
        random.Random(seed),
        reference=reference,
        readings=readings,
    )
    return Group(log, {key: one.all for key, one in samples.items()}, readings, sessions)


@dataclass(frozen=True)
class Errors:
    """An estimator's errors over many sessions, in ln(ms), those of a session's luck left out."""

    known: np.ndarray
    asked: int

    @property
    def bias(self) -> float:
        return float(self.known.mean())

    @property
    def sd(self) -> float:
        return float(self.known.std())

    @property
    def missing(self) -> float:
        """Share of sessions for which there was no estimate."""
        return 1 - len(self.known) / self.asked


def errors_of_estimators(weather: Weather, seeds: Iterable[int]) -> dict[str, Errors]:
    """Return every estimator's errors over the sessions of a group a seed."""
    found: dict[str, list[float]] = {name: [] for name in ESTIMATORS}
    speed_ms = truth_ms((STANDARD,))
    for seed in seeds:
        group = sampled_group(weather, seed)
        said = group.replayed()
        for subject, session in group.sessions.items():
            pairs = zip(said.samples[subject], said.before_ms[subject], strict=True)
            calm = [pair for pair in pairs if not pair[0].disturbed()]
            if not calm:
                continue
            samples, before_ms = zip(*calm, strict=True)
            for name, estimator in ESTIMATORS.items():
                ms = estimator(samples, before_ms, speed_ms, session.exponent)
                found[name].append(math.log(ms / session.ms))
    return {
        name: Errors(np.array([e for e in errors if not math.isnan(e)]), len(errors))
        for name, errors in found.items()
    }
