"""The pictures of `vitprof breakdown`: a bar a model, or a bar a block, divided by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...tables import Setting
from ...tables.picture import titled
from .breakdown import Breakdown
from .classes import (
    CLASSES,
    COMPUTE_BOUND,
    CONVOLUTION,
    COPY,
    ELEMENTWISE,
    MATMUL,
    NORMALISATION,
    OTHER,
    SOFTMAX,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Blue computes, warm colours wait for memory.
COLOURS = {
    MATMUL: "#2166ac",
    CONVOLUTION: "#67a9cf",
    COPY: "#b2182b",
    ELEMENTWISE: "#ef8a62",
    NORMALISATION: "#fdcb6e",
    SOFTMAX: "#d6a0c4",
    OTHER: "#999999",
}
_DARK = (MATMUL, COPY)

# Narrower parts have no room for their words, or only for words that stand upright.
_LEAST_UPRIGHT, _LEAST_ACROSS = 1.6, 6.5


def draw_breakdown(found: Sequence[Breakdown], setting: Setting) -> Figure:
    """Return the picture of each model's shares, the first on top."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 1.9 + 0.85 * len(found)), layout="constrained")
    axes = figure.subplots()
    kinds = [*CLASSES, *([OTHER] if any(one.other_ops for one in found) else [])]
    for kind in kinds:
        _draw_class(axes, found, kind)
    for row, one in enumerate(found):
        axes.annotate(
            f"{100 * one.memory_bound_share:.0f} %",
            (101, row),
            va="center",
            fontsize=11,
            color=COLOURS[COPY],
            annotation_clip=False,
        )
    axes.annotate(
        "memory-\nbound",
        (101, -0.52),
        va="bottom",
        fontsize=8,
        color=COLOURS[COPY],
        annotation_clip=False,
    )
    axes.set_yticks(
        range(len(found)), [f"{one.model or 'model'}\n{one.latency_ms:.4g} ms" for one in found]
    )
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("share of the run time, %, as a run under the runtime's profiler divides it")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    legend = axes.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1.02), ncols=len(kinds), frameon=False, fontsize=9
    )
    for text, kind in zip(legend.get_texts(), kinds, strict=True):
        if kind not in (*COMPUTE_BOUND, OTHER):
            text.set_color(COLOURS[COPY])
    return titled(figure, setting)


def draw_blocks(one: Breakdown, setting: Setting) -> Figure:
    """Return the picture of a traced model's blocks in ms, the first to run on top."""
    from matplotlib.figure import Figure

    blocks = one.blocks
    figure = Figure(figsize=(11, 2.0 + 0.24 * len(blocks)), layout="constrained")
    axes = figure.subplots()
    kinds = [kind for kind, part in one.classes.items() if part.nodes]
    left = [0.0] * len(blocks)
    for kind in kinds:
        parts = [block.classes.get(kind) for block in blocks]
        width = [part.ms if part else 0.0 for part in parts]
        axes.barh(
            range(len(blocks)), width, left=left, height=0.76, color=COLOURS[kind], label=kind
        )
        left = [before + now for before, now in zip(left, width, strict=True)]
    for row, block in enumerate(blocks):
        axes.annotate(
            f" {block.part.ms:.3g} ms, {100 * block.part.share:.1f} %",
            (left[row], row),
            va="center",
            fontsize=8,
        )
    axes.set_yticks(range(len(blocks)), [block.label.name for block in blocks], fontsize=8)
    axes.set_ylim(len(blocks) - 0.4, -0.6)
    axes.set_xlim(0, 1.18 * max(left))
    axes.set_xlabel(f"ms of the {one.latency_ms:.4g} ms of {one.model or 'the model'}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=len(kinds), frameon=False, fontsize=9)
    return titled(figure, setting)


def _draw_class(axes: Axes, found: Sequence[Breakdown], kind: str) -> None:
    left = [_before(one, kind) for one in found]
    parts = [one.classes.get(kind) for one in found]
    width = [100 * part.share if part else 0.0 for part in parts]
    axes.barh(
        range(len(found)),
        width,
        left=left,
        height=0.68,
        color=COLOURS[kind],
        label=kind,
        edgecolor="white",
        linewidth=0.8,
    )
    for row, part in enumerate(parts):
        if part is None or width[row] < _LEAST_UPRIGHT:
            continue
        upright = width[row] < _LEAST_ACROSS
        axes.text(
            left[row] + width[row] / 2,
            row,
            f"{part.ms:.3g} ms" if upright else f"{width[row]:.0f} %\n{part.ms:.3g} ms",
            ha="center",
            va="center",
            fontsize=7 if upright else 9,
            rotation=90 if upright else 0,
            color="white" if kind in _DARK else "black",
        )


def _before(one: Breakdown, kind: str) -> float:
    """Return where the part of a class begins, in %."""
    names = list(one.classes)
    earlier = names[: names.index(kind)] if kind in names else []
    return 100 * sum(one.classes[name].share for name in earlier)
