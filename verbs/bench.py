"""`vitprof.bench`: whole models measured on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, overload

from ..errors import UserError
from ..notes import warn
from ..progress import OnProgress, ProgressOption, shown_progress
from ..quantities import Quantity
from ..results import Result
from .inputs import Path, Shapes, fetched, specs_of

if TYPE_CHECKING:
    import pandas as pd

    from ..models import Block, Spec
    from ..profiler.deployed.footprint import Footprint
    from ..profiler.sampling.protocol import Protocol
    from ..profiler.sustained.result import SustainedResult
    from ..profiler.target import Target
    from ..profiler.workshop import Workshop
    from ..tables import Row, Setting
    from ..tables.setting import PartialSetting


@dataclass(frozen=True)
class FailedModel:
    """A model that was not measured: its name, or its path where it came from a file, and why."""

    model: str
    error: str


@dataclass(frozen=True)
class BenchResult(Result):
    """Models as measured under a setting; all latencies in ms of one run of its batch.

    `footprints` are what loading each took and its process's memory; None where it could not be
    measured. `environment` is the machine and the runtime, and `outputs` the shapes of each model's
    outputs for one image, None where nobody knows them. `reference` is what was run in between, if
    anything was. `failed` are models that were given and cannot be run here.
    """

    specs: Sequence[Spec]
    rows: Sequence[Row]
    setting: Setting
    footprints: Sequence[Footprint | None]
    environment: Mapping[str, Any] = field(default_factory=dict)
    outputs: Sequence[Sequence[Sequence[int]] | None] = ()
    reference: Block | None = None
    failed: Sequence[FailedModel] = ()

    @property
    def title(self) -> str:
        """What was measured where."""
        from ..tables.picture import threads_in_words

        one = self.setting
        return (
            f"{len(self.rows)} models on {one.device} ({one.backend}, {one.dtype}, batch "
            f"{one.batch}, {threads_in_words(one.threads)})"
        )

    @property
    def models(self) -> list[dict[str, Any]]:
        """Each model's figures, as the columns of `to_frame`."""
        batch = self.setting.batch
        return [
            {
                "model": spec.name,
                "latency_ms": row.latency_ms,
                "low_ms": row.low_ms,
                "high_ms": row.high_ms,
                "interval_assumed": row.sessions < 2,
                "images_per_s": 1e3 * batch / row.latency_ms,
                "batch": batch,
                "min_ms": row.min_ms,
                "p90_ms": row.p90_ms,
                "p99_ms": row.p99_ms,
                "load_ms": foot.load_ms if foot else None,
                "peak_bytes": foot.memory.peak_bytes if foot else None,
                "model_bytes": foot.memory.of_model_bytes if foot else None,
                "sessions": row.sessions,
                "samples": row.samples,
                "set_aside": row.set_aside,
                "cores": row.cores,
                "effective_dtype": row.effective_dtype or None,
                "delegated": row.delegated,
                "macs": spec.macs,
                "params": spec.params,
                "input": spec.input_shape[-1],
                "verdict": row.verdict,
            }
            for row, spec, foot in zip(self.rows, self.specs, self.footprints, strict=True)
        ]

    def report(self) -> dict[str, Any]:
        """Return {"results": [...], "failed": [...]}; of one model its figures beside that too.

        With the setting and the environment, by which `gate` knows whether it may be compared.
        """
        models = [
            model
            | {
                "session_ms": list(row.session_ms),
                "reference_ms": list(row.reference_ms),
                "input_shape": list(spec.input_shape),
                "output_shapes": outputs,
            }
            for model, row, spec, outputs in zip(
                self.models, self.rows, self.specs, self.outputs, strict=True
            )
        ]
        where = {
            "setting": self.setting.as_dict(),
            "environment": self.environment,
            "reference": None if self.reference is None else str(self.reference),
            "failed": [asdict(one) for one in self.failed],
        }
        flat = models[0] if len(models) == 1 else {}
        return {**flat, "results": models, **where}

    def to_frame(self) -> pd.DataFrame:
        """Return a line a model."""
        import pandas as pd

        return pd.DataFrame(self.models)


@overload
def bench(
    models: Path | Spec | Sequence[Path | Spec],
    *,
    protocol: str | None = ...,
    device: str = ...,
    batch: int | None = ...,
    threads: int | None = ...,
    dtype: str | None = ...,
    backend: str | None = ...,
    provider: str | None = ...,
    sparsity: str = ...,
    cache: str = ...,
    graph: str = ...,
    sessions: int | None = ...,
    runs: int | None = ...,
    warmup: int | None = ...,
    reference: bool = ...,
    sustained: None = None,
    download: bool = ...,
    shapes: Shapes | None = ...,
    progress: ProgressOption = ...,
) -> BenchResult: ...


@overload
def bench(
    models: Path | Spec | Sequence[Path | Spec],
    *,
    protocol: str | None = ...,
    device: str = ...,
    batch: int | None = ...,
    threads: int | None = ...,
    dtype: str | None = ...,
    backend: str | None = ...,
    provider: str | None = ...,
    sparsity: str = ...,
    cache: str = ...,
    graph: str = ...,
    sessions: int | None = ...,
    runs: int | None = ...,
    warmup: int | None = ...,
    reference: bool = ...,
    sustained: Quantity,
    download: bool = ...,
    shapes: Shapes | None = ...,
    progress: ProgressOption = ...,
) -> SustainedResult: ...


def bench(
    models: Path | Spec | Sequence[Path | Spec],
    *,
    protocol: str | None = None,
    device: str = "cpu",
    batch: int | None = None,
    threads: int | None = None,
    dtype: str | None = None,
    backend: str | None = None,
    provider: str | None = None,
    sparsity: str = "dense",
    cache: str = "warm",
    graph: str = "none",
    sessions: int | None = None,
    runs: int | None = None,
    warmup: int | None = None,
    reference: bool = False,
    sustained: Quantity | None = None,
    download: bool = False,
    shapes: Shapes | None = None,
    progress: ProgressOption = False,
) -> BenchResult | SustainedResult:
    """Measure whole models on this machine: latency and images a second.

    Several models are run interleaved, so that their ratio can be trusted; those that cannot be run
    here are in the result's `failed`, and the others are measured. With `sustained` one
    model is run without pause for that long, to see whether it keeps its latency.

    Args:
        models: One or several: names, spec files, folders, foreign models (docs/foreign.md) or
            Specs.
        protocol: As a paper does it: efficientvit, optin, efficient-vit or latency. What is given
            beside it counts.
        device: Which device (`vitprof.devices`).
        batch: Images a run (default: 1).
        threads: The runtime's threads (default: 1).
        dtype: fp32, fp16, bf16 or int8 (default: the device's own).
        backend: What runs them (default: the device's own).
        provider: How the backend runs (default: the backend's own).
        sparsity: "dense" or "2:4".
        cache: "warm" or "cold", of a GPU.
        graph: "none" or "cuda_graph".
        sessions: Fresh sessions a model; the median of their medians counts (default: 3).
        runs: Timed runs a session (default: 20).
        warmup: Untimed runs a session (default: 3).
        reference: Run a fixed MLP in between, by which `gate` can compare this with another time
            on this machine; the latencies stay as they are measured.
        sustained: How long to run one model without pause: "10m", "90s" or seconds.
        download: Fetch an id of Hugging Face that the local cache lacks.
        shapes: Sizes of foreign models' inputs, by name, where they are open.
        progress: Show a bar on stderr, or call this function.

    Returns:
        Latencies in ms with their 95 % interval, images a second, load time and peak memory. With
        `sustained` the latency over time, with clock, temperature and energy where the system tells
        them, and when throttling begins.

    Raises:
        UserError: An unknown model or protocol, a device that cannot be measured here, no model
            that runs on it, or `sustained` that is not a time, of several models or beside a
            protocol.

    Example:
        >>> import vitprof
        >>> result = vitprof.bench(["deit-tiny", "efficientvit-m0"], batch=16)  # doctest: +SKIP
        >>> result.to_frame()[["model", "images_per_s"]]  # doctest: +SKIP
        >>> vitprof.bench("deit-tiny", sustained="10m").plot("sustained.png")  # doctest: +SKIP
    """
    from ..profiler.bench_protocols import BenchProtocol, find_protocol
    from ..profiler.measure import measure_models
    from ..profiler.place.environment import fingerprint
    from ..profiler.sampling.protocol import fixed_protocol
    from ..profiler.sampling.reference import standard_reference
    from ..profiler.target import open_target
    from ..profiler.what_failed import what_failed
    from ..profiler.workshop import Workshop
    from ..tables.references import References
    from ..tables.setting import PartialSetting

    paper = find_protocol(protocol) if protocol else BenchProtocol("")
    fetched(models, download)
    specs = specs_of(models, shapes, _first(batch, paper.batch, 1))
    setting = PartialSetting(
        device=device,
        backend=backend,
        provider=provider,
        batch=_first(batch, paper.batch, 1),
        dtype=dtype,
        threads=_first(threads, paper.threads, 1),
        sparsity=sparsity,
        cache=cache,
        graph=graph,
    )
    if sustained is not None:
        asked: dict[str, int | str | None] = {
            "protocol": protocol,
            "sessions": sessions,
            "runs": runs,
            "warmup": warmup,
            "reference": reference or None,
        }
        return _sustained(specs, setting, sustained, asked, progress)
    how = fixed_protocol(
        _first(sessions, paper.sessions, 3),
        _first(warmup, paper.warmup_runs, 3),
        _first(runs, paper.runs, 20),
        setting.threads,
    )
    names = " --model ".join(spec.name for spec in specs)
    with (
        open_target(setting, f"vitprof bench --model {names}") as target,
        shown_progress(progress) as on_progress,
        Workshop(target) as workshop,
    ):
        beside = standard_reference(target.setting.batch) if reference else None
        measured = measure_models(
            specs,
            target,
            protocol=how,
            references=References(beside, beside),
            on_progress=on_progress,
            workshop=workshop,
        )
        rows = [_as_measured(row, how) for row in measured.rows] if reference else measured.rows
        pairs = list(zip(rows, specs, strict=True))
        failed = [
            FailedModel(what_failed(spec), row.error)
            for row, spec in pairs
            if row.verdict == "failed"
        ]
        if len(failed) == len(pairs):
            raise UserError(f"{failed[0].model} cannot be run here: {failed[0].error}.")
        rows = [row for row, _ in pairs if row.verdict != "failed"]
        specs = [spec for row, spec in pairs if row.verdict != "failed"]
        footprints = _footprints(specs, target, workshop, on_progress)
        outputs = [_output_shapes(workshop, spec) for spec in specs]
        environment = fingerprint(target)
    return BenchResult(
        specs, rows, target.setting, footprints, environment, outputs, beside, failed
    )


def _as_measured(row: Row, protocol: Protocol) -> Row:
    """Return a row at the speeds that its sessions were measured at, not at the undisturbed one."""
    from ..profiler.sampling.verdict import judged

    return row if row.verdict == "failed" else judged(row, protocol, None)


def _output_shapes(workshop: Workshop, spec: Spec) -> list[list[int]] | None:
    expected = workshop.expected(spec)
    return None if expected is None else [list(one.shape) for one in expected]


def _footprints(
    specs: Sequence[Spec], target: Target, workshop: Workshop, on_progress: OnProgress
) -> list[Footprint | None]:
    """Return what loading each of the models takes; each once, one after the other."""
    from ..backends import BackendError
    from ..profiler.deployed.footprint import footprint_of

    found: dict[Spec, Footprint | None] = {}
    for spec in specs:
        if spec in found:
            continue
        on_progress("load time and memory", len(found), len(set(specs)), spec.name)
        try:
            found[spec] = footprint_of(workshop.built(spec), target.setting)
        except BackendError as error:
            warn(f"warning: {spec.name or 'the model'}: {error}")
            found[spec] = None
    on_progress("load time and memory", len(found), len(found), "")
    return [found[spec] for spec in specs]


def _sustained(
    specs: Sequence[Spec],
    setting: PartialSetting,
    duration: Quantity,
    beside: dict[str, int | str | None],
    progress: ProgressOption,
) -> SustainedResult:
    """Run the one model without pause; `beside` are parameters that mean nothing then."""
    from ..profiler.sustained.measure import measure_sustained
    from ..profiler.target import open_target
    from ..quantities import seconds

    asked_s = seconds(duration)
    if len(specs) != 1:
        raise UserError(
            f"`sustained` runs one model at a time without pause, and {len(specs)} are given; "
            "call it once for each."
        )
    if given := [f"`{name}`" for name, value in beside.items() if value is not None]:
        raise UserError(
            f"{' and '.join(given)} cannot be given beside `sustained`, which runs one session "
            f"without pause for its whole time; omit {'it' if len(given) == 1 else 'them'}."
        )
    command = f"vitprof bench --model {specs[0].name} --sustained {duration}"
    with open_target(setting, command) as target, shown_progress(progress) as on_progress:
        return measure_sustained(specs[0], target, asked_s, on_progress=on_progress)


def _first(given: int | None, of_paper: int | None, otherwise: int) -> int:
    """Return what is given, or what the paper's protocol says, or the default."""
    if given is not None:
        return given
    return otherwise if of_paper is None else of_paper
