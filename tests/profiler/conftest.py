"""A scripted clock, and a runtime whose executables move it instead of computing.

Scripts that tests start in a child process import these classes from here too.
"""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from vitprof.backends import BackendError, BackendOptions
from vitprof.backends.random_input import input_dtype, seeded_input
from vitprof.closing import Closing
from vitprof.models import Block
from vitprof.profiler.plan import Plan
from vitprof.profiler.sampling.protocol import Protocol
from vitprof.profiler.sampling.sampling_plan import SamplingPlan
from vitprof.tables import Row, Setting

if TYPE_CHECKING:
    import numpy as np
    import torch


class ScriptedClock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.wall_ns = 5_000_000_000
        self.cpu_ns = 1_000_000_000
        self.switches = 3

    def wall(self) -> int:
        return self.wall_ns

    def cpu(self) -> int:
        return self.cpu_ns

    def preemptions(self) -> int:
        return self.switches

    def advance(self, ms: float, cpu_ms: float | None = None, switches: int = 0) -> None:
        """Let a run of `ms` pass; CPU time goes along unless given."""
        self.wall_ns += round(ms * 1e6)
        self.cpu_ns += round((ms if cpu_ms is None else cpu_ms) * 1e6)
        self.switches += switches


@dataclass
class ScriptedRun:
    """What one run of an executable is to take."""

    ms: float
    cpu_ms: float | None = None
    switches: int = 0


class ScriptedExecutable(Closing):
    """Takes the next of `runs` each time, the last one again and again."""

    def __init__(
        self,
        clock: ScriptedClock,
        runs: Sequence[ScriptedRun],
        called: Callable[[], None],
        answer: Callable[[], list[np.ndarray]] = list,
    ) -> None:
        self.clock = clock
        self.runs = list(runs)
        self.called = called
        self.answer = answer
        self.count = 0
        self.closed = False

    def run(self) -> None:
        if self.closed:
            raise BackendError("the session is closed")
        self.called()
        now = self.runs[min(self.count, len(self.runs) - 1)]
        self.count += 1
        self.clock.advance(now.ms, now.cpu_ms, now.switches)

    def outputs(self) -> list[np.ndarray]:
        return self.answer()

    def close(self) -> None:
        self.closed = True


# By artifact, so that a backend knows what another one built.
_MODULES: dict[str, tuple[torch.nn.Module, tuple[int, ...]]] = {}


def no_fault(artifact: dict[str, int]) -> str:
    return ""


@dataclass
class ScriptedBackend:
    """A runtime whose artifact is the module's size, and whose runs take a time made of it.

    An artifact is "params", "batch", and "whole": 1 for a model, 0 for a block or a chain of them.

    `build_fault`, `load_fault` and `run_fault` map an artifact to the error it meets, "" for none;
    `runs_of` maps one to the runs of a session. `opened` are all executables ever loaded.
    """

    clock: ScriptedClock = field(default_factory=ScriptedClock)
    version: str = "1.0"
    build_fault: Callable[[dict[str, int]], str] = no_fault
    load_fault: Callable[[dict[str, int]], str] = no_fault
    run_fault: Callable[[dict[str, int]], str] = no_fault
    on_run: Callable[[], None] = lambda: None
    runs_of: Callable[[dict[str, int], random.Random], Sequence[ScriptedRun]] | None = None
    name: str = "scripted"
    default_provider: str = "scripted"
    throttled: Callable[[], str | None] = lambda: None
    off: float = 1.0  # what its outputs are multiplied by
    executable: type[ScriptedExecutable] = ScriptedExecutable

    def __post_init__(self) -> None:
        self.rng = random.Random(4)
        self.built: list[dict[str, int]] = []
        self.opened: list[ScriptedExecutable] = []

    def unavailable(self) -> str | None:
        return None

    def unbuildable(self) -> str | None:
        return None

    def check(self, options: BackendOptions) -> None:
        pass

    def trouble(self) -> str | None:
        return self.throttled()

    def build(
        self, module: torch.nn.Module, input_shape: tuple[int, ...], options: BackendOptions
    ) -> bytes:
        params = sum(parameter.numel() for parameter in module.parameters())
        whole = int(type(module).__name__ != "Sequential")  # a chain of blocks is one
        artifact = {"params": params, "batch": input_shape[0], "whole": whole}
        self.built.append(artifact)
        if fault := self.build_fault(artifact):
            raise BackendError(fault)
        text = json.dumps(artifact)
        _MODULES[text] = (module, input_shape)
        return text.encode()

    def answer(self, artifact: str) -> list[np.ndarray]:
        """Return what the module computes; nothing of one that no backend built here."""
        import torch

        if artifact not in _MODULES:
            return []
        module, shape = _MODULES[artifact]
        given = seeded_input(shape, input_dtype(module, "fp32"))
        with torch.inference_mode():
            return [self.off * module(torch.from_numpy(given)).numpy()]

    def load(self, artifact: bytes, options: BackendOptions) -> ScriptedExecutable:
        values = json.loads(artifact)
        if fault := self.load_fault(values):
            raise BackendError(fault)
        fault = self.run_fault(values)

        def called() -> None:
            self.on_run()
            if fault:
                raise BackendError(fault)

        luck = self.rng.uniform(0.99, 1.01)
        runs = (
            self.runs_of(values, self.rng)
            if self.runs_of
            else [ScriptedRun(luck * self.true_ms(values["params"]))]
        )
        answer = functools.partial(self.answer, artifact.decode())
        self.opened.append(self.executable(self.clock, runs, called, answer))
        return self.opened[-1]

    @staticmethod
    def true_ms(params: int) -> float:
        return 0.5 + params / 1e4

    def environment(self, options: BackendOptions) -> dict[str, object]:
        return {"name": self.name, "version": self.version, "threads": options.threads}


def plan_of(*widths: int) -> Plan:
    """Return the plan of one small MLP block a width."""
    return Plan.of_blocks([Block.of("mlp", embed=8, mlp=width, tokens=2) for width in widths])


def quick_protocol(
    sessions: int = 3,
    group: int = 4,
    extra_sessions: int = 0,
    correct_drift: bool = False,
    model_sessions: int = 3,
    reference_sessions: int = 3,
    model_extra_sessions: int = 0,
    extra_share: float = 0.0,
) -> Protocol:
    sampling = SamplingPlan(warmup_runs=1, warmup_ms=1, timed_ms=5, min_runs=3, max_runs=5)
    return Protocol(
        sessions=sessions,
        model_sessions=model_sessions,
        extra_sessions=extra_sessions,
        model_extra_sessions=model_extra_sessions,
        reference_sessions=reference_sessions,
        extra_share=extra_share,
        group=group,
        correct_drift=correct_drift,
        sampling=sampling,
    )


SCRIPTED_SETTING = Setting("toy", "scripted")


@pytest.fixture
def clock() -> ScriptedClock:
    return ScriptedClock()


@pytest.fixture
def backend(clock: ScriptedClock) -> ScriptedBackend:
    return ScriptedBackend(clock)


@pytest.fixture(scope="session")
def new_backend() -> Callable[..., ScriptedBackend]:
    """Return a new scripted runtime: new_backend(build_fault=..., ...)."""
    return ScriptedBackend


@pytest.fixture(scope="session")
def run_of() -> type[ScriptedRun]:
    return ScriptedRun


@pytest.fixture
def executable(clock: ScriptedClock) -> Callable[..., ScriptedExecutable]:
    """Return an executable of scripted runs: executable(run, run, ..., called=...)."""

    def make(
        *runs: ScriptedRun | float, called: Callable[[], None] = lambda: None
    ) -> ScriptedExecutable:
        scripted = [run if isinstance(run, ScriptedRun) else ScriptedRun(run) for run in runs]
        return ScriptedExecutable(clock, scripted, called)

    return make


@pytest.fixture(scope="session")
def widths() -> Callable[..., Plan]:
    """Return the plan of one small MLP block a width: widths(8, 16)."""
    return plan_of


@pytest.fixture(scope="session")
def quick() -> Callable[..., Protocol]:
    """Return a protocol of few short sessions, without a reference unless asked for."""
    return quick_protocol


@pytest.fixture(scope="session")
def toy_setting() -> Setting:
    return SCRIPTED_SETTING


@pytest.fixture(scope="session")
def width_of() -> Callable[[Row], int]:
    """Return the MLP width that a row of `widths` stands for."""
    return lambda row: row.subject["mlp"]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "lut.csv"
