"""What LiteRT's `benchmark_model` prints, read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...protocol import BackendError

# count=25 first=187533 curr=140990 min=140071 max=195121 avg=145528 std=13583 p5=… median=… p95=…
_STATISTICS = re.compile(
    r"\bcount=(?P<count>\d+) (?=.*\bavg=(?P<mean>[\d.e+]+))"
    r"(?=.*\bmin=(?P<least>[\d.e+]+))(?=.*\bmax=(?P<most>[\d.e+]+))"
    r"(?:.*\bp5=(?P<p5>[\d.e+]+))?(?:.*\bmedian=(?P<median>[\d.e+]+))?"
    r"(?:.*\bp95=(?P<p95>[\d.e+]+))?"
)
_TIMINGS = re.compile(
    r"Inference timings in us: Init: (?P<init>[\d.e+]+), First inference: (?P<first>[\d.e+]+), "
    r"Warmup \(avg\): (?P<warm>[\d.e+]+), Inference \(avg\): (?P<mean>[\d.e+]+)"
)
_REPLACED = re.compile(r"Replacing (\d+) out of (\d+) node\(s\) with delegate \(\w*?(\w+)\)")
_APPLIED = re.compile(
    r"(?:Explicitly applied|Though) (\w+) delegate\b.*the model graph will "
    r"(be completely|be partially|not be) executed"
)
_ERROR = re.compile(r"^(?:ERROR|E)\b:?\s*(.+)|^(.*(?:failed|FAILED).*)$", re.MULTILINE)


@dataclass(frozen=True)
class BenchmarkOutput:
    """One process of `benchmark_model`: its timed runs, in ms, and what it says of delegates.

    p5_ms, median_ms and p95_ms: None from versions that print the mean alone. delegated: which
    share of the operators a delegate runs, None where it does not say so. applied: the delegates
    that run at least a part of the model, in its words, such as "XNNPACK" or "GPU".
    """

    runs: int
    mean_ms: float
    least_ms: float
    most_ms: float
    p5_ms: float | None
    median_ms: float | None
    p95_ms: float | None
    init_ms: float
    first_ms: float
    delegated: float | None
    applied: tuple[str, ...]

    @property
    def typical_ms(self) -> float:
        """The median, or the mean where there is none."""
        return self.mean_ms if self.median_ms is None else self.median_ms


def read_benchmark_output(text: str) -> BenchmarkOutput:
    """Return what `benchmark_model` printed, on stdout or stderr or to Android's log.

    Raises BackendError with its own words where it did not time the model to its end.
    """
    timings = _TIMINGS.search(text)
    statistics = list(_STATISTICS.finditer(text))
    if timings is None or not statistics:
        raise BackendError(f"benchmark_model timed nothing: {_complaint(text)}")
    timed = statistics[-1].groupdict()  # those of the warm-up come first
    found = BenchmarkOutput(
        runs=int(timed["count"] or 0),
        mean_ms=_ms(timed["mean"]) or 0.0,
        least_ms=_ms(timed["least"]) or 0.0,
        most_ms=_ms(timed["most"]) or 0.0,
        p5_ms=_ms(timed["p5"]),
        median_ms=_ms(timed["median"]),
        p95_ms=_ms(timed["p95"]),
        init_ms=_ms(timings["init"]) or 0.0,
        first_ms=_ms(timings["first"]) or 0.0,
        delegated=_delegated(text),
        applied=_delegates(text),
    )
    if found.runs < 1 or not found.mean_ms > 0:
        raise BackendError(f"benchmark_model timed nothing: {statistics[-1][0]}")
    return found


def _ms(microseconds: str | None) -> float | None:
    if microseconds is None:
        return None
    try:
        return float(microseconds) / 1e3
    except ValueError:
        raise BackendError(f"benchmark_model printed the time {microseconds!r}.") from None


def _delegated(text: str) -> float | None:
    """Return the share of operators that delegates took; several take one after the other."""
    pieces = [(int(taken), int(all_of)) for taken, all_of, _ in _REPLACED.findall(text)]
    if pieces:
        most = max(all_of for _, all_of in pieces)
        return min(1.0, sum(taken for taken, _ in pieces) / most) if most else None
    applied = {how for _, how in _APPLIED.findall(text)}
    if "be completely" in applied:
        return 1.0
    return 0.0 if applied == {"not be"} else None


def _delegates(text: str) -> tuple[str, ...]:
    applied = [name for name, how in _APPLIED.findall(text) if how != "not be"]
    return tuple(dict.fromkeys(applied))


def _complaint(text: str) -> str:
    """Return what it printed of an error, on one line, or else its last words."""
    found = ["".join(match).strip() for match in _ERROR.findall(text)]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    words = "; ".join(dict.fromkeys(found[-3:])) or " ".join(lines[-1:]) or "it printed nothing"
    return "".join(c if c.isprintable() else " " for c in words)[:300]
