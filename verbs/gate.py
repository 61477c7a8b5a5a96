"""`vitprof.gate`: whether models keep their budgets, and whether one became slower."""

from __future__ import annotations

import os
import time as clock
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import UserError
from ..progress import OnProgress, ProgressOption, shown_progress
from ..quantities import Quantity
from .gates.result import GateResult
from .inputs import Path, Shapes, fetched

if TYPE_CHECKING:
    from ..models import Spec
    from ..tables import LatencyTable
    from ..tables.speed import Speed
    from .gates.check import Check
    from .gates.predicted import Budget


class _Measured(Protocol):
    """What is measured here."""

    def check(self, on_progress: OnProgress) -> Check: ...


def gate(
    models: Path | Spec | Sequence[Path | Spec] = (),
    table: Path | LatencyTable = "lut.csv",
    *,
    max_latency: Quantity | None = None,
    max_memory: Quantity | None = None,
    max_params: Quantity | None = None,
    max_macs: Quantity | None = None,
    at: Speed | str | None = None,
    extrapolate: bool = False,
    require_device: str | None = None,
    base: Path | Spec | Sequence[Path | Spec] = (),
    head: Path | Spec | Sequence[Path | Spec] = (),
    base_result: Path | None = None,
    max_regression: Quantity | None = None,
    allow_other_outputs: bool = False,
    device: str = "cpu",
    backend: str | None = None,
    provider: str | None = None,
    dtype: str | None = None,
    batch: int = 1,
    threads: int = 1,
    sparsity: str = "dense",
    cache: str = "warm",
    graph: str = "none",
    time: Quantity = "2m",
    sessions: int = 240,
    seed: int | None = None,
    config: Path | None = None,
    shapes: Shapes | None = None,
    download: bool = False,
    progress: ProgressOption = False,
) -> GateResult:
    """Judge models by their budgets, by a table or by measuring them against a base.

    Predicted: each of `models` is judged by `table` against `max_latency` and the other limits; no
    device is needed. Measured: each `head` is measured here against its `base`, in one job and in
    turns, until it is known on which side of `max_regression` it is.

    A limit is passed where the whole 95 % interval keeps it and failed where none of it does; else
    it is undecided. The measured interval holds at every look (`confidence_sequence`), so that
    measuring may stop as soon as it decides.

    Args:
        models: One or several to predict: names, spec files, folders, foreign models or Specs.
        table: A table, or its file.
        max_latency: ms for one run of the table's batch, or "12ms".
        max_memory: Bytes, or "64MiB", of weights and of what the largest block holds.
        max_params: A count, or "6M".
        max_macs: A count, or "1.3G".
        at: State latencies at this speed of the table's machine: "undisturbed", "typical", "p90".
        extrapolate: Answer outside the measured range too, and warn.
        require_device: Refuse a table of another device.
        base: What `head` is measured against: what `bench` takes. One, or as many as of `head`.
        head: The model to judge.
        base_result: In place of `base`: a file that `vitprof bench --reference --json` wrote on
            this machine. One of another machine, runtime or setting is refused.
        max_regression: How much slower `head` may be: "5%", or 0.05.
        allow_other_outputs: Judge a `head` of other inputs or outputs than its base.
        device: Which device both are measured on (`vitprof.devices`).
        backend: What runs them (default: the device's own).
        provider: How the backend runs (default: the backend's own).
        dtype: fp32, fp16, bf16 or int8 (default: the device's own).
        batch: Images a run.
        threads: The runtime's threads.
        sparsity: "dense" or "2:4".
        cache: "warm" or "cold", of a GPU.
        graph: "none" or "cuda_graph".
        time: Begin no further session of a comparison after so long: "2m", or seconds.
        sessions: At most so many pairs of sessions; 6 is the fewest that can decide.
        seed: Of the random order of base and head; None: another one every time.
        config: A file of budgets and comparisons (docs/gate.md), in place of all of these.
        shapes: Sizes of foreign models' inputs, by name, where they are open.
        download: Fetch an id of Hugging Face that the local cache lacks.
        progress: Show a bar on stderr while measuring, or call this function.

    Returns:
        The checks, one a limit: `outcome`, `passed`, `to_frame()`, `junit()`, `markdown()`.

    Raises:
        UserError: Nothing to judge, an unknown model, a table that does not cover it, a base of
            other outputs, of another device or runtime, or a wrong file.

    Example:
        >>> import vitprof
        >>> vitprof.gate("deit-tiny", "lut.csv", max_latency="12ms").passed  # doctest: +SKIP
        True
        >>> models = {"base": "a.onnx", "head": "b.onnx"}
        >>> vitprof.gate(**models, max_regression="5%").checks[0].verdict  # doctest: +SKIP
        'passed'
    """
    from ..tables.setting import PartialSetting

    limits = {
        "max_latency": max_latency,
        "max_memory": max_memory,
        "max_params": max_params,
        "max_macs": max_macs,
    }
    predicted, bases, heads = _several(models), _several(base), _several(head)
    measured: list[_Measured]
    if config is not None:
        _alone(
            [name for name, value in limits.items() if value is not None]
            + [
                name
                for name, value in (
                    ("models", predicted),
                    ("base", bases),
                    ("head", heads),
                    ("base_result", base_result),
                    ("max_regression", max_regression),
                )
                if value
            ]
        )
        from .gates.config import read_gate_file

        budgets, comparisons = read_gate_file(FilePath(config))
        budgets = [replace(one, shapes=shapes) for one in budgets]
        measured = [replace(one, shapes=shapes, seed=seed) for one in comparisons]
        named = [one.model for one in budgets] + [m for c in comparisons for m in (c.base, c.head)]
    else:
        budgets = _budgets(predicted, table, limits, at, extrapolate, require_device, shapes)
        setting = PartialSetting(
            device, backend, provider, batch, dtype, threads, sparsity, cache, graph
        )
        how = {
            "setting": setting,
            "time": time,
            "sessions": sessions,
            "allow_other_outputs": allow_other_outputs,
            "shapes": shapes,
            "seed": seed,
        }
        measured = _comparisons(bases, heads, base_result, max_regression, how)
        named = [*predicted, *bases, *heads]
    if not budgets and not measured:
        raise UserError(
            "there is nothing to judge: give `models` with `max_latency`, or `base` and `head` "
            "with `max_regression`, or a `config`."
        )
    fetched(named, download)
    checks: list[Check] = []
    tables: dict[str, LatencyTable] = {}
    for budget in budgets:
        try:
            checks += _timed(_with_table(budget, tables))
        except UserError as error:
            if not budget.place:
                raise
            raise UserError(f"{budget.place}: {error}") from None
    with shown_progress(progress) as on_progress:
        checks += [one.check(on_progress) for one in measured]
    return GateResult(tuple(checks))


def _several(given: Path | Spec | Sequence[Path | Spec]) -> list[Path | Spec]:
    if isinstance(given, (str, os.PathLike)) or not isinstance(given, Sequence):
        return [given]
    return list(given)


def _alone(beside: Sequence[str]) -> None:
    """Raise UserError where something is given beside a file that says it all."""
    if beside:
        given = " and ".join(f"`{name}`" for name in beside)
        raise UserError(f"{given} cannot be given beside `config`, which says what is judged.")


def _budgets(
    models: Sequence[Path | Spec],
    table: Path | LatencyTable,
    limits: dict[str, Quantity | None],
    at: Speed | str | None,
    extrapolate: bool,
    require_device: str | None,
    shapes: Shapes | None,
) -> list[Budget]:
    from .gates.predicted import Budget

    if not models:
        if given := [f"`{name}`" for name, value in limits.items() if value is not None]:
            raise UserError(f"{' and '.join(given)} is a limit of no model; give `models` with it.")
        return []
    return [
        Budget(
            model,
            table,
            at=at,
            extrapolate=extrapolate,
            require_device=require_device,
            shapes=shapes,
            place="",  # mypy takes it for one of the limits otherwise
            **limits,
        )
        for model in models
    ]


def _comparisons(
    bases: Sequence[Path | Spec],
    heads: Sequence[Path | Spec],
    base_result: Path | None,
    max_regression: Quantity | None,
    how: dict[str, Any],
) -> list[_Measured]:
    """Return what is to be measured; raises UserError where base and head do not go together."""
    from .gates.measured import Comparison
    from .gates.stored import StoredComparison

    if not (bases or heads or base_result is not None or max_regression is not None):
        return []
    if max_regression is None:
        raise UserError("`max_regression` is missing: say how much slower `head` may be, e.g. 5%.")
    if base_result is not None:
        if bases or len(heads) != 1:
            raise UserError("`base_result` stands in place of `base`, and goes with one `head`.")
        return [StoredComparison(base_result, heads[0], max_regression, **how)]
    if not bases or len(bases) != len(heads):
        raise UserError(
            f"{len(bases)} `base` and {len(heads)} `head` are given; give one of each for every "
            "comparison."
        )
    return [
        Comparison(base, head, max_regression, **how)
        for base, head in zip(bases, heads, strict=True)
    ]


def _with_table(budget: Budget, tables: dict[str, LatencyTable]) -> Budget:
    """Return the budget with its table read, each file once."""
    if not isinstance(budget.table, (str, os.PathLike)):
        return budget
    from .given_table import table_of

    path = os.fspath(budget.table)
    if path not in tables:
        tables[path] = table_of(path)
    return replace(budget, table=tables[path])


def _timed(budget: Budget) -> list[Check]:
    """Return the budget's checks with the seconds that answering took."""
    started = clock.perf_counter()
    checks = list(budget.checks())
    took = (clock.perf_counter() - started) / len(checks)
    return [replace(check, seconds=took) for check in checks]
