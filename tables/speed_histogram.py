"""How often a reference took how long: all its readings, in bins that add up."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..errors import UserError
from ..models.checks import shown

# Width of a bin: 0.2 %.
LN_STEP = 0.002
MOST_BINS = 50_000
DIGITS = 6  # of a mean in ms
# The fast mode lies between this quantile and so much above it: the readings of an undisturbed
# machine scatter by 1 to 2 %, and a slow mode begins far above that.
FAST_QUANTILE = 0.05
FAST_WIDTH = 0.04


@dataclass(frozen=True)
class SpeedHistogram:
    """By bin, how many readings it holds and their mean in ms.

    Bin n holds those with n = round(ln(ms) / LN_STEP).
    """

    bins: Mapping[int, tuple[int, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, readings_ms: Iterable[float]) -> SpeedHistogram:
        """Count readings; those that are not above 0 are left out."""
        bins: dict[int, tuple[int, float]] = {}
        for ms in readings_ms:
            if ms > 0:
                _add(bins, round(math.log(ms) / LN_STEP), 1, ms)
        return cls(bins)

    def __add__(self, other: SpeedHistogram) -> SpeedHistogram:
        bins = dict(self.bins)
        for nth, (count, mean) in other.bins.items():
            _add(bins, nth, count, mean)
        return SpeedHistogram(bins)

    def __bool__(self) -> bool:
        return bool(self.bins)

    @property
    def total(self) -> int:
        """Number of readings."""
        return sum(count for count, _ in self.bins.values())

    @property
    def mean_ms(self) -> float:
        """The mean of all readings (at least one)."""
        return sum(count * mean for count, mean in self.bins.values()) / self.total

    def quantile_ms(self, share: float) -> float:
        """Return the mean of the bin that holds the reading below which this share of all lie."""
        return _quantile([self.bins[nth] for nth in sorted(self.bins)], share)

    @property
    def undisturbed_ms(self) -> float:
        """The fast mode: the median of the readings from the 5th percentile to 4 % above it."""
        return _quantile(self._fast(), 0.5)

    @property
    def undisturbed_share(self) -> float:
        """How much of all readings the fast mode holds, as a fraction."""
        last = math.exp(FAST_WIDTH / 2) * self.undisturbed_ms
        return sum(count for count, mean in self.bins.values() if mean <= last) / self.total

    def _fast(self) -> list[tuple[int, float]]:
        first = self.quantile_ms(FAST_QUANTILE)
        last = first * math.exp(FAST_WIDTH)
        return [self.bins[nth] for nth in sorted(self.bins) if first <= self.bins[nth][1] <= last]

    def rounded(self) -> SpeedHistogram:
        """Return it as exact as JSON keeps it, so that reading it computes the same."""
        bins = {nth: (count, _written(mean)) for nth, (count, mean) in self.bins.items()}
        return SpeedHistogram(bins)

    def to_json(self) -> dict[str, object]:
        """Return {"ln_step": ..., "bins": {bin: [count, mean in ms]}}."""
        bins = {str(n): [self.bins[n][0], _written(self.bins[n][1])] for n in sorted(self.bins)}
        return {"ln_step": LN_STEP, "bins": bins}

    @classmethod
    def from_json(cls, value: object, where: str) -> SpeedHistogram:
        """Read `to_json`; raises UserError when damaged."""
        bins = value.get("bins") if isinstance(value, Mapping) else None
        step = value.get("ln_step") if isinstance(value, Mapping) else None
        if not isinstance(bins, Mapping) or step != LN_STEP or len(bins) > MOST_BINS:
            raise UserError(f"{where} is {shown(value)}, not a histogram; the file is damaged.")
        return cls({_bin(key, where): _counted(value, where) for key, value in bins.items()})


def _add(bins: dict[int, tuple[int, float]], nth: int, count: int, mean: float) -> None:
    before, of_before = bins.get(nth, (0, 0.0))
    total = before + count
    bins[nth] = (total, (before * of_before + count * mean) / total)


def _written(mean: float) -> float:
    return max(round(mean, DIGITS), 10**-DIGITS)


def _quantile(bins: list[tuple[int, float]], share: float) -> float:
    wanted = share * sum(count for count, _ in bins)
    seen = 0
    for count, mean in bins:
        seen += count
        if seen >= wanted:
            return mean
    raise ValueError("a histogram without readings has no quantile")


def _bin(key: object, where: str) -> int:
    try:
        nth = int(str(key))
    except ValueError:
        nth = MOST_BINS
    if abs(nth) >= MOST_BINS:
        raise UserError(f"{where} has a bin {shown(key)}; the file is damaged.")
    return nth


def _counted(value: object, where: str) -> tuple[int, float]:
    if isinstance(value, list) and len(value) == 2:
        count, mean = value
        numbers = all(isinstance(n, int | float) and not isinstance(n, bool) for n in value)
        if numbers and isinstance(count, int) and 0 < count < 2**53 and 0 < mean < 1e12:
            return count, float(mean)
    raise UserError(f"{where} holds {shown(value)} in a bin; the file is damaged.")
