"""From a model to what a run without pause shows of it."""

from __future__ import annotations

from ...backends import BackendError
from ...errors import UserError
from ...models import Spec
from ...progress import OnProgress, no_progress
from ..deployed.footprint import footprint_of
from ..sampling.clock import Clock, SystemClock
from ..target import Target
from ..what_failed import what_failed
from ..workshop import CannotBuildError, Workshop
from .loop import run_without_pause
from .result import Sources, SustainedResult
from .sensors import Sensors, sensors_of


def measure_sustained(
    spec: Spec,
    target: Target,
    seconds: float,
    *,
    sensors: Sensors | None = None,
    clock: Clock | None = None,
    on_progress: OnProgress = no_progress,
) -> SustainedResult:
    """Run the model on the target for so many seconds; raises UserError where it cannot be run.

    `sensors`: by default those of the target's device.
    """
    sensors = sensors or sensors_of(target)
    try:
        with Workshop(target) as workshop:
            workshop.artifact(spec)  # kept, so that it is built once
            footprint = footprint_of(workshop.built(spec), target.setting)
            with workshop.fresh_session(spec) as executable:
                trace = run_without_pause(
                    executable,
                    seconds,
                    clock or SystemClock(),
                    sensors,
                    threads=target.setting.threads,
                    trouble=target.backend.trouble,
                    on_progress=on_progress,
                )
                # Asked behind the trace: a run before it would be the first one.
                if (wrong := workshop.finding(spec, executable).wrong) is not None:
                    raise CannotBuildError(wrong)
    except (CannotBuildError, BackendError) as error:
        raise UserError(f"{what_failed(spec)} cannot be run here: {error}.") from error
    if not trace.intervals:
        raise KeyboardInterrupt  # before the first warm run: nothing was seen
    sources = Sources.of(sensors, trace)
    return SustainedResult(spec, target.setting, trace, footprint, sources, seconds)
