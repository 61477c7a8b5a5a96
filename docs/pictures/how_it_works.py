"""Draw the pictures of docs/how/ from a table: python docs/pictures/how_it_works.py lut.csv.

Two of them show the given table's own rows. The order of runs is a drawing, and the errors with and
without the line are those of docs/results/contexts.md.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from vitprof import Block, LatencyTable

mpl.use("Agg")
import matplotlib.pyplot as plt

FOLDER = Path(__file__).resolve().parents[1] / "images"
BLUE, ORANGE, GREY = "#2a5db0", "#d9781e", "#8a8f98"


def order_of_runs(axes: Any) -> None:
    """Draw a pass: sessions alive together take turns in random order, the reference between."""
    rng = np.random.default_rng(3)
    points = ["block A", "block B", "block C", "block D"]
    time = 0.0
    for _ in range(4):
        for point in rng.permutation(4):
            axes.barh(4, 0.55, left=time, color=ORANGE, height=0.6)
            time += 0.75
            axes.barh(point, 0.3, left=time, color="white", edgecolor=GREY, height=0.6, hatch="//")
            for run in range(3):
                axes.barh(point, 0.3, left=time + 0.35 * (run + 1), color=BLUE, height=0.6)
            time += 1.55
    axes.set_yticks(range(5), [*points, "reference"])
    axes.set_xticks([])
    axes.set_xlabel("time")
    axes.barh(0, 0, color=BLUE, label="timed run")
    axes.barh(0, 0, color="white", edgecolor=GREY, hatch="//", label="untimed run")
    axes.barh(0, 0, color=ORANGE, label="reading of the reference")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.2), ncols=3, frameon=False)


def correction(axes: Any, table: LatencyTable) -> None:
    """Plot each session's median against what the reference took, raw and corrected."""
    drift = table.header.readings[table.references.blocks].drift
    speed = drift.undisturbed_ms
    shown, raw, corrected = [], [], []
    for row in table.block_rows:
        for session, reference in zip(row.session_ms, row.reference_ms, strict=False):
            shown.append(reference / speed)
            raw.append(100 * (session / row.latency_ms - 1))
            exponent = 1.0 if row.exponent is None else row.exponent
            corrected.append(100 * (session * (speed / reference) ** exponent / row.latency_ms - 1))
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.plot(shown, raw, "o", ms=3.5, color=ORANGE, alpha=0.7, label="as timed")
    axes.plot(shown, corrected, "o", ms=3.5, color=BLUE, alpha=0.7, label="corrected")
    axes.set_xlabel("what the reference took meanwhile, over its undisturbed time")
    axes.set_ylabel("session over the row's latency, %")
    axes.legend(frameon=False)


def interpolation(axes: Any, table: LatencyTable) -> None:
    """Plot the measured MLPs of each embedding over their width, and what is read between."""
    rows = [row for row in table.block_rows if row.subject.op == "mlp"]
    dims = [dict(row.subject.dims) for row in rows]
    embeds = sorted({each["embed"] for each in dims})
    colours = plt.get_cmap("viridis")(np.linspace(0.15, 0.85, len(embeds)))
    for embed, colour in zip(embeds, colours, strict=True):
        at = sorted(
            (each["mlp"], row.latency_ms)
            for each, row in zip(dims, rows, strict=True)
            if each["embed"] == embed
        )
        axes.plot(*zip(*at, strict=True), "o", color=colour, ms=5, label=f"embed {embed}")
        tokens = dims[0]["tokens"]
        widths = np.linspace(at[0][0], at[-1][0], 80).round().astype(int)
        between = [
            table.predict_block(Block.of("mlp", embed=embed, mlp=int(one), tokens=tokens)).ms
            for one in widths
        ]
        axes.plot(widths, between, color=colour, linewidth=1)
    low, high = embeds[1], embeds[2]
    middle = (low + high) // 2
    between = [
        table.predict_block(Block.of("mlp", embed=middle, mlp=int(one), tokens=tokens)).ms
        for one in widths
    ]
    axes.plot(widths, between, "--", color=GREY, label=f"embed {middle}, not measured")
    axes.set_xlabel("mlp (hidden neurons)")
    axes.set_ylabel("ms")
    axes.legend(frameon=False)


def line(axes: Any) -> None:
    """Draw the errors in docs/results/contexts.md: sums of blocks, and with the line."""
    rows = [
        (cells[0].strip(), float(cells[2].strip().rstrip("%")))
        for cells in (
            text.strip("| ").split("|")
            for text in (FOLDER.parent / "results/contexts.md").read_text().splitlines()
            if text.startswith(("| alone", "| in_network"))
        )
    ]
    names, errors = zip(*reversed(rows), strict=True)
    colours = [BLUE if "line" in name else ORANGE for name in names]
    axes.bar_label(axes.barh(names, errors, color=colours, height=0.6), fmt=" %.2f %%")
    axes.set_xlabel("mean absolute error of 24 models that the table never saw, %")


def main() -> None:
    table = LatencyTable.read_csv(sys.argv[1])
    for name, draw, arguments, height in (
        ("how-order", order_of_runs, (), 2.6),
        ("how-correction", correction, (table,), 3.4),
        ("how-interpolation", interpolation, (table,), 3.4),
        ("how-line", line, (), 2.2),
    ):
        figure, axes = plt.subplots(figsize=(7, height), layout="constrained")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        draw(axes, *arguments)
        figure.savefig(FOLDER / f"{name}.png", dpi=120)
        plt.close(figure)


if __name__ == "__main__":
    main()
