"""What `vitprof search` writes: the winner, the front, its picture and the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...atomic_write import write_atomically
from ...errors import UserError
from ..options.training import step_bar
from ..output import milliseconds, note

if TYPE_CHECKING:
    from ...search.evaluators.subnet_evaluator import SubnetEvaluator
    from ...search.found import Found
    from ...search.limits import Limit
    from ...search.problem import Problem
    from ...tables import LatencyTable
    from ...training.data.images import Dataset

# What a measurement may exceed a limit by before it counts: so many of the table's own standard
# deviations between two sessions.
NOISE_SD = 2.0


@dataclass
class Results:
    """A search that is done, and the report."""

    problem: Problem
    tables: Sequence[LatencyTable]
    limits: Sequence[Limit]
    judge: SubnetEvaluator | None
    data: Dataset | None
    out: Path
    proxy: str | None
    seed: int
    report: dict[str, Any] = field(default_factory=dict)


def check_verifiable(tables: Sequence[LatencyTable]) -> None:
    """Raise UserError where no table's device and runtime are here."""
    reasons = _why_not_here(tables)
    if all(reasons):
        raise UserError(f"--verify has nothing to measure on: {reasons[0]}")


def _why_not_here(tables: Sequence[LatencyTable]) -> list[str]:
    from ..measured_models import check_here

    reasons = []
    for table in tables:
        try:
            check_here(table)
            reasons.append("")
        except UserError as error:
            reasons.append(str(error))
    return reasons


def write_results(results: Results, verify: bool, winners: int, quiet: bool) -> bool:
    """Write everything and fill in the report; return whether all is well with the winner."""
    from ...search.found import found_models, to_csv
    from ...search.front_plot import plot_front

    problem, out = results.problem, results.out
    (best,) = found_models(problem, problem.best()[None], "best")
    best = replace(best, name="best", spec=replace(best.spec, name="best"))
    front = found_models(problem, problem.front(), "front")
    fine = True
    if verify:
        best, front, fine = _verified(results, best, front, winners, quiet)
    named = [Path(table.source).stem for table in results.tables]
    genes = [gene.name for gene in problem.space.genes]
    write_atomically(out / "front.csv", to_csv([best, *front], named, genes))
    plot_front(problem, best, front, results.tables[0].setting, out / "front.png")
    tested = _write_best(results, best, quiet)
    fine &= _within_limits(results, best)
    targets = [limit.most for limit in results.limits if limit.unit == "ms"]
    results.report = {
        "model": best.spec.name,
        "predicted_ms": best.latency_ms[0],
        "measured_ms": best.as_dict()["measured_ms"][0],
        "target_ms": targets[0] if targets else None,
        "params": best.spec.params,
        "macs": best.spec.macs,
        "top1": None,
        "top3": None,
        "out": str(out / "best"),
        **tested,
        "figure_is": problem.evaluator.measures,
        "proxy": results.proxy,
        "limits": [limit.in_words() for limit in results.limits],
        "peak_bytes": best.peak_bytes,
        "evaluated": len(problem.found),
        "seed": results.seed,
        "best": best.as_dict(),
        "front": [model.as_dict() for model in front],
        "tables": [table.source for table in results.tables],
    }
    return fine


def _verified(
    results: Results, best: Found, front: Sequence[Found], winners: int, quiet: bool
) -> tuple[Found, list[Found], bool]:
    """Return the winner and some of the front as measured, and whether all were stable."""
    from ..measured_models import measured_like

    # Spread over the front, its ends included; the winner may be among them.
    count = min(winners, len(front))
    chosen = sorted({round(i * (len(front) - 1) / max(count - 1, 1)) for i in range(count)})
    found, fine = list(front), True
    for number, (table, reason) in enumerate(
        zip(results.tables, _why_not_here(results.tables), strict=True)
    ):
        if reason:
            note(f"not measured for {table.source}: {reason}")
            continue
        models = [best, *(found[i] for i in chosen)]
        specs = [model.spec for model in models]
        measured, stable = measured_like(table, specs, "vitprof search --verify", quiet)
        fine &= stable
        best = best.with_measured(number, measured[0])
        for i, ms in zip(chosen, measured[1:], strict=True):
            found[i] = found[i].with_measured(number, ms)
        _note_disagreements(table, models, measured)
    return best, found, fine


def _note_disagreements(
    table: LatencyTable, models: Sequence[Found], measured: Sequence[float]
) -> None:
    """Tell where the device took a time outside the table's own 95 % interval."""
    for model, ms in zip(models, measured, strict=True):
        predicted = table.predict(model.spec)
        if not predicted.low_ms <= ms <= predicted.high_ms:
            note(
                f"{model.name}: measured {milliseconds(ms)} ms, {ms / predicted.ms - 1:+.1%} "
                f"beside the {milliseconds(predicted.ms)} ms that {table.source} predicts "
                f"({milliseconds(predicted.low_ms)} to {milliseconds(predicted.high_ms)})."
            )


def _within_limits(results: Results, best: Found) -> bool:
    """Tell whether what was measured keeps the limits but for noise; say where it does not."""
    fine = True
    for limit in results.limits:
        if limit.unit != "ms" or not best.measured_ms:
            continue
        table = results.tables[limit.table]
        ms = best.measured_ms[limit.table]
        noise = NOISE_SD * (table.header.session_sd or 0.0)
        if ms > limit.most * (1 + noise):
            note(
                f"the winner takes {milliseconds(ms)} ms on the device, more than the limit of "
                f"{limit.in_words()} and {noise:.1%} of noise; search with a lower one."
            )
            fine = False
    return fine


def _write_best(results: Results, best: Found, quiet: bool) -> dict[str, Any]:
    """Write the winner's folder; return its accuracy on the test images, where there are any."""
    folder = results.out / "best"
    if results.judge is None or results.data is None:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "spec.json", best.spec.to_json())
        return {}
    from ...profiler.deployed.onnx_file import onnx_of
    from ...training.evaluate import evaluate
    from ...training.model_folder import write_model

    model = results.judge.model(best.spec)
    with step_bar(not quiet) as show:
        found = evaluate(
            model, results.data.test, results.judge.norm,
            on_progress=show,
        )  # fmt: skip
    write_model(model, folder, results.judge.norm)
    write_atomically(folder / "model.onnx", onnx_of(model, results.tables[0]))
    return {**found.as_dict(), "test_images": found.images, "validation_top1": best.figure}
