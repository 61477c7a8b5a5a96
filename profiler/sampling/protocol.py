"""How a table is sampled: the numbers that go into its header."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from ...errors import UserError
from .sampling_plan import SamplingPlan

# Most of a session's error is the scatter of its runs, and loading costs as much as they do: so
# sessions are long, and blocks of a millisecond get several runs in a row.
TABLE_SAMPLING = SamplingPlan(timed_ms=100.0, max_runs=32, runs_per_turn=4, readings=16)

# Kernels are many, each is a small part of a model, and their errors cancel: sessions are short.
KERNEL_SAMPLING = SamplingPlan(timed_ms=30.0, max_runs=16, runs_per_turn=4, readings=16)


# Where an expected error was asked for, further sessions may cost so many times the first ones.
PATIENT_SHARE = 10.0
# Of a plan of hundreds of kernels each matters little.
KERNEL_EXTRA_SHARE = 0.15


@dataclass(frozen=True)
class Protocol:
    """`sessions` fresh sessions a point, each sampled as `sampling` says.

    A point's sessions are spread over `sessions` passes through the plan, so that a slow minute of
    the machine spoils one session of many points (which the median forgives) and not all sessions
    of a few. Within a pass, `group` points are alive at a time and run in interleaved rounds. Whole
    models get `model_sessions`. Then a table's points get further sessions where these lower the
    error of predictions most (`extra_sessions.py`), until the scatter of sessions is expected to
    move a prediction by `expected_error` (a relative standard deviation) or they have cost
    `extra_share` of what the first ones did. Models that are measured without a table get up to
    `model_extra_sessions` more while the half-width of their interval is beyond `model_within`, and
    an unstable block up to `extra_sessions`. `unstable_above` is the relative half-width of the
    95 % interval beyond which a point's verdict is "unstable". With `correct_drift` a reference
    block, the middling one of `reference_sessions` sessions, is run in between, see
    `correction.py`. Kernels of a runtime get `kernel_sessions`, each sampled as `kernel_sampling`
    says, in groups of `kernel_group`.
    """

    sessions: int = 3
    model_sessions: int = 5
    extra_sessions: int = 2
    model_extra_sessions: int = 10
    model_within: float = 0.015
    expected_error: float = 0.004
    extra_share: float = 0.5
    reference_sessions: int = 15
    group: int = 12
    seed: int = 0
    unstable_above: float = 0.05
    correct_drift: bool = True
    sampling: SamplingPlan = TABLE_SAMPLING
    kernel_sessions: int = 2
    kernel_group: int = 24
    kernel_sampling: SamplingPlan = KERNEL_SAMPLING

    def sampling_of(self, kernels: bool) -> SamplingPlan:
        """Return how sessions of kernels, or of all else, are sampled."""
        return self.kernel_sampling if kernels else self.sampling

    def until(self, expected_error: float) -> Protocol:
        """Return the protocol that goes on until predictions are so sure, within reason."""
        if not 0 < expected_error < 1:
            raise UserError(f"`expected_error` {expected_error:g} must be above 0 and below 1.")
        return replace(self, expected_error=expected_error, extra_share=PATIENT_SHARE)

    def for_kernels(self) -> Protocol:
        """Return the protocol of a table of a runtime's kernels."""
        return replace(self, extra_share=KERNEL_EXTRA_SHARE)

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


# A run of a whole model is long. What differs is its sessions, so that more runs of one say little.
# As many runs in a row as in a table: a small model is some per cent slower at the first ones.
MODEL_SAMPLING = SamplingPlan(
    timed_ms=120.0,
    min_runs=4,
    max_runs=12,
    runs_per_turn=TABLE_SAMPLING.runs_per_turn,
    readings=TABLE_SAMPLING.readings,
)


def protocol_of_rounds(rounds: int, seed: int = 0) -> Protocol:
    """Return the protocol of whole models in rounds of one session each, see `rounds.py`."""
    return Protocol(
        sessions=rounds,
        model_sessions=rounds,
        extra_sessions=0,
        model_extra_sessions=0,
        seed=seed,
        sampling=MODEL_SAMPLING,
    )
