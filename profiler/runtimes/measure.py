"""Building models by every candidate, testing their outputs, and timing them in turns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...backends import BackendError
from ...backends.agreement import TOLERANCE, relative_error
from ...errors import UserError
from ...progress import OnProgress, no_progress
from ...tables.setting import PartialSetting
from ..deployed.footprint import footprint_of_file
from ..side_by_side import SESSIONS, measure_side_by_side
from .candidate import Candidate
from .child import Child
from .facts import RuntimeFacts
from .session import RemoteSession

BUILDER = "vitprof.profiler.runtimes.builder"
RUNNER = "vitprof.profiler.runtimes.runner"


@dataclass(frozen=True)
class AskedModel:
    """A model by what builds it: {"text": a `--model`, "shapes": …} or {"spec": its fields}.

    `digest` tells it from others of its name.
    """

    name: str
    request: Mapping[str, Any]
    digest: str = ""


@dataclass
class _Built:
    """A model's file of one candidate, and what is known of it so far."""

    candidate: Candidate
    path: Path
    setting: PartialSetting
    facts: RuntimeFacts
    exact: list[np.ndarray] | None = None
    outputs: list[np.ndarray] = field(default_factory=list)

    def fail(self, error: BackendError | str) -> None:
        words = " ".join(str(error).split())[:500]
        self.facts = replace(self.facts, verdict="failed", error=words)


@contextmanager
def builders(pythons: Sequence[str]) -> Iterator[dict[str, Child]]:
    """Yield a process that builds for each interpreter; raises UserError for one of none."""
    with ExitStack() as stack:
        yield {python: stack.enter_context(Child(python, BUILDER)) for python in set(pythons)}


def measure_runtimes(
    models: Sequence[AskedModel],
    candidates: Sequence[Candidate],
    builder_of: Mapping[str, Child],
    folder: Path,
    *,
    artifacts: str | None = None,
    batch: int = 1,
    threads: int = 1,
    sessions: int = SESSIONS,
    on_progress: OnProgress = no_progress,
    on_model: Callable[[str, Sequence[RuntimeFacts]], None] = lambda model, facts: None,
) -> list[RuntimeFacts]:
    """Return the facts of every model by every candidate, model after model.

    Everything is built first, or taken from the folder `artifacts` where it was built before. Then
    each model is run by all candidates in turns, each in a process of its own. What cannot be built
    or run, or computes something else, has the verdict "failed". `on_model` is called with the
    facts of each model as soon as it is done.
    """
    total = len(models) * len(candidates)
    built: list[list[_Built]] = []
    for model in models:
        of_model: list[_Built] = []
        built.append(of_model)
        for candidate in candidates:
            on_progress("building", _count(built), total, f"{model.name}: {candidate.name}")
            path = folder / str(_count(built))
            setting = candidate.setting(batch, threads)
            builder = builder_of[candidate.python]
            of_model.append(_build(model, candidate, builder, path, setting, artifacts))
    on_progress("building", total, total, "")
    facts: list[RuntimeFacts] = []
    tested = 0
    with ExitStack() as stack:
        runners: dict[Candidate, Child] = {}
        for nth, of_model in enumerate(built):
            for one in _unfailed(of_model):
                if one.candidate not in runners:
                    runner = Child(one.candidate.python, RUNNER)
                    runners[one.candidate] = stack.enter_context(runner)
                _try(one, runners[one.candidate])
                tested += 1
                on_progress("testing", tested, total, f"{one.facts.model}: {one.candidate.name}")
            _compare_outputs(of_model)
            _time(of_model, runners, threads, sessions, on_progress, nth, len(models))
            done = [one.facts for one in of_model]
            on_model(models[nth].name, done)
            facts += done
    return facts


def _count(built: Sequence[Sequence[_Built]]) -> int:
    return sum(map(len, built))


def _unfailed(built: Sequence[_Built]) -> list[_Built]:
    return [one for one in built if not one.facts.error]


def _build(
    model: AskedModel,
    candidate: Candidate,
    builder: Child,
    path: Path,
    setting: PartialSetting,
    artifacts: str | None,
) -> _Built:
    facts = RuntimeFacts(model.name, candidate.way.name, candidate.dtype)
    built = _Built(candidate, path.with_suffix(".artifact"), setting, facts)
    try:
        reply = builder.ask(
            "build",
            model=dict(model.request),
            setting=setting.as_dict(),
            out=str(path),
            artifacts=artifacts,
        )
    except BackendError as error:
        built.fail(error)
        return built
    built_s = math.nan if reply["build_s"] is None else reply["build_s"]
    built.facts = replace(facts, file_bytes=reply["bytes"], build_s=built_s)
    built.setting = PartialSetting(**reply["setting"])
    if reply["exact"]:
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as file:
            built.exact = [file[name] for name in file.files]
    return built


def _try(built: _Built, runner: Child) -> None:
    """Run it once for its outputs, and load it in a fresh process for what that takes."""
    try:
        with RemoteSession(runner, built.path, built.setting.as_dict()) as session:
            built.outputs, described = session.outputs_to(built.path.with_suffix(".out.npz"))
        footprint = footprint_of_file(built.path, built.setting, built.candidate.python)
    except BackendError as error:
        built.fail(error)
        return
    built.facts = replace(
        built.facts,
        load_ms=footprint.load_ms,
        first_run_ms=footprint.first_run_ms,
        peak_bytes=footprint.memory.peak_bytes,
        model_bytes=footprint.memory.of_model_bytes,
        **described,
    )


def _compare_outputs(of_model: Sequence[_Built]) -> None:
    """Fail what computes something else than its module, or than the first in fp32."""
    first = next((one.outputs for one in of_model if one.facts.dtype == "fp32" and one.outputs), [])
    for one in _unfailed(of_model):
        exact = one.exact or first
        if not exact:
            continue
        error = relative_error(one.outputs, exact)
        one.facts = replace(one.facts, output_error=error)
        most = TOLERANCE[one.facts.dtype]
        if error > most:
            one.fail(f"its outputs differ from fp32's by {error:.2g}, above {most:g}")


def _time(
    of_model: Sequence[_Built],
    runners: Mapping[Candidate, Child],
    threads: int,
    sessions: int,
    on_progress: OnProgress,
    nth: int,
    of: int,
) -> None:
    """Time the model by all candidates in turns; without the one that fails meanwhile."""
    while left := {one.candidate.name: one for one in _unfailed(of_model)}:
        try:
            timings = measure_side_by_side(
                {name: _opening(one, runners[one.candidate]) for name, one in left.items()},
                threads,
                sessions,
                on_progress=lambda done, total: on_progress(
                    "measuring in turns", nth * total + done, of * total, of_model[0].facts.model
                ),
            )
        except _FailedError as failed:
            failed.built.fail(failed)
            continue
        for name, one in left.items():
            timing = timings[name]
            one.facts = replace(
                one.facts,
                verdict="measured",
                latency_ms=timing.latency_ms,
                low_ms=timing.low_ms,
                high_ms=timing.high_ms,
                cores=timing.cpu_ms / timing.latency_ms,
                disturbed=timing.disturbed,
            )
        return


class _FailedError(BackendError):
    """One candidate's session cannot be opened or run any more."""

    def __init__(self, built: _Built, error: BackendError) -> None:
        super().__init__(str(error))
        self.built = built


class _NamedSession(RemoteSession):
    """A session whose errors tell whose it was."""

    def __init__(self, built: _Built, runner: Child) -> None:
        self._built = built
        try:
            super().__init__(runner, built.path, built.setting.as_dict())
        except BackendError as error:
            raise _FailedError(built, error) from error

    def timed(self) -> Any:
        try:
            return super().timed()
        except BackendError as error:
            raise _FailedError(self._built, error) from error


def _opening(built: _Built, runner: Child) -> Any:
    return lambda: _NamedSession(built, runner)


def here(builder: Child, python: str, version: str) -> dict[str, Any]:
    """Return what a builder's interpreter has: {"backends": {name: why not or None}, "dtypes"}.

    Raises UserError where it has no vitprof, or another version of it.
    """
    try:
        reply = builder.ask("here")
    except BackendError as error:
        raise UserError(f"{error}.") from None
    if reply["version"] != version:
        raise UserError(
            f"the Python {python} has vitprof {reply['version']} and this is {version}; install "
            "the same in both."
        )
    return reply
