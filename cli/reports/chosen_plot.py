"""The picture of chosen variants: accuracy over latency, what was measured, and the winner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...tables.picture import save_picture, threads_in_words

if TYPE_CHECKING:
    from ...search.deployments.score import MeasuredLimits

_MARKERS = {"fp32": "o", "int8": "s", "int8-static": "^"}


def plot_variants(
    rows: Sequence[Mapping[str, Any]], best: str, top: int, limits: MeasuredLimits, path: Path
) -> None:
    """Draw every measured variant by precision; those over a limit are hollow.

    The suffix chooses the format (png, svg, pdf). Raises UserError when it cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for number, precision in enumerate(dict.fromkeys(row["precision"] for row in rows)):
        for kept in (True, False):
            chosen = [
                row for row in rows
                if row["precision"] == precision and (row["score"] is not None) == kept
            ]  # fmt: skip
            if not chosen:
                continue
            axes.scatter(
                [row["latency_ms"] for row in chosen], [100 * row[f"top{top}"] for row in chosen],
                marker=_MARKERS[precision], s=36, edgecolors=f"C{number}",
                facecolors=f"C{number}" if kept else "none",
                label=precision if kept else f"{precision}, over a limit",
            )  # fmt: skip
    winner = next(row for row in rows if row["name"] == best)
    # A ring: what is chosen keeps its own mark.
    axes.plot(winner["latency_ms"], 100 * winner[f"top{top}"], "o", color="tab:red",
              markersize=13, markerfacecolor="none", markeredgewidth=1.6, zorder=3,
              label=f"chosen: {best}")  # fmt: skip
    if limits.latency_ms is not None:
        axes.axvline(limits.latency_ms, color="tab:red", linestyle="--", linewidth=1,
                     label=f"limit {limits.latency_ms:.4g} ms")  # fmt: skip
    axes.set_xlabel("measured latency of one image, ms")
    axes.set_ylabel(f"top-{top}, %")
    axes.grid(True, alpha=0.3)
    axes.legend(fontsize=8)
    threads = sorted({int(row["threads"]) for row in rows})
    several = f"{', '.join(map(str, threads[:-1]))} or {threads[-1]} threads"
    in_words = several if len(threads) > 1 else threads_in_words(threads[0])
    save_picture(figure, f"this CPU: ONNX Runtime, one image a run, {in_words}", path)
