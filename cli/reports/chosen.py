"""What `vitprof choose` writes and prints: the winner, all that was measured, and a picture."""

from __future__ import annotations

import csv
import io
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...atomic_write import write_atomically
from ...errors import UserError
from ..output import milliseconds, note, print_table

if TYPE_CHECKING:
    import numpy as np

    from ...search.problem import Problem
    from ...training.data.images import Images
    from ..variant_evaluator import VariantEvaluator

MEBI = 2**20


@dataclass(frozen=True)
class Judge:
    """Who measures variants; the folders of their models; images that only the winner sees."""

    evaluator: VariantEvaluator
    folders: dict[str, Path]
    rest: Images | None


def write_choice(problem: Problem, judge: Judge, out: Path, show: Any) -> dict[str, Any]:
    """Write the winner and what was measured; return the report.

    Raises UserError where nothing that was measured keeps the limits, naming the nearest.
    """
    from ...profiler.deployed.facts import accuracy_of
    from ...search.deployments.score import keeps_limits
    from .chosen_plot import plot_variants

    evaluator, limits = judge.evaluator, judge.evaluator.limits
    population, figures = problem.evaluated()
    # Of equals (threads change no answer, and latency may not count) the fastest.
    best = min(
        population[figures == figures.max()],
        key=lambda row: evaluator.facts(evaluator.space.variant(row)).latency_ms,
    )
    winner = evaluator.space.variant(best)
    if not keeps_limits(float(figures.max())):
        raise UserError(_nearest(evaluator, best))
    facts = evaluator.facts(winner)
    rows = [
        {**evaluator.facts(evaluator.space.variant(row)).as_dict(),
         "score": float(figure) if keeps_limits(float(figure)) else None}
        for row, figure in zip(population, figures, strict=True)
    ]  # fmt: skip
    rows.sort(key=lambda row: (row["score"] is None, -(row["score"] or 0.0)))
    file = evaluator.deploy(winner)
    place = out / "best"
    place.mkdir(parents=True, exist_ok=True)
    source = judge.folders[winner.model]
    for path in source.iterdir():
        if path.is_file() and path.suffix in (".json", ".safetensors"):
            shutil.copy2(path, place / path.name)
    shutil.copy2(file.path, place / file.path.name)
    found: dict[str, Any] = {"top1": None, "top3": None, "test_images": 0}
    if judge.rest is not None:
        final = accuracy_of(
            file,
            judge.rest,
            evaluator.norm,
            show,
            "testing the winner",
        )
        found = {"top1": final.accuracy.top(1), "top3": final.accuracy.top(3),
                 "test_images": final.accuracy.images}  # fmt: skip
    write_atomically(out / "variants.csv", _csv(rows))
    plot_variants(rows, winner.name, evaluator.top, limits, out / "variants.png")
    return {
        "model": winner.name,
        "best": facts.as_dict(),
        "score": float(figures.max()),
        "measured_ms": facts.latency_ms,
        "params": facts.params,
        "macs": facts.macs,
        **found,
        "judged_by": f"top-{evaluator.top} on {len(evaluator.images)} test images",
        "evaluated": len(problem.found),
        "measured": rows,
        "limits": {k: v for k, v in vars(limits).items() if v is not None},
        "file": str(place / file.path.name),
    }


def _nearest(evaluator: VariantEvaluator, best: np.ndarray) -> str:
    from ...search.evaluation_log import key_of

    measured, limits = evaluator.asked[key_of(best)], evaluator.limits
    words = {
        "latency_ms": (f"{measured.latency_ms:.4g} ms", f"{limits.latency_ms or 0:.4g} ms"),
        "memory_bytes": (_mebi(measured.memory_bytes), _mebi(limits.memory_bytes or 0)),
        "cpu_percent": (f"{measured.cpu_percent:.0f} % CPU", f"{limits.cpu_percent or 0:.0f} %"),
        "accuracy": (
            f"{100 * measured.accuracy:.2f} % accuracy", f"{100 * (limits.accuracy or 0):.2f} %"
        ),
    }  # fmt: skip
    missed = ", ".join(f"{words[k][0]} where {words[k][1]} is the limit"
                       for k in limits.excess(measured))  # fmt: skip
    name = evaluator.space.variant(best).name
    others = len(evaluator.asked) < evaluator.space.count()
    more = ", or try --algorithm exhaustive" if others else ""
    return (
        f"none of the {len(evaluator.asked)} variants that were measured keeps the limits; the "
        f"nearest is {name}: {missed}. Allow that much{more}."
    )


def _mebi(size: float) -> str:
    return f"{size / MEBI:.4g} MiB"


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: "" if v is None else v for k, v in row.items()} for row in rows)
    return text.getvalue()


def print_choice(report: dict[str, Any], most: int = 12) -> None:
    rows = report["measured"]
    print_table(
        ("variant", "score", "top-1", "top-3", "ms", "MiB process", "CPU %", "M params",
         "MiB file"),
        [
            (
                row["name"],
                "over a limit" if row["score"] is None else f"{row['score']:.2f}",
                _share(row["top1"]), _share(row["top3"]), milliseconds(row["latency_ms"]),
                f"{row['peak_bytes'] / MEBI:.0f}", f"{row['cpu_percent']:.0f}",
                f"{row['params'] / 1e6:.3g}", f"{row['file_bytes'] / MEBI:.2f}",
            )
            for row in rows[:most]
        ],
    )  # fmt: skip
    if len(rows) > most:
        note(f"{most} of {len(rows)} measured; variants.csv has all.")
    disturbed = [row["name"] for row in rows if row["disturbed"]]
    if disturbed:
        names = "; ".join(disturbed[:3]) + (" and others" if len(disturbed) > 3 else "")
        note(f"unstable: {len(disturbed)} of {len(rows)} ({names}): the machine did other things "
             "whenever they were measured.")  # fmt: skip
    click.echo(
        f"best: {report['model']}, of {report['evaluated']} measured of {report['variants']} "
        "variants."
    )
    if report["test_images"]:
        click.echo(
            f"on {report['test_images']} test images that did not choose it: top-1 "
            f"{_share(report['top1'])}, top-3 {_share(report['top3'])}."
        )
    note(f"written: {report['file']}")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"
