"""What a model is and does by one candidate, every figure measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

NAN = math.nan


@dataclass(frozen=True)
class RuntimeFacts:
    """A model by a runtime in a dtype.

    latency_ms with its 95 % interval, ms of one run of the batch; cores: CPU seconds over wall
    seconds of a run; output_error: distance of the outputs from fp32's, as a share of their length
    (`relative_error`); build_s: seconds of compiling, NaN where it was compiled before; load_ms,
    first_run_ms, peak_bytes, model_bytes: of a fresh process (see
    `Footprint`); delegated: share of operators that the runtime's delegate runs; computes_in: the
    precision read back from the runtime. verdict: "measured", or "failed" with the error.
    """

    model: str
    runtime: str
    dtype: str
    verdict: str = "failed"
    error: str = ""
    latency_ms: float = NAN
    low_ms: float = NAN
    high_ms: float = NAN
    cores: float = NAN
    output_error: float = NAN
    file_bytes: int = 0
    build_s: float = NAN
    load_ms: float = NAN
    first_run_ms: float = NAN
    peak_bytes: int = 0
    model_bytes: int = 0
    delegated: float | None = None
    computes_in: str | None = None
    disturbed: bool = False

    @property
    def name(self) -> str:
        """Return "openvino, int8"."""
        return f"{self.runtime}, {self.dtype}"

    @property
    def is_measured(self) -> bool:
        return self.verdict == "measured"

    def apart_from(self, other: RuntimeFacts) -> bool:
        """Whether the two intervals have no latency in common."""
        return self.high_ms < other.low_ms or other.high_ms < self.low_ms
