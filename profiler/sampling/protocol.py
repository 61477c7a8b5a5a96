"""How a table is sampled: the numbers that go into its header."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from .sampling_plan import SamplingPlan


@dataclass(frozen=True)
class Protocol:
    """`sessions` fresh sessions a point, each sampled as `sampling` says.

    A point's sessions are spread over `sessions` passes through the plan, so that a slow minute of
    the machine spoils one session of many points (which the median forgives) and not all sessions
    of a few. Within a pass, `group` points are alive at a time and run in interleaved rounds. Whole
    models get `model_sessions`, for what is fitted on them is in every prediction, and up to
    `model_extra_sessions` more while the half-width of their interval is beyond `model_within`:
    sessions of a model of a few milliseconds differ by several per cent. A block still unstable
    gets up to `extra_sessions` more. `unstable_above` is the relative
    half-width of the 95 % interval beyond which a point's verdict is "unstable". With
    `correct_drift` a reference block, the middling one of `reference_sessions` sessions, is run in
    between, see `drift.py`.
    """

    sessions: int = 3
    model_sessions: int = 5
    extra_sessions: int = 2
    model_extra_sessions: int = 10
    model_within: float = 0.015
    reference_sessions: int = 15
    group: int = 12
    seed: int = 0
    unstable_above: float = 0.05
    correct_drift: bool = True
    sampling: SamplingPlan = field(default_factory=SamplingPlan)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def fixed_protocol(sessions: int, warmup: int, runs: int, threads: int) -> Protocol:
    """Return the protocol of just so many sessions of whole models, and runs of each session.

    `warmup` runs come before, untimed; `threads` are those of the runtime.
    """
    sampling = SamplingPlan(
        warmup_runs=warmup, warmup_ms=0.0, min_runs=runs, max_runs=runs, threads=threads
    )
    return Protocol(
        sessions=sessions,
        model_sessions=sessions,
        extra_sessions=0,
        model_extra_sessions=0,
        sampling=sampling,
    )
