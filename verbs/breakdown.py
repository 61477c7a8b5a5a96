"""`vitprof.breakdown`: where the run time of whole models goes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ..errors import UserError, did_you_mean
from ..progress import ProgressOption, shown_progress
from ..results import Result
from .inputs import Path, Shapes, fetched, specs_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ..models import Spec
    from ..profiler.breakdown.breakdown import Breakdown, NodeTime, PartTime, ProfileSession
    from ..profiler.breakdown.origins.traced import Tracer
    from ..profiler.target import Target
    from ..tables import Setting
    from ..tables.setting import PartialSetting

BACKENDS = ("onnxruntime", "openvino", "torch")
Level = Literal["class", "block", "node"]
LEVELS: tuple[Level, ...] = ("class", "block", "node")


@dataclass(frozen=True)
class BreakdownResult(Result):
    """The breakdown of each model under a setting.

    The report lists the `top` heaviest nodes of each, and where nodes were traced all blocks and
    all nodes. `versions` are those of the runtime.
    """

    models: Sequence[Breakdown]
    setting: Setting
    top: int = 5
    versions: Mapping[str, object] = field(default_factory=dict)

    @property
    def has_nodes(self) -> bool:
        """Whether nodes were traced to modules and blocks."""
        return any(one.traced is not None for one in self.models)

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
        """Return each model's classes, blocks and nodes."""
        models = [_report(one, self.top) for one in self.models]
        return {"models": models, "setting": self.setting.as_dict()}

    def to_frame(self, level: Level = "class") -> pd.DataFrame:
        """Return a line for each class, block or node of each model: ms, share, MACs and bytes.

        Raises UserError for blocks and nodes that were not traced.
        """
        import pandas as pd

        if level not in LEVELS:
            raise UserError(f"`level` is {', '.join(LEVELS)}, not '{level}'.")
        if level != "class":
            self._check_traced()
        rows = {"class": _class_rows, "block": _block_rows, "node": _node_rows}[level]
        frame = pd.DataFrame(row for one in self.models for row in rows(one))
        return frame.astype({"macs": "Int64", "bytes": "Int64"})  # where unknown: not 0, not NaN

    def trace(self) -> dict[str, Any]:
        """Return one median run as trace events, for Perfetto; UserError where not traced."""
        from ..profiler.breakdown.trace_events import trace_events

        self._check_traced()
        return trace_events(self.models, self.setting, self.versions)

    def save_trace(self, path: Path) -> None:
        """Write `trace` as JSON, whole or not at all; raises UserError where that fails."""
        import json

        from ..atomic_write import write_atomically

        write_atomically(os.fspath(path), json.dumps(self.trace(), allow_nan=False))

    def save_model_explorer(self, path: Path) -> None:
        """Write the ms of each node of one ONNX model as node data of Google's Model Explorer.

        Raises UserError for several models, where nodes were not traced, for a backend that runs no
        ONNX file, and where the file cannot be written.
        """
        import json

        from ..atomic_write import write_atomically
        from ..profiler.breakdown.model_explorer import node_data

        self._check_traced()
        if len(self.models) != 1:
            raise UserError("Model Explorer's node data are of one model; give one `model`.")
        data = node_data(self.models[0], self.setting)
        write_atomically(os.fspath(path), json.dumps(data, allow_nan=False))

    def figure(self) -> Figure:
        """Return a bar a model, divided by class; of one model whose nodes were traced, a block."""
        from ..profiler.breakdown.plot import draw_blocks, draw_breakdown

        if self.has_nodes and len(self.models) == 1:
            return draw_blocks(self.models[0], self.setting)
        return draw_breakdown(self.models, self.setting)

    def _check_traced(self) -> None:
        if not self.has_nodes:
            raise UserError("nothing is known of single nodes; ask for them with `nodes`.")


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
    nodes: bool = False,
    shapes: Shapes | None = None,
    progress: ProgressOption = False,
) -> BreakdownResult:
    """Divide the run time of whole models by class of operation, and by block and node.

    Matrix multiplications and convolutions compute; reshapes, transposes and copies, element-wise
    operations, normalisations and softmax wait for memory. The shares are those of a run under the
    runtime's profiler, which slows it down; they are scaled to the latency without it.

    Args:
        models: One or several: names, spec files, folders, foreign models (docs/foreign.md) or
            Specs.
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
        nodes: Trace every node that the runtime executes to the module, or the node of an ONNX
            file, that it came from, and to its block.
        shapes: Sizes of a foreign model's inputs by name, where it leaves them open.
        progress: Show a bar on stderr, or call this function.

    Returns:
        Times in ms and shares as fractions; `plot()` draws a bar a model, or a block. With `nodes`
        there are `to_frame("block")`, `to_frame("node")` and `save_trace(path)`.

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
    specs = specs_of(models, shapes, batch)
    asked = PartialSetting(
        device=device, batch=batch, threads=threads, dtype=dtype, backend=backend
    )
    target, profile_session, tracer = _profiled(asked, nodes)
    names = " --model ".join(spec.name for spec in specs)
    with (
        kept_device(asked, f"vitprof breakdown --model {names}"),
        shown_progress(progress) as on_progress,
    ):
        found = breakdown_models(
            specs,
            target,
            profile_session,
            tracer=tracer,
            sessions=sessions,
            warmup=warmup,
            runs=runs,
            on_progress=on_progress,
        )
    return BreakdownResult(found, target.setting, top, target.backend.environment(target.options))


def _profiled(asked: PartialSetting, nodes: bool) -> tuple[Target, ProfileSession, Tracer | None]:
    """Return what runs the models, what profiles a session of it, and what traces its nodes."""
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
        from ..profiler.breakdown.origins.traced import trace_torch
        from ..profiler.breakdown.pytorch import profile_torch, profile_torch_by_node

        return (
            (target, profile_torch_by_node, trace_torch) if nodes else (target, profile_torch, None)
        )
    if target.setting.backend == "openvino":
        from ..profiler.breakdown.openvino import profile_openvino
        from ..profiler.breakdown.origins.traced import trace_openvino

        return target, profile_openvino, trace_openvino if nodes else None
    from ..profiler.breakdown.onnxruntime import profile_onnxruntime
    from ..profiler.breakdown.origins.traced import trace_onnxruntime

    return target, profile_onnxruntime, trace_onnxruntime if nodes else None


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
            kind: {**_of_part(part), "macs_per_byte": part.macs_per_byte}
            for kind, part in one.classes.items()
        },
        "other_ops": one.other_ops,
        "memory_bound_share": one.memory_bound_share,
        "compute_bound_share": one.compute_bound_share,
        **_blocks(one),
        "nodes": [_of_node(node) for node in (one.nodes if one.traced else one.heaviest(top))],
        "nodes_in_all": len(one.profile.nodes),
    }


def _blocks(one: Breakdown) -> dict[str, Any]:
    """Return what is known where nodes were traced."""
    if one.traced is None:
        return {}
    return {
        "blocks": [
            {
                "block": block.label.name,
                "op": block.label.op,
                **_of_part(block.part),
                "classes": {kind: part.ms for kind, part in block.classes.items() if part.nodes},
            }
            for block in one.blocks
        ],
        "unattributed_share": one.unattributed_share,
    }


def _of_part(part: PartTime) -> dict[str, Any]:
    return {
        "ms": part.ms,
        "share": part.share,
        "nodes": part.nodes,
        "macs": part.macs,
        "bytes": part.bytes,
        "gmacs_per_s": part.gmacs_per_s,
        "gbytes_per_s": part.gbytes_per_s,
    }


def _of_node(one: NodeTime) -> dict[str, Any]:
    origin = one.origin
    traced = (
        {}
        if origin is None
        else {"block": origin.block.name, "module": origin.module, "from": origin.node}
    )
    return {
        "name": one.node.name,
        "op": one.node.op,
        "class": one.node.kind,
        **traced,
        "ms": one.ms,
        "share": one.share,
        "macs": one.node.work.macs,
        "bytes": one.node.work.bytes,
        **({"gmacs_per_s": one.gmacs_per_s, "gbytes_per_s": one.gbytes_per_s} if traced else {}),
    }


def _class_rows(one: Breakdown) -> list[dict[str, Any]]:
    totals = {"latency_ms": one.latency_ms, "instrumented_ms": one.profile.total_ms}
    return [
        {
            "model": one.model,
            "class": kind,
            "ms": part.ms,
            "share": part.share,
            "nodes": part.nodes,
            "macs": part.macs,
            "bytes": part.bytes,
            **totals,
        }
        for kind, part in one.classes.items()
    ]


def _block_rows(one: Breakdown) -> list[dict[str, Any]]:
    return [
        {
            "model": one.model,
            "block": block.label.name,
            "op": block.label.op,
            **_of_part(block.part),
            "latency_ms": one.latency_ms,
        }
        for block in one.blocks
    ]


def _node_rows(one: Breakdown) -> list[dict[str, Any]]:
    rows = [_of_node(node) for node in one.nodes]
    return [{"model": one.model, **row, "latency_ms": one.latency_ms} for row in rows]
