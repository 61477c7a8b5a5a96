"""`vitprof breakdown`: where the run time of whole models goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UserError, did_you_mean
from ..options.common import check_picture, check_writable
from ..output import json_option, milliseconds, note, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from ...profiler.breakdown.breakdown import Breakdown, ProfileSession
    from ...profiler.target import Target
    from ...tables import Setting
    from ...tables.setting import PartialSetting

BACKENDS = ("onnxruntime", "torch")
PROFILERS = {"onnxruntime": "ONNX Runtime's profiler", "torch": "PyTorch's profiler"}
CSV_COLUMNS = (
    "model", "class", "ms", "share", "nodes", "macs", "bytes", "latency_ms", "instrumented_ms",
)  # fmt: skip


@click.command(
    epilog="Example: vitprof breakdown --model swin-tiny --model deit-tiny --plot breakdown.png "
    " |  vitprof breakdown --model deit-tiny --backend torch --json"
)
@click.option(
    "--model", "models", required=True, multiple=True,
    help="A name (vitprof models), a spec's JSON file or a Hugging Face folder; may be repeated.",
)  # fmt: skip
@click.option("--device", default="cpu", show_default=True, help="Only cpu tells nodes' times.")
@click.option("--backend", default="onnxruntime", show_default=True,
              help="onnxruntime, or torch: PyTorch, eager.")  # fmt: skip
@click.option("--batch", default=1, show_default=True, type=click.IntRange(1, 65536),
              help="Images a run.")  # fmt: skip
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1, 1024),
              help="The runtime's threads; one is the count that can be trusted.")  # fmt: skip
@click.option("--dtype", default="fp32", show_default=True,
              help="fp32 or fp16; bf16 with torch.")  # fmt: skip
@click.option("--sessions", default=3, show_default=True, type=click.IntRange(1, 99),
              help="Fresh sessions, with the profiler and without.")  # fmt: skip
@click.option("--runs", default=20, show_default=True, type=click.IntRange(1, 1000),
              help="Timed runs a session.")  # fmt: skip
@click.option("--warmup", default=3, show_default=True, type=click.IntRange(0, 1000),
              help="Untimed runs a session.")  # fmt: skip
@click.option("--top", default=5, show_default=True, type=click.IntRange(0, 100000),
              help="Show so many of each model's heaviest nodes.")  # fmt: skip
@click.option("--csv", "csv_path", type=click.Path(path_type=Path),
              help="Write a row for each model and class.")  # fmt: skip
@click.option("--plot", type=click.Path(path_type=Path), help="Draw it (png, svg or pdf).")
@json_option
def breakdown(
    models: tuple[str, ...], device: str, backend: str, batch: int, threads: int, dtype: str,
    sessions: int, runs: int, warmup: int, top: int, csv_path: Path | None, plot: Path | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Divide the run time of whole models by class of operation.

    Matrix multiplications and convolutions compute; reshapes, transposes and copies, element-wise
    operations, normalisations and softmax wait for memory. The shares are those of a run under the
    runtime's profiler, which slows it down; they are scaled to the latency without it.
    """
    from ...models import create_spec
    from ...profiler.breakdown.breakdown import breakdown_models
    from ...profiler.target import kept_device
    from ...tables.setting import PartialSetting

    for path in filter(None, (csv_path, plot)):
        check_writable(path)
    if plot:
        check_picture(plot)
    specs = [create_spec(model) for model in models]
    wanted = PartialSetting(
        device=device, batch=batch, threads=threads, dtype=dtype, backend=backend
    )
    target, profile_session = _opened(wanted)
    setting = target.setting
    what = f"vitprof breakdown --model {' --model '.join(models)}"
    with (
        kept_device(wanted, what),
        _threads_of(setting),
        progress_bar(enabled=not as_json) as on_progress,
    ):
        found = breakdown_models(
            specs, target, profile_session,
            sessions=sessions, warmup=warmup, runs=runs, on_progress=on_progress,
        )  # fmt: skip
    if csv_path:
        _write_csv(found, csv_path)
    if plot:
        from ...profiler.breakdown.plot import plot_breakdown

        plot_breakdown(found, setting, plot)
    if as_json:
        print_json({"models": [_as_json(one, top) for one in found], "setting": setting.as_dict()})
    else:
        _print(found, top, setting)
        for path in filter(None, (csv_path, plot)):
            note(f"written: {path}")
    for one in found:
        if one.other_ops:
            note(f"warning: {one.model} has operations of no class: {', '.join(one.other_ops)}")
        if one.verdict != "stable":
            note(f"{one.verdict}: {one.model}: {one.error}")
    return int(any(one.verdict != "stable" for one in found))


def _opened(wanted: PartialSetting) -> tuple[Target, ProfileSession]:
    from ...backends import find_device

    device = find_device(wanted.device)
    if device.name != "cpu":
        raise UserError(
            f"device '{wanted.device}' cannot be broken down: its runtime tells no node's time; "
            "give --device cpu."
        )
    if wanted.backend not in BACKENDS:
        raise UserError(
            f"backend '{wanted.backend}' tells no node's time"
            f"{did_you_mean(str(wanted.backend), BACKENDS)}; --backend is {' or '.join(BACKENDS)}."
        )
    if wanted.backend == "torch":
        return _opened_torch(wanted)
    from ...profiler.breakdown.onnxruntime import profile_onnxruntime
    from ...profiler.target import target_of

    return target_of(wanted), profile_onnxruntime


def _opened_torch(wanted: PartialSetting) -> tuple[Target, ProfileSession]:
    from ...profiler.breakdown.pytorch import TorchCpuBackend, profile_torch
    from ...profiler.target import Target
    from ...tables import Setting

    dtype = wanted.dtype or "fp32"
    setting = Setting("cpu", "torch", "eager", wanted.batch, dtype, wanted.threads)
    return Target(TorchCpuBackend(), setting), profile_torch


@contextmanager
def _threads_of(setting: Setting) -> Iterator[None]:
    if setting.backend != "torch":
        yield
        return
    from ...profiler.breakdown.pytorch import torch_threads

    with torch_threads(setting.threads):
        yield


def _as_json(one: Breakdown, top: int) -> dict[str, Any]:
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


def _write_csv(found: Sequence[Breakdown], out: Path) -> None:
    import csv
    import io

    from ...atomic_write import write_atomically

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for one in found:
        for kind, part in one.classes.items():
            writer.writerow(
                [
                    one.model, kind, f"{part.ms:.6g}", f"{part.share:.6g}", part.nodes,
                    "" if part.macs is None else part.macs,
                    "" if part.bytes is None else part.bytes,
                    f"{one.latency_ms:.6g}", f"{one.profile.total_ms:.6g}",
                ]
            )  # fmt: skip
    write_atomically(out, text.getvalue())


def _print(found: Sequence[Breakdown], top: int, setting: Setting) -> None:
    from ...profiler.breakdown.classes import CLASSES, OTHER

    kinds = [*CLASSES, *([OTHER] if any(one.other_ops for one in found) else [])]
    print_table(
        ("model", "ms", *kinds, "memory-bound"),
        [
            (
                one.model,
                milliseconds(one.latency_ms),
                *(_ms_and_share(one, kind) for kind in kinds),
                f"{one.memory_bound_share:.1%}",
            )
            for one in found
        ],
        title=f"Run time in ms: {setting.backend}, {setting.dtype}, batch {setting.batch}, "
        f"{setting.threads} thread{'s' if setting.threads > 1 else ''}",
    )
    for one in found:
        click.echo(_how(one, PROFILERS[setting.backend]))
    if setting.backend == "onnxruntime":
        _print_work(found)
    if top:
        print_table(
            ("model", "node", "op", "class", "ms", "share"),
            [
                (one.model, heavy.node.name[-64:], heavy.node.op, heavy.node.kind,
                 milliseconds(heavy.ms), f"{heavy.share:.1%}")
                for one in found
                for heavy in one.heaviest(top)
            ],
            title="Heaviest nodes",
        )  # fmt: skip


def _ms_and_share(one: Breakdown, kind: str) -> str:
    part = one.classes.get(kind)
    return f"{milliseconds(part.ms)} ({part.share:.1%})" if part else "-"


def _how(one: Breakdown, profiler: str) -> str:
    """Say where the shares come from, and what was done to them."""
    profile = one.profile
    recording = (
        f", {1e3 * profile.recording_ms:.0f} us a node taken off for recording it,"
        if profile.recording_ms
        else ""
    )
    return (
        f"{one.model}: the shares are those of an instrumented run ({profiler}) of "
        f"{milliseconds(profile.total_ms)} ms: {milliseconds(profile.nodes_ms)} in "
        f"{len(profile.nodes)} nodes{recording} and {milliseconds(profile.outside_ms)} outside "
        f"any; times are scaled by {one.scale:.3g} to the {milliseconds(one.latency_ms)} ms that "
        "it takes without."
    )


def _print_work(found: Sequence[Breakdown]) -> None:
    """Print what each class computes and moves, and how fast."""

    def number(value: float | None, unit: float = 1.0) -> str:
        return f"{value / unit:.3g}" if value else "-"

    print_table(
        ("model", "class", "nodes", "GMACs", "MB", "GMAC/s", "GB/s", "MACs/byte"),
        [
            (one.model, kind, str(part.nodes), number(part.macs, 1e9), number(part.bytes, 1e6),
             number(part.gmacs_per_s), number(part.gbytes_per_s), number(part.macs_per_byte))
            for one in found
            for kind, part in one.classes.items()
            if part.nodes
        ],
        title="Work: what each class computes, and what its nodes read and write",
    )  # fmt: skip
