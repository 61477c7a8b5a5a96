"""Base and head measured in one job, in pairs of sessions."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

from ...errors import UserError
from ...models.checks import shown
from ...profiler.regression.confidence_sequence import fewest_values
from ...profiler.regression.measure import MOST_SESSIONS, SECONDS, Regression, measure_regression
from ...profiler.regression.model_outputs import outputs_of, why_other
from ...progress import OnProgress
from ...quantities import Quantity, seconds
from ...tables.setting import PartialSetting
from ...tables.sharing.plain_text import printable
from ..inputs import Path, Shapes, spec_of
from .check import REGRESSION, Check

if TYPE_CHECKING:
    from ...models import Spec
    from ...profiler.sampling.timed_run import OpenSession
    from ...profiler.workshop import Workshop

FEWEST_SESSIONS = fewest_values()
_PER_CENT = re.compile(r"\s*(\d{1,4}(?:\.\d{1,9})?)\s*%\s*", re.ASCII)


@dataclass(frozen=True)
class Comparison:
    """How much slower `head` may be than `base`, both measured here, in turns.

    max_regression: "5%", or 0.05 for it; time: begin no further session after it; sessions: at most
    so many of each; seed: of the random order, None for another one every time. Raises UserError
    for what is not a quantity.
    """

    base: Path | Spec
    head: Path | Spec
    max_regression: Quantity
    setting: PartialSetting = field(default_factory=PartialSetting)
    time: Quantity = SECONDS
    sessions: int = MOST_SESSIONS
    allow_other_outputs: bool = False
    shapes: Shapes | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        _ = self.limit, self.seconds
        check_sessions(self.sessions)

    @property
    def limit(self) -> float:
        """The regression that is allowed, a fraction."""
        return regression_of(self.max_regression)

    @property
    def seconds(self) -> float:
        """After so many no further session begins."""
        try:
            return seconds(self.time)
        except UserError as error:
            raise UserError(f"`time`: {error}") from None

    def check(self, on_progress: OnProgress) -> Check:
        """Measure both. Raises UserError where one cannot be run, or gives other outputs."""
        from ...profiler.place.pinned import pinned
        from ...profiler.target import open_target
        from ...profiler.workshop import Workshop

        started = time.perf_counter()
        base, head = (spec_of(one, self.shapes, self.setting.batch) for one in self._both)
        names = name_of(self.base, base), name_of(self.head, head)
        purpose = f"vitprof gate --base {names[0]} --head {names[1]}"
        with (
            open_target(self.setting, purpose) as target,
            Workshop(target) as workshop,
            _as_user_error(),
        ):
            other = self._other(names, (base, head), workshop)
            with pinned(target.setting.threads):
                found = measure_regression(
                    _opening(names[0], base, workshop),
                    _opening(names[1], head, workshop),
                    self.limit,
                    threads=target.setting.threads,
                    most_sessions=self.sessions,
                    seconds=self.seconds,
                    seed=self.seed,
                    on_progress=on_progress,
                    what=names[1],
                )
            setting = target.setting.as_dict()
        return Check(
            names[1],
            REGRESSION,
            found.outcome,
            found.change,
            *found.interval,
            self.limit,
            names[0],
            time.perf_counter() - started,
            warnings=() if other is None else (f"{names[1]} {other}",),
            remedy=_remedy(found),
            details={
                "base_ms": found.base_ms,
                "head_ms": found.head_ms,
                "sessions": len(found.calm),
                "sessions_disturbed": len(found.pairs) - len(found.calm),
                "session_sd": found.session_sd,
                "log_ratios": [pair.log_ratio for pair in found.calm],
                "setting": setting,
            },
        )

    @property
    def _both(self) -> tuple[Path | Spec, Path | Spec]:
        return self.base, self.head

    def _other(
        self, names: tuple[str, str], specs: tuple[Spec, Spec], workshop: Workshop
    ) -> str | None:
        """Return in what head differs, where that is allowed; raises UserError where it is not."""
        base, head = (
            outputs_of(name, spec, workshop, _weights(given))
            for name, spec, given in zip(names, specs, self._both, strict=True)
        )
        other = why_other(base, head, workshop.options.dtype)
        if other is not None:
            self.refuse(other)
        return other

    def refuse(self, other: str) -> None:
        """Raise UserError for a head that is another model, unless that is allowed."""
        if not self.allow_other_outputs:
            raise UserError(
                f"`head` {other}: a latency of another model says nothing of this one; correct it, "
                "or give `allow_other_outputs` where the model was changed on purpose."
            )


def regression_of(value: Quantity) -> float:
    """Return the fraction that "5%" or 0.05 mean, from 0 on.

    Raises UserError for anything else: a bare 5 or 1 may be meant either way.
    """
    match = _PER_CENT.fullmatch(value) if isinstance(value, str) else None
    if match is not None:
        return float(match[1]) / 100
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and 0 <= value < 1:  # type: ignore[operator]
        return float(value)
    raise UserError(f"`max_regression` is {shown(value)}; write it as 5%, with the sign.")


def check_sessions(sessions: int) -> None:
    """Raise UserError for fewer than can decide anything, and for more than anybody waits for."""
    if not FEWEST_SESSIONS <= sessions <= 10_000:
        raise UserError(
            f"`sessions` is {sessions}; it has to be from {FEWEST_SESSIONS} to 10000: with fewer, "
            "no interval of 95 % is known."
        )


def name_of(given: Path | Spec, spec: Spec) -> str:
    """Return what a model is called in reports: as it was given, on one line."""
    is_text = isinstance(given, (str, os.PathLike))
    return printable(os.fspath(given) if is_text else spec.name or "model")  # type: ignore[arg-type]


def _weights(given: Path | Spec) -> FilePath | None:
    """Return the folder that a model was trained in, where it is given as one."""
    if not isinstance(given, (str, os.PathLike)):
        return None
    path = FilePath(given)
    return path if path.is_dir() else None


def _opening(name: str, spec: Spec, workshop: Workshop) -> Callable[[], OpenSession]:
    from ...profiler.workshop import CannotBuildError

    def fresh() -> OpenSession:
        try:
            return workshop.fresh_session(spec)
        except CannotBuildError as error:
            raise UserError(f"{name} cannot be run here: {error}.") from None

    return fresh


@contextmanager
def _as_user_error() -> Iterator[None]:
    """Say in a sentence what a runtime says of a model that breaks while it is measured."""
    from ...backends import BackendError

    try:
        yield
    except BackendError as error:
        raise UserError(f"measuring stopped: {printable(error, 500)}.") from None


def _remedy(found: Regression) -> str:
    disturbed = len(found.pairs) - len(found.calm)
    if disturbed > len(found.calm):
        return (
            f"{disturbed} of {len(found.pairs)} sessions were disturbed by other work: stop other "
            "programs and try again"
        )
    return (
        f"after {len(found.pairs)} sessions the interval still holds the limit: give it more time, "
        "or stop other programs"
    )
