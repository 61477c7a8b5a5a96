"""Timing variants of a block or model side by side; none is shown whose outputs are wrong."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from vitprof.backends import Backend, BackendError, BackendOptions, Executable
from vitprof.errors import UserError
from vitprof.models import Block, Spec
from vitprof.profiler.expected import ExpectedOutputs
from vitprof.profiler.gate import examined
from vitprof.profiler.random_module import random_module
from vitprof.profiler.sampling.clock import Clock, SystemClock
from vitprof.profiler.sampling.sampler import sample_group
from vitprof.profiler.sampling.sampling_plan import SamplingPlan

# By the device's clock no sample is disturbed by the host, so all are kept: rounds are comparable.
PLAN = SamplingPlan(warmup_runs=3, warmup_ms=10, timed_ms=60, min_runs=12, max_runs=100)


@dataclass(frozen=True)
class Variant:
    """One way to run what is timed: whose backend, under which options, how many images."""

    backend: Backend
    options: BackendOptions
    batch: int = 1


@dataclass(frozen=True)
class Timed:
    """Median, 10th and 90th percentile in ms, or in words why there is none."""

    median_ms: float = float("nan")
    p10_ms: float = float("nan")
    p90_ms: float = float("nan")
    error: str = ""

    @property
    def us(self) -> str:
        """The time in µs, or "failed"."""
        return "failed" if self.error else f"{1e3 * self.median_ms:.1f}"

    @property
    def spread(self) -> str:
        """From the 10th to the 90th percentile in µs."""
        return "" if self.error else f"{1e3 * self.p10_ms:.1f} to {1e3 * self.p90_ms:.1f}"


@dataclass
class Stopwatch:
    """Builds each artifact once; the variants of one subject take turns."""

    plan: SamplingPlan = PLAN
    clock: Clock = field(default_factory=SystemClock)

    def timed(self, subject: Block | Spec, variants: Sequence[Variant]) -> list[Timed]:
        """Return what each of the variants took; one that fails costs the others nothing."""
        module, image = random_module(subject if isinstance(subject, Spec) else (subject,))
        built: dict[tuple[object, ...], bytes] = {}
        found: dict[int, Timed] = {}
        alive: dict[int, Executable] = {}
        with ExitStack() as stack:
            for nth, one in enumerate(variants):
                shape = (one.batch, *image)
                what = (id(one.backend), one.options.dtype, one.options.sparsity, one.batch)
                try:
                    if what not in built:
                        built[what] = one.backend.build(module, shape, one.options)
                    executable = stack.enter_context(one.backend.load(built[what], one.options))
                    expected = ExpectedOutputs(one.backend, one.options)
                    key = subject if isinstance(subject, Spec) else (subject,)
                    expected.compute(key, module, shape)
                    executable.run()
                    wrong = examined(executable, expected.of(key), one.options).wrong
                    if wrong is not None:
                        raise BackendError(wrong)
                    alive[nth] = executable
                except (BackendError, UserError) as error:
                    found[nth] = Timed(error=str(error))
                    check_gpu(str(error))
            if alive:
                found |= self._sampled(alive)
        return [found[nth] for nth in range(len(variants))]

    def _sampled(self, alive: dict[int, Executable]) -> dict[int, Timed]:
        try:
            sampled = sample_group(alive, self.plan, self.clock, random.Random(0), keep_all=True)
        except BackendError as error:
            check_gpu(str(error))
            # Which of them it was is not told: none has a time.
            return dict.fromkeys(alive, Timed(error=str(error)))
        return {nth: _timed([s.wall_ms for s in one.kept]) for nth, one in sampled.items()}


def _timed(values: Sequence[float]) -> Timed:
    tenths = statistics.quantiles(values, n=10, method="inclusive")
    return Timed(statistics.median(values), tenths[0], tenths[-1])


def check_gpu(before: str) -> None:
    """Raise RuntimeError where the GPU no longer answers: all that follows would fail too.

    A kernel that reads outside its memory ends the process's use of the GPU for good. `before` is
    what failed just then.
    """
    import torch

    if not torch.cuda.is_available():
        return
    try:
        torch.cuda.synchronize()
    except RuntimeError as error:
        raise RuntimeError(f"the GPU was lost ({error}) after: {before}") from error


def say_failures(say: Callable[[str], None], named: Sequence[tuple[str, Timed]]) -> None:
    """Tell each reason once, with how many failed for it and the first of them."""
    reasons: dict[str, list[str]] = {}
    for name, one in named:
        if one.error:
            reasons.setdefault(one.error, []).append(name)
    for reason, names in reasons.items():
        others = f" and {len(names) - 1} more" if len(names) > 1 else ""
        say(f"Failed: {names[0]}{others}: {reason}")
