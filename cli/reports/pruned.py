"""What `vitprof prune` prints: the unpruned model, and a line for each target's."""

from __future__ import annotations

import math
from typing import Any

from ...notes import note
from ..output import giga, milliseconds, print_table, say
from .loader import print_loader
from .speed import print_speed

# Columns of figures, of classes and of segmentation.
FIGURES = {"top1": "top-1", "top3": "top-3", "f1": "F1"}
SEGMENTED = {"agreement_accuracy": "same pixels", "agreement_miou": "same mIoU", "miou": "mIoU"}


def print_pruned(report: dict[str, Any]) -> None:
    """Print the models of a report, and notes of what else is worth knowing."""
    base, models = report["base"], report["models"]
    segmented = "part" in base
    figures = (
        SEGMENTED
        if segmented
        else {name: FIGURES[name] for name in ("top1", "f1" if "f1" in base else "top3")}
    )
    part = f"{base['part']} " if segmented else ""
    found = "miou" if segmented else "top1"
    its = "" if base[found] is None else f", {(SEGMENTED | FIGURES)[found]} {_percent(base[found])}"
    say(
        f"{base['model']}: {part}{milliseconds(base['latency_ms'])} ms, {giga(base['macs'])} "
        f"GMACs, {base['params'] / 1e6:.3g} M parameters{its}"
    )
    print_table(
        (
            "target",
            "target ms",
            "predicted ms",
            "measured ms",
            "speed-up",
            "GMACs",
            "M params",
            *figures.values(),
        ),
        [
            (
                each["target"],
                _milliseconds(each["target_ms"]),
                milliseconds(each["predicted_ms"]),
                _milliseconds(each["measured_ms"]),
                f"{each['speedup']:.2f}x",
                giga(each["macs"]),
                f"{each['params'] / 1e6:.3g}",
                *(_percent(each.get(name)) for name in figures),
            )
            for each in models
        ],
    )
    _print_measured(base, models)
    print_speed([report["at"]])
    for each in models:
        if each.get("random_merging_top1") is not None:
            top1 = _percent(each["random_merging_top1"])
            note(f"{each['target']}: with tokens merged at random instead, top-1 is {top1}.")
    for each in models:
        note(f"written: {each['out']}")
    print_loader(models[-1].get("loader"), models[-1]["out"])


def _print_measured(base: dict[str, Any], models: list[dict[str, Any]]) -> None:
    """Print what each model takes beside the unpruned one, both measured in the same rounds."""
    for each in models:
        ratio = each["measured_ratio"]
        if ratio is not None and math.isfinite(ratio):
            say(
                f"{each['target']}: measured {milliseconds(each['measured_ms'])} ms, {ratio:.3f}x "
                f"of the unpruned model's {milliseconds(base['measured_ms'])} ms (predicted "
                f"{each['predicted_ratio']:.3f}x)"
            )


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else milliseconds(value)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"
