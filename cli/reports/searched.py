"""What `vitprof search` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..output import milliseconds, note, print_table, say
from .speed import print_speed

if TYPE_CHECKING:
    from ...search.found import Found
    from ...verbs.searched import SearchResult

MOST_SHOWN = 10


def print_search(result: SearchResult) -> None:
    """Print the winner and the front; a winner that is on the front stands there once."""
    what = f"{result.proxy}, M (proxy)" if result.proxy else "top-1 held out"
    columns = ("model", what, "predicted ms", "measured ms", "MMACs", "M params", "peak MiB")
    shown = _spread(result.front)
    others = [model for model in shown if model.values != result.best.values]
    twin = next((model for model in result.front if model.values == result.best.values), None)
    name = "best" if twin is None else f"best, {twin.name}"
    rows = [_row(result.best, name, bool(result.proxy))]
    print_table(columns, rows + [_row(model, model.name, bool(result.proxy)) for model in others])
    if result.chosen is not None:
        from ...tables.picture import setting_in_words

        table = result.tables[result.chosen]
        say(f"best: fastest by {table.source} ({setting_in_words(table.setting)}).")
    print_speed(table.stated_at for table in result.tables)
    if len(shown) < len(result.front):
        note(f"{len(shown)} of the front's {len(result.front)} models; front.csv has all.")
    if result.weights is not None:
        tested = result.weights.tested
        say(
            f"best: top-1 {tested.top(1):.2%} of the {tested.images} test images "
            "(not used by the search)."
        )
    if result.proxy:
        say("The figure is a proxy: no accuracy was measured.")
    note(f"written: {result.report()['out']}")


def _row(model: Found, name: str, proxy: bool) -> tuple[str, ...]:
    measured = model.as_dict()["measured_ms"]
    return (
        name,
        f"{model.figure:.4g}" if proxy else f"{model.figure:.2%}",
        " / ".join(milliseconds(ms) for ms in model.latency_ms),
        " / ".join("-" if ms is None else milliseconds(ms) for ms in measured),
        f"{model.macs / 1e6:.4g}",
        f"{model.params / 1e6:.4g}",
        f"{model.peak_bytes / 2**20:.3g}",
    )


def _spread(front: Sequence[Found]) -> list[Found]:
    """Return some of the front, spread over it, its ends included."""
    if len(front) <= MOST_SHOWN:
        return list(front)
    return [front[round(i * (len(front) - 1) / (MOST_SHOWN - 1))] for i in range(MOST_SHOWN)]
