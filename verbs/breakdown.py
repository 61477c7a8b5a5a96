"""`vitprof.breakdown`: where the run time of whole models goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import UserError, did_you_mean
from ..progress import ProgressOption, shown_progress
from ..results import Result
from .inputs import Path, fetched, specs_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ..models import Spec
    from ..profiler.breakdown.breakdown import Breakdown, ProfileSession
    from ..profiler.target import Target
    from ..tables import Setting
    from ..tables.setting import PartialSetting

BACKENDS = ("onnxruntime", "torch")


@dataclass(frozen=True)
class BreakdownResult(Result):
    """The breakdown of each model under a setting; the report lists `top` nodes of each."""

    models: Sequence[Breakdown]
    setting: Setting
    top: int = 5

    @property
    def title(self) -> str:
        """What was divided, and how it was run."""
        from ..tables.picture import threads_in_words

        one = self.setting
        return (
            f"Run time by class of operation: {one.backend}, {one.dtype}, batch {one.batch}, "
            f"{threads_in_words(one.threads)}"
        )

    def report(self) -> dict[str, Any]:
        """Return each model's classes and heaviest nodes."""
        models = [_report(one, self.top) for one in self.models]
        return {"models": models, "setting": self.setting.as_dict()}

    def to_frame(self) -> pd.DataFrame:
        """Return a line for each model and class: ms, share of the run, MACs and bytes."""
        import pandas as pd

        frame = pd.DataFrame(
            {
                "model": one.model,
                "class": kind,
                "ms": part.ms,
                "share": part.share,
                "nodes": part.nodes,
                "macs": part.macs,
                "bytes": part.bytes,
                "latency_ms": one.latency_ms,
                "instrumented_ms": one.profile.total_ms,
            }
            for one in self.models
            for kind, part in one.classes.items()
        )
        return frame.astype({"macs": "Int64", "bytes": "Int64"})  # where unknown: not 0, not NaN

    def figure(self) -> Figure:
        """Return a bar a model, divided by class."""
        from ..profiler.breakdown.plot import draw_breakdown

        return draw_breakdown(self.models, self.setting)


def breakdown(
    models: Path | Spec | Sequence[Path | Spec],
    *,
    device: str = "cpu",
    backend: str = "onnxruntime",
    batch: int = 1,
    threads: int = 1,
    dtype: str = "fp32",
    sessions: int = 3,
    runs: int = 20,
    warmup: int = 3,
    top: int = 5,
    download: bool = False,
    progress: ProgressOption = False,
) -> BreakdownResult:
    """Divide the run time of whole models by class of operation.

    Matrix multiplications and convolutions compute; reshapes, transposes and copies, element-wise
    operations, normalisations and softmax wait for memory. The shares are those of a run under the
    runtime's profiler, which slows it down; they are scaled to the latency without it.

    Args:
        models: One or several: names, spec files, Hugging Face folders or Specs.
        device: Only "cpu" tells nodes' times.
        backend: "onnxruntime", or "torch": PyTorch, eager.
        batch: Images a run.
        threads: The runtime's threads.
        dtype: fp32 or fp16; bf16 with torch.
        sessions: Fresh sessions, with the profiler and without.
        runs: Timed runs a session.
        warmup: Untimed runs a session.
        top: So many of each model's heaviest nodes go into the report.
        download: Fetch an id of Hugging Face that the local cache lacks.
        progress: Show a bar on stderr, or call this function.

    Returns:
        Times in ms and shares as fractions; `plot()` draws a bar a model.

    Raises:
        UserError: What tells no node's time, an unknown model, or one that does not run here.

    Example:
        >>> import vitprof
        >>> result = vitprof.breakdown(["swin-tiny", "deit-tiny"])  # doctest: +SKIP
        >>> result.plot("breakdown.png")  # doctest: +SKIP
    """
    from ..profiler.breakdown.breakdown import breakdown_models
    from ..profiler.target import kept_device
    from ..tables.setting import PartialSetting

    fetched(models, download)
    specs = specs_of(models)
    asked = PartialSetting(
        device=device, batch=batch, threads=threads, dtype=dtype, backend=backend
    )
    target, profile_session = _profiled(asked)
    names = " --model ".join(spec.name for spec in specs)
    with (
        kept_device(asked, f"vitprof breakdown --model {names}"),
        shown_progress(progress) as on_progress,
    ):
        found = breakdown_models(
            specs,
            target,
            profile_session,
            sessions=sessions,
            warmup=warmup,
            runs=runs,
            on_progress=on_progress,
        )
    return BreakdownResult(found, target.setting, top)


def _profiled(asked: PartialSetting) -> tuple[Target, ProfileSession]:
    """Return what runs the models, and what profiles a session of it."""
    from ..backends import find_device

    device = find_device(asked.device)
    if device.name != "cpu":
        raise UserError(
            f"device '{asked.device}' cannot be broken down: its runtime tells no node's time; "
            "`device` is cpu."
        )
    if asked.backend not in BACKENDS:
        raise UserError(
            f"backend '{asked.backend}' tells no node's time"
            f"{did_you_mean(str(asked.backend), BACKENDS)}; `backend` is {' or '.join(BACKENDS)}."
        )
    from ..profiler.target import target_of

    target = target_of(asked)
    if target.setting.backend == "torch":
        from ..profiler.breakdown.pytorch import profile_torch

        return target, profile_torch
    from ..profiler.breakdown.onnxruntime import profile_onnxruntime

    return target, profile_onnxruntime


def _report(one: Breakdown, top: int) -> dict[str, Any]:
    return {
        "model": one.model,
        "latency_ms": one.latency_ms,
        "low_ms": one.low_ms,
        "high_ms": one.high_ms,
        "verdict": one.verdict,
        "shares": "of the instrumented run, scaled to latency_ms",
        "instrumented_ms": one.profile.total_ms,
        "instrumented_in_nodes_ms": one.profile.nodes_ms,
        "instrumented_outside_nodes_ms": one.profile.outside_ms,
        "recording_ms_per_node": one.profile.recording_ms,
        "scale": one.scale,
        "disturbed": one.was_disturbed,
        "classes": {
            kind: {
                "ms": part.ms,
                "share": part.share,
                "nodes": part.nodes,
                "macs": part.macs,
                "bytes": part.bytes,
                "gmacs_per_s": part.gmacs_per_s,
                "gbytes_per_s": part.gbytes_per_s,
                "macs_per_byte": part.macs_per_byte,
            }
            for kind, part in one.classes.items()
        },
        "other_ops": one.other_ops,
        "memory_bound_share": one.memory_bound_share,
        "compute_bound_share": one.compute_bound_share,
        "nodes": [
            {
                "name": heavy.node.name,
                "op": heavy.node.op,
                "class": heavy.node.kind,
                "ms": heavy.ms,
                "share": heavy.share,
                "macs": heavy.node.work.macs,
                "bytes": heavy.node.work.bytes,
            }
            for heavy in one.heaviest(top)
        ],
        "nodes_in_all": len(one.profile.nodes),
    }
