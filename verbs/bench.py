"""`vitprof.bench`: whole models measured on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..progress import ProgressOption, shown_progress
from ..results import Result
from .inputs import Path, specs_of

if TYPE_CHECKING:
    import pandas as pd

    from ..models import Spec
    from ..tables import Row, Setting


@dataclass(frozen=True)
class BenchResult(Result):
    """Models as measured under a setting; all latencies in ms of one run of its batch."""

    specs: Sequence[Spec]
    rows: Sequence[Row]
    setting: Setting

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
                "images_per_s": 1e3 * batch / row.latency_ms,
                "batch": batch,
                "min_ms": row.min_ms,
                "p90_ms": row.p90_ms,
                "p99_ms": row.p99_ms,
                "sessions": row.sessions,
                "samples": row.samples,
                "set_aside": row.set_aside,
                "macs": spec.macs,
                "params": spec.params,
                "input": spec.blocks()[0].input_shape[-1],
                "verdict": row.verdict,
            }
            for row, spec in zip(self.rows, self.specs, strict=True)
        ]

    def report(self) -> dict[str, Any]:
        """Return one model's figures, or {"results": [...]} of several."""
        models = self.models
        return models[0] if len(models) == 1 else {"results": models}

    def to_frame(self) -> pd.DataFrame:
        """Return a line a model."""
        import pandas as pd

        return pd.DataFrame(self.models)


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
    progress: ProgressOption = False,
) -> BenchResult:
    """Measure whole models on this machine: latency and images a second.

    Several models are run interleaved, so that their ratio can be trusted.

    Args:
        models: One or several: names, spec files, Hugging Face folders or Specs.
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
        progress: Show a bar on stderr, or call this function.

    Returns:
        Latencies in ms with their 95 % interval, and images a second.

    Raises:
        UserError: An unknown model or protocol, a device that cannot be measured here, or a model
            that does not run on it.

    Example:
        >>> import vitprof
        >>> result = vitprof.bench(["deit-tiny", "efficientvit-m0"], batch=16)  # doctest: +SKIP
        >>> result.to_frame()[["model", "images_per_s"]]  # doctest: +SKIP
    """
    from ..profiler.bench_protocols import BenchProtocol, find_protocol
    from ..profiler.measure import measure_models
    from ..profiler.sampling.protocol import fixed_protocol
    from ..profiler.target import open_target
    from ..tables.setting import PartialSetting

    paper = find_protocol(protocol) if protocol else BenchProtocol("")
    specs = specs_of(models)
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
    ):
        rows = measure_models(specs, target, protocol=how, on_progress=on_progress).rows
    for row, spec in zip(rows, specs, strict=True):
        if row.verdict == "failed":
            raise UserError(f"{spec.name or 'the model'} cannot be run here: {row.error}.")
    return BenchResult(specs, rows, target.setting)


def _first(given: int | None, of_paper: int | None, otherwise: int) -> int:
    """Return what is given, or what the paper's protocol says, or the default."""
    if given is not None:
        return given
    return otherwise if of_paper is None else of_paper
