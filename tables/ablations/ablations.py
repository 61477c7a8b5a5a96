"""What a model's variants cost by a table: each choice by itself, and all combinations ranked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ...errors import UserError
from ...models import Block, Spec
from ...models.ablations import Variant, all_variants, choices_of, single_variants
from ..calibration.calibration import LoneBlocks
from ..saved import LinesResult, csv_text
from ..setting import Setting
from ..speed import Speed
from ..table import LatencyTable
from .ranked import Ranked

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# Beyond this many combinations nobody reads a ranking, and making them takes minutes.
MOST_COMBINATIONS = 200_000


@dataclass(frozen=True)
class Variants(LinesResult):
    """`base` is the model, `single` differ from it in one choice, `ranked` in any, in order.

    `not_covered` says by variant why the table cannot tell its latency; `at` is the speed of the
    machine that latencies are at, None where the table does not know.
    """

    file_name: ClassVar[str] = "variants"

    base: Ranked
    single: Sequence[Ranked]
    ranked: Sequence[Ranked]
    not_covered: Mapping[str, str]
    setting: Setting
    at: Speed | None = None

    @property
    def title(self) -> str:
        """The model, its latency and how many combinations there are."""
        return (
            f"{len(self.ranked)} variants of {self.base.spec.name} ({self.base.ms:.4g} ms on "
            f"{self.setting.device})"
        )

    def report(self, top: int | None = None) -> dict[str, Any]:
        """Return them as JSON values, the first `top` combinations (default: all)."""
        return {
            "model": self.base.spec.name,
            "latency_ms": self.base.ms,
            "macs": self.base.spec.macs,
            "params": self.base.spec.params,
            "setting": self.setting.as_dict(),
            "at": self.at,
            "choices": [
                {**each.as_dict(), "more_ms": each.ms - self.base.ms} for each in self.single
            ],
            "not_covered": dict(self.not_covered),
            "variants": len(self.ranked),
            "ranked": [each.as_dict() for each in self.ranked[:top]],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a line a combination, in order: its choices in words, ms, MACs, parameters."""
        import pandas as pd

        columns = ["variant", "latency_ms", "macs", "params"]
        lines = [(each.words, each.ms, each.spec.macs, each.spec.params) for each in self.ranked]
        return pd.DataFrame(lines, columns=columns)

    def to_csv(self) -> str:
        """Return a line a combination as CSV."""
        lines = (
            (each.words, f"{each.ms:.7g}", each.spec.macs, each.spec.params) for each in self.ranked
        )
        return csv_text(("variant", "latency_ms", "macs", "params"), lines)

    def figure(self) -> Figure:
        """Return the ms that each choice adds to the model, and every combination over its MACs."""
        from .plot import variants_figure

        return variants_figure(self.base, self.single, self.ranked, self.setting)


def rank_variants(
    table: LatencyTable,
    spec: Spec,
    choices: Sequence[str] | None = None,
    max_ms: float | None = None,
    sort: str = "latency",
    extrapolate: bool = False,
) -> Variants:
    """Predict every variant of a model that differs in one choice, and their combinations.

    `choices` names those that are combined, all by default; of each only the options that the table
    covers by themselves. `max_ms` keeps the combinations up to that latency; `sort` is one of
    SORTS: the fastest first, or those with most MACs or parameters. Raises UserError where the
    table does not cover the model itself, and for more than MOST_COMBINATIONS.
    """
    ask = _Asking(table, extrapolate)
    first, *others = single_variants(spec)
    base = ask.ranked(first)
    single, not_covered = [], {}
    for variant in others:
        try:
            single.append(ask.ranked(variant))
        except UserError as error:
            not_covered[variant.words] = str(error).split("; ")[0].rstrip(".")
    options = {
        choice.name: [
            option
            for option in choice.options
            if option == choice.of(spec)
            or any(each.changed == {choice.name: option} for each in single)
        ]
        for choice in choices_of(spec)
        if choices is None or choice.name in choices
    }
    count = 1
    for each in options.values():
        count *= max(len(each), 1)
    if count > MOST_COMBINATIONS:
        raise UserError(
            f"the choices have {count} combinations, more than {MOST_COMBINATIONS}; combine fewer "
            f"with `choices`, of {', '.join(options)}."
        )
    combinations: dict[tuple[Block, ...], Ranked] = {}
    for variant in all_variants(spec, {name: each for name, each in options.items() if each}):
        try:
            ranked = ask.ranked(variant)
        except UserError:
            continue  # two choices that are covered one by one may not be together
        if max_ms is None or ranked.ms <= max_ms:
            combinations.setdefault(tuple(ranked.spec.blocks()), ranked)
    ordered = sorted(combinations.values(), key=_ORDERS[sort])
    return Variants(base, single, ordered, not_covered, table.setting, table.stated_at)


_ORDERS: dict[str, Callable[[Ranked], tuple[float, float]]] = {
    "latency": lambda each: (each.ms, -each.spec.macs),
    "macs": lambda each: (-each.spec.macs, each.ms),
    "params": lambda each: (-each.spec.params, each.ms),
}
SORTS = tuple(_ORDERS)


class _Asking:
    """Asks a table about many models with the same blocks: each block once."""

    def __init__(self, table: LatencyTable, extrapolate: bool) -> None:
        self._table = table
        self._extrapolate = extrapolate
        self._known: dict[Block, float | UserError] = {}

    def ranked(self, variant: Variant) -> Ranked:
        """Return the variant with its latency; raises UserError where the table lacks a block."""
        lone = LoneBlocks.of((block, self._ms(block)) for block in variant.spec.blocks())
        line = self._table.calibrations.get(variant.spec.family)
        ms = sum(lone.sums_ms.values()) if line is None else line.latency(lone)
        return Ranked(variant.words, variant.changed, variant.spec, ms)

    def _ms(self, block: Block) -> float:
        if block not in self._known:
            try:
                self._known[block] = self._table.predict_block(block, self._extrapolate).ms
            except UserError as error:
                self._known[block] = error
        found = self._known[block]
        if isinstance(found, UserError):
            raise found
        return found
