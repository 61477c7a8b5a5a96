"""`vitprof.build`: plan -> compile -> bundle, to be measured on another machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..atomic_write import check_writable
from ..errors import UserError
from ..notes import note
from ..progress import ProgressOption, shown_progress

if TYPE_CHECKING:
    from ..profiler.bundle.bundle import BuildResult
    from ..profiler.plan import Plan


def build(
    plan: Plan | str | None = None,
    *,
    out: str | os.PathLike[str] = "bundle.zip",
    device: str = "cpu",
    batch: int = 1,
    threads: int = 1,
    dtype: str | None = None,
    backend: str | None = None,
    provider: str | None = None,
    sparsity: str = "dense",
    cache: str = "warm",
    graph: str = "none",
    jobs: int = 1,
    progress: ProgressOption = False,
) -> BuildResult:
    """Compile what measuring a table of a device needs, into one file.

    It needs the device's compiler, not the device. About how large the file will be is noted
    before anything is compiled.

    Args:
        plan: What to measure: of `vitprof.plan`, or a family's name (default: "vit").
        out: The bundle, a zip file.
        device: Which device (`vitprof.devices`).
        batch: Images a run.
        threads: The runtime's threads.
        dtype: fp32, fp16, bf16 or int8 (default: the device's own).
        backend: What runs it (default: the device's own).
        provider: How the backend runs (default: the backend's own).
        sparsity: "dense" or "2:4".
        cache: "warm" or "cold", of a GPU.
        graph: "none" or "cuda_graph".
        jobs: Compile so many points at once, each in a process of its own with one thread.
        progress: Show a bar on stderr, or call this function.

    Returns:
        What is in the bundle, and which points could not be compiled.

    Raises:
        UserError: Nothing here builds for the device, or `out` holds something else.

    Example:
        >>> import vitprof
        >>> plan = vitprof.plan("vit", points=40)
        >>> vitprof.build(plan, device="t4", out="t4.zip").failed  # doctest: +SKIP
        {}
    """
    from ..profiler.bundle.bundle import build_bundle, check_replaceable, expected_size
    from ..profiler.step_probes import with_step_probes
    from ..profiler.target import builder_of, warn_of_sparsity
    from ..tables.setting import PartialSetting
    from ..untrusted.limits import check_jobs
    from .plan import plan_of

    check_jobs(jobs)
    points, out = plan_of(plan), Path(out)
    if points.refinement is not None:
        raise UserError(
            f"`points` {points.refinement.points} is more than the "
            f"{points.refinement.space.points} blocks of the grid, and where more are needed shows "
            "only while measuring (vitprof measure); give fewer, or a finer `grid`."
        )
    check_writable(out)
    check_replaceable(out)
    setting = PartialSetting(
        device=device,
        backend=backend,
        provider=provider,
        batch=batch,
        dtype=dtype,
        threads=threads,
        sparsity=sparsity,
        cache=cache,
        graph=graph,
    )
    target = builder_of(setting)
    points = with_step_probes(points, target.backend)
    warn_of_sparsity(setting)
    note(f"{out} will have {expected_size(points, target.setting)}.")
    with shown_progress(progress) as on_progress:
        return build_bundle(points, target, out, jobs=jobs, on_progress=on_progress)
