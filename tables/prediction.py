"""What a table answers for a model."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..models import Block
from ..results import Result
from .picture import setting_in_words
from .setting import Setting
from .speed import Speed

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class BlockPrediction:
    """A block's share: milliseconds for one run of the batch, with a 95 % interval.

    `extrapolated` names the axes on which the block lies outside the measured range, and
    `unstable_share` is how much of `ms` comes from unstable points, a fraction, and
    `transferred_share` from points that were not measured but predicted from other tables.
    """

    block: Block
    ms: float
    low_ms: float
    high_ms: float
    extrapolated: tuple[str, ...] = ()
    unstable_share: float = 0.0
    transferred_share: float = 0.0

    @property
    def is_kernel(self) -> bool:
        """Whether it is one fused node of a runtime, not a block of a family."""
        return self.block.definition.scattered is not None


@dataclass(frozen=True)
class Prediction(Result):
    """A model's latency in milliseconds for one run of the batch, with a 95 % interval.

    `by_block` adds up to `ms` less `offset_ms`, the constant of the table's calibration (0 without
    one). `how` says in words what the number stands on. `missing` are blocks that the table does
    not have and the answer leaves out, and `unknown` the operators of a foreign model that no
    kernel stands for. An interval that nobody knows is NaN, and so is one
    of an extrapolated answer that is wider than the answer itself. `setting` is the table's.
    `at` is the speed of the machine that `ms` is at, None where the table does not know.
    `undisturbed_ms`, `typical_ms` and `p90_ms` are what the model takes at each speed, as
    `vitprof.predict` finds them; None where the table does not know. `max_latency_ms` is the limit
    that it was asked for, None without one.
    """

    model: str
    ms: float
    low_ms: float
    high_ms: float
    by_block: Sequence[BlockPrediction]
    offset_ms: float = 0.0
    how: str = ""
    missing: Sequence[Block] = ()
    unknown: Sequence[str] = ()
    setting: Setting | None = None
    at: Speed | None = None
    undisturbed_ms: float | None = None
    typical_ms: float | None = None
    p90_ms: float | None = None
    max_latency_ms: float | None = None

    @property
    def fits(self) -> bool | None:
        """Whether `ms` keeps the limit; None without a limit, and where parts have no price."""
        if self.max_latency_ms is None:
            return None
        if self.ms > self.max_latency_ms:
            return False
        return None if self.missing or self.unknown else True

    @property
    def certain(self) -> bool | None:
        """Whether the whole 95 % interval is on the side of the limit that `fits` says."""
        limit, fits = self.max_latency_ms, self.fits
        if limit is None or fits is None:
            return None
        return self.high_ms <= limit if fits else self.low_ms > limit

    @property
    def margin_ms(self) -> float | None:
        """Milliseconds between the latency and the limit, below 0 where it is too slow."""
        return None if self.max_latency_ms is None else self.max_latency_ms - self.ms

    @property
    def latency_ms(self) -> float:
        """The same as `ms`, by the name that it has in JSON and tables."""
        return self.ms

    @property
    def by_op(self) -> dict[str, float]:
        """Milliseconds per op, in the order of the model."""
        sums: dict[str, float] = {}
        for part in self.by_block:
            sums[part.block.op] = sums.get(part.block.op, 0.0) + part.ms
        return sums

    @property
    def extrapolated(self) -> list[str]:
        """The "op.axis" names on which the answer is a guess; empty inside the table."""
        return sorted({f"{p.block.op}.{axis}" for p in self.by_block for axis in p.extrapolated})

    @property
    def unstable_share(self) -> float:
        """How much of the blocks' latency comes from unstable points, a fraction."""
        return self._share_of(part.ms * part.unstable_share for part in self.by_block)

    @property
    def transferred_share(self) -> float:
        """How much of it comes from transferred points, which were not measured, a fraction."""
        return self._share_of(part.ms * part.transferred_share for part in self.by_block)

    def _share_of(self, leaning: Iterable[float]) -> float:
        blocks = sum(part.ms for part in self.by_block)
        return sum(leaning) / blocks if blocks > 0 else 0.0

    @property
    def priced(self) -> dict[str, float]:
        """What the answer is made of, as fractions of all blocks and kernels.

        By "blocks" and "kernels" inside of what was measured, and by "nearest" kernels outside.
        Empty for a model without kernels.
        """
        if not any(part.is_kernel for part in self.by_block):
            return {}
        shares = {"blocks": 0.0, "kernels": 0.0, "nearest": 0.0}
        for part in self.by_block:
            kind = "blocks" if not part.is_kernel else "kernels"
            shares["nearest" if part.is_kernel and part.extrapolated else kind] += part.ms
        whole = sum(shares.values())
        return {kind: ms / whole if whole else 0.0 for kind, ms in shares.items()}

    def by_different_block(self) -> Iterator[tuple[BlockPrediction, int]]:
        """Yield each different block and how many of it there are, in the order of the model."""
        counts = Counter(part.block for part in self.by_block)
        first = {part.block: part for part in reversed(self.by_block)}
        for block, count in counts.items():
            yield first[block], count

    @property
    def title(self) -> str:
        """The model, its latency and the setting."""
        known = not math.isnan(self.low_ms)
        interval = f"[{self.low_ms:.4g} .. {self.high_ms:.4g}]" if known else "(interval unknown)"
        where = f" on {setting_in_words(self.setting)}" if self.setting else ""
        return f"{self.model}: {self.ms:.4g} ms {interval}{where}"

    def report(self) -> dict[str, Any]:
        """Return the answer as JSON values, with the keys of `vitprof predict --json`."""
        return {
            "model": self.model,
            "latency_ms": self.ms,
            "predicted_ms": self.ms,
            "low_ms": self.low_ms,
            "high_ms": self.high_ms,
            "by_op": self.by_op,
            "by_block": [
                {
                    "block": str(part.block),
                    "op": part.block.op,
                    "count": count,
                    "each_ms": part.ms,
                    "low_ms": part.low_ms,
                    "high_ms": part.high_ms,
                    "extrapolated": list(part.extrapolated),
                }
                for part, count in self.by_different_block()
            ],
            "extrapolated": self.extrapolated,
            "unstable_share": self.unstable_share,
            "transferred_share": self.transferred_share,
            "offset_ms": self.offset_ms,
            "how": self.how,
            "missing": [str(block) for block in self.missing],
            "unknown": list(self.unknown),
            "priced": self.priced,
            "setting": self.setting.as_dict() if self.setting else None,
            "at": self.at,
            "undisturbed_ms": self.undisturbed_ms,
            "typical_ms": self.typical_ms,
            "p90_ms": self.p90_ms,
            "max_latency_ms": self.max_latency_ms,
            "fits": self.fits,
            "certain": self.certain,
            "margin_ms": self.margin_ms,
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a line a different block: how many, ms of each with its interval, and of all."""
        import pandas as pd

        return pd.DataFrame(
            {
                "block": str(part.block),
                "op": part.block.op,
                "count": count,
                "each_ms": part.ms,
                "low_ms": part.low_ms,
                "high_ms": part.high_ms,
                "ms": count * part.ms,
                "share": count * part.ms / self.ms,
                "extrapolated": ", ".join(part.extrapolated),
            }
            for part, count in self.by_different_block()
        )

    def figure(self) -> Figure:
        """Return a bar a different block: the milliseconds of all of it."""
        from .prediction_plot import prediction_figure

        blocks = [(part.block, n, n * part.ms) for part, n in self.by_different_block()]
        return prediction_figure(blocks, self.ms, self.title)
