"""`vitprof bench`: measure whole models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import UserError
from ..options.common import given_options, setting_options
from ..output import giga, json_option, milliseconds, note, print_json, print_table, progress_bar
from ..reports.bench_table import check_table, write_table

if TYPE_CHECKING:
    from ...tables.setting import PartialSetting


@click.command(
    epilog="Example: vitprof bench --model deit-tiny  |  "
    "vitprof bench --model deit-tiny --model efficientvit-m0 --protocol efficientvit --out t.md"
)
@click.option(
    "--model", "models", required=True, multiple=True,
    help="A name (vitprof models), a spec's JSON file or a Hugging Face folder; may be repeated.",
)  # fmt: skip
@setting_options
@click.option(
    "--protocol",
    help="As a paper does it: efficientvit (batch 16, one thread), optin (100 + 300 runs), "
    "efficient-vit (5 + 50), latency (batch 1); what is given beside it counts.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Write a table: .csv or .md.")
@click.option(
    "--sessions", default=3, show_default=True, type=click.IntRange(1, 99),
    help="Fresh sessions; the median of their medians is reported.",
)  # fmt: skip
@click.option("--runs", default=20, show_default=True, type=click.IntRange(1, 100000),
              help="Timed runs a session.")  # fmt: skip
@click.option("--warmup", default=3, show_default=True, type=click.IntRange(0, 100000),
              help="Untimed runs a session.")  # fmt: skip
@json_option
def bench(
    wanted: PartialSetting, models: tuple[str, ...], protocol: str | None, out: Path | None,
    sessions: int, runs: int, warmup: int, as_json: bool,
) -> int:  # fmt: skip
    """Measure whole models on this machine: latency and images a second.

    Several models are run interleaved, so that their ratio can be trusted.
    """
    from ...models import create_spec
    from ...profiler.bench_protocols import find_protocol
    from ...profiler.measure import measure_models
    from ...profiler.sampling.protocol import Protocol
    from ...profiler.sampling.sampler import SamplingPlan
    from ...profiler.target import open_target

    if out:
        check_table(out)
    if protocol:
        said = find_protocol(protocol)
        wanted = replace(
            wanted,
            batch=_unless_given("batch", said.batch, wanted.batch),
            threads=_unless_given("threads", said.threads, wanted.threads),
        )
        sessions = _unless_given("sessions", said.sessions, sessions)
        runs = _unless_given("runs", said.runs, runs)
        warmup = _unless_given("warmup", said.warmup_runs, warmup)
    specs = [create_spec(model) for model in models]
    sampling = SamplingPlan(
        warmup_runs=warmup, warmup_ms=0.0, min_runs=runs, max_runs=runs, threads=wanted.threads
    )
    what = f"vitprof bench --model {' --model '.join(models)}"
    with (
        open_target(wanted, what) as target,
        progress_bar(enabled=not as_json) as on_progress,
    ):
        rows = measure_models(
            specs,
            target,
            protocol=Protocol(
                sessions=sessions,
                model_sessions=sessions,
                extra_sessions=0,
                model_extra_sessions=0,
                sampling=sampling,
            ),
            on_progress=on_progress,
        ).rows
    for row, spec in zip(rows, specs, strict=True):
        if row.verdict == "failed":
            raise UserError(f"{spec.name or 'the model'} cannot be run here: {row.error}.")
    results = [
        {
            "model": spec.name,
            "latency_ms": row.latency_ms,
            "low_ms": row.low_ms,
            "high_ms": row.high_ms,
            "images_per_s": 1e3 * wanted.batch / row.latency_ms,
            "batch": wanted.batch,
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
        for row, spec in zip(rows, specs, strict=True)
    ]
    if out:
        write_table(out, results, f"{target.setting.device} ({target.setting.backend})")
    if as_json:
        print_json(results[0] if len(results) == 1 else {"results": results})
    else:
        print_table(
            ("model", "ms", "95 % interval", "p90", "p99", "images/s", "GMAC/s", "verdict"),
            [
                (
                    spec.name,
                    milliseconds(row.latency_ms),
                    f"{milliseconds(row.low_ms)} .. {milliseconds(row.high_ms)}",
                    milliseconds(row.p90_ms),
                    milliseconds(row.p99_ms),
                    f"{1e3 * wanted.batch / row.latency_ms:.1f}",
                    giga(wanted.batch * spec.macs / row.latency_ms * 1e3),
                    row.verdict,
                )
                for row, spec in zip(rows, specs, strict=True)
            ],
        )
    for row, spec in zip(rows, specs, strict=True):
        if row.verdict != "stable":
            note(f"{row.verdict}: {spec.name}: {row.error}")
    return int(any(row.verdict != "stable" for row in rows))


def _unless_given(name: str, said: int | None, value: int) -> int:
    """Return what the protocol says, unless the command line gave the option."""
    return value if said is None or given_options({name}) else said
