"""`vitprof.measure`: plan -> compile -> sample -> table."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..notes import note
from ..progress import OnProgress, ProgressOption, shown_progress
from ..quantities import Quantity, seconds, share
from ..untrusted.limits import check_jobs

if TYPE_CHECKING:
    from ..profiler.plan import Plan
    from ..profiler.refine import GapError
    from ..tables import LatencyTable as Table
    from .latency_table import LatencyTable

# Measures a plan into the table's file; called again where the plan is refined.
MeasureInto = Callable[..., "Table"]


def measure(
    plan: Plan | str | None = None,
    *,
    out: str | os.PathLike[str] = "lut.csv",
    device: str | None = None,
    batch: int | None = None,
    threads: int | None = None,
    dtype: str | None = None,
    backend: str | None = None,
    provider: str | None = None,
    sparsity: str | None = None,
    cache: str | None = None,
    graph: str | None = None,
    sessions: int = 3,
    time: Quantity | None = None,
    expected_error: Quantity | None = None,
    accept: Quantity | None = None,
    seed: int | None = None,
    fresh: bool = False,
    artifacts: str | os.PathLike[str] | None = None,
    jobs: int = 1,
    bundle: str | os.PathLike[str] | None = None,
    trust: bool = False,
    ray: str | None = None,
    progress: ProgressOption = False,
) -> LatencyTable:
    """Measure a latency table of this machine, or with `ray` of a fleet's machines.

    Interrupted, the same call goes on where it stopped: what is done is in the file `out`.

    Args:
        plan: What to measure: of `vitprof.plan`, or a family's name (default: "vit").
        out: The table's file, CSV.
        device: Which device (`vitprof.devices`; default: "cpu").
        batch: Images a run (default: 1).
        threads: The runtime's threads (default: 1, the count that can be trusted).
        dtype: fp32, fp16, bf16 or int8 (default: the device's own).
        backend: What runs it (default: the device's own).
        provider: How the backend runs (default: the backend's own).
        sparsity: "dense" or "2:4" (default: dense).
        cache: "warm" or "cold", of a GPU (default: warm).
        graph: "none" or "cuda_graph" (default: none).
        sessions: Fresh sessions a point.
        time: Stop adding sessions after so many seconds, or "60s", "2m".
        expected_error: Add sessions until their scatter is expected to move predictions by no more
            than this share, such as "0.3%", or for ten times what the first ones cost (default:
            0.4 %, for half of it).
        accept: The mean relative error of predictions to accept, a share such as "3%" (default:
            5 %, twice what tables of a restless machine erred by); above it the table
            `is_doubtful`.
        seed: Of the order of measuring (default: the plan's).
        fresh: Start over: write over the table at `out`.
        artifacts: Keep what is compiled in this folder, and take it from there the next time.
        jobs: Before anything is measured, compile so many points at once, each in a process of its
            own with one thread (default: compile each when it is first measured).
        bundle: Measure what `vitprof.build` compiled, its points under its setting, in place of a
            plan.
        trust: Measure a bundle of programs (TensorRT engines): only what you or someone you trust
            built.
        ray: Measure on the nodes of this Ray cluster: "auto", "HOST:PORT" or "ray://HOST:PORT".
        progress: Show a bar on stderr, or call this function.

    Returns:
        The table, calibrated where whole models were measured; its `assessment` says how far its
        predictions are expected to err.

    Raises:
        UserError: Nothing here measures the device so, another process has it, or `out` holds
            something else.
        UnfinishedError: No node of the fleet is left; the same call goes on.

    Example:
        >>> import vitprof
        >>> table = vitprof.measure(vitprof.plan("vit"), out="lut.csv")  # doctest: +SKIP
        >>> table.predict("deit-small").ms  # doctest: +SKIP
        38.2
    """
    from ..profiler.refine import measure_plan
    from ..profiler.sampling.protocol import Protocol
    from ..tables.assessment import ACCEPTED_ERROR
    from .latency_table import LatencyTable
    from .plan import plan_of

    out = Path(out)
    if trust and bundle is None:
        raise UserError("`trust` goes with `bundle`; give both, or remove it.")
    if artifacts is not None and (bundle is not None or ray is not None):
        raise UserError("`artifacts` goes without `bundle` and `ray`: remove one of them.")
    check_jobs(jobs)
    if jobs > 1 and (bundle is not None or ray is not None):
        raise UserError("`jobs` goes without `bundle` and `ray`: remove one of them.")
    allowed_s = None if time is None else seconds(time)
    accepted = ACCEPTED_ERROR if accept is None else share(accept)
    setting = {
        "device": device,
        "batch": batch,
        "threads": threads,
        "dtype": dtype,
        "backend": backend,
        "provider": provider,
        "sparsity": sparsity,
        "cache": cache,
        "graph": graph,
    }
    given = {name: value for name, value in setting.items() if value is not None}
    if bundle is not None:
        _check_alone(Path(bundle), plan, ray)
        place = _bundle(Path(bundle), given, trust, out)
    else:
        points = plan_of(plan)
        place = (
            _fleet(points, given, ray, out)
            if ray is not None
            else _here(points, given, out, artifacts, jobs)
        )
    started = monotonic()
    try:
        with place as (points, measure_into), shown_progress(progress) as on_progress:
            order = points.seed if seed is None else seed
            protocol = Protocol(sessions=sessions, model_sessions=max(sessions, 4), seed=order)
            if any(point.is_kernel for point in points.points):
                protocol = protocol.for_kernels()
            if expected_error is not None:
                protocol = protocol.until(share(expected_error))
            table = measure_plan(
                points,
                _Measuring(measure_into, protocol, fresh, allowed_s, started, on_progress),
                _note_refined,
            )
    except KeyboardInterrupt:
        note(f"stopped; what is done is kept in {out}, and the same command continues from there.")
        raise
    measured = LatencyTable.of(table)
    measured.accept = accepted
    return measured


class _Measuring:
    """Measures one plan after the other into the same table, within the time that is left."""

    def __init__(
        self,
        measure_into: MeasureInto,
        protocol: object,
        fresh: bool,
        allowed_s: float | None,
        started: float,
        on_progress: OnProgress,
    ) -> None:
        self._measure = functools.partial(measure_into, protocol=protocol, on_progress=on_progress)
        self._fresh = fresh
        self._ends = None if allowed_s is None else started + allowed_s

    def __call__(self, plan: Plan) -> Table:
        left = None if self._ends is None else self._ends - monotonic()
        table = self._measure(plan, fresh=self._fresh, budget_s=left)
        self._fresh = False  # what a refinement adds goes into the same table
        return table


@contextmanager
def _here(
    plan: Plan,
    given: dict[str, Any],
    out: Path,
    artifacts: str | os.PathLike[str] | None,
    jobs: int,
) -> Iterator[tuple[Plan, MeasureInto]]:
    """Yield the plan and what measures it into `out` on this machine, kept from others."""
    from ..profiler.measure import measure_table
    from ..profiler.runtime_kernels import plan_for_runtime
    from ..profiler.step_probes import with_step_probes
    from ..profiler.target import open_target
    from ..tables.setting import PartialSetting

    with open_target(PartialSetting(**given), f"vitprof measure --out {out}") as target:
        suited = plan_for_runtime(plan, target.backend, target.options)
        suited = with_step_probes(suited, target.backend)
        kept = target.keeping(artifacts)
        yield suited, functools.partial(measure_table, target=kept, out=out, jobs=jobs)


@contextmanager
def _bundle(
    path: Path, given: dict[str, Any], trust: bool, out: Path
) -> Iterator[tuple[Plan, MeasureInto]]:
    """Do the same with a bundle's plan, setting and artifacts."""
    from ..profiler.bundle.bundle import open_bundle
    from ..profiler.measure import measure_table

    purpose = f"vitprof measure --bundle {path} --out {out}"
    with open_bundle(path, given, trust, purpose) as (bundle, target):
        yield (
            bundle.plan,
            functools.partial(measure_table, target=target, out=out, artifacts=bundle),
        )


@contextmanager
def _fleet(
    plan: Plan, given: dict[str, Any], address: str, out: Path
) -> Iterator[tuple[Plan, MeasureInto]]:
    """Do the same on the nodes of a Ray cluster."""
    from ..profiler.fleet.fleet import Fleet
    from ..profiler.target import completed, warn_of_sparsity
    from ..tables.setting import PartialSetting

    setting = PartialSetting(**given)
    warn_of_sparsity(setting)
    what = f"vitprof measure --ray {address} --out {out}"
    with Fleet(address, completed(setting), what=what, on_note=note) as fleet:
        yield plan, functools.partial(fleet.measure_table, out=out)


def _check_alone(bundle: Path, plan: object, ray: object) -> None:
    others = [f"`{name}`" for name, value in (("plan", plan), ("ray", ray)) if value is not None]
    if others:
        raise UserError(
            f"`bundle` {bundle} has its own points and is measured on this machine; take "
            f"{', '.join(others)} away, or build another bundle."
        )


def _note_refined(worst: GapError) -> None:
    gap = worst.gap
    note(
        f"refining: interpolation is {worst.error:+.1%} off at {gap.probe}; {gap.op} gets the "
        f"level {gap.axis}={gap.level}"
    )
