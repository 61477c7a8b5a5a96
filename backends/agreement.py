"""Whether a runtime computes what the torch module does: how far its outputs are from it.

The measure is the relative L2 error |y - x| / |x| of the outputs y against the fp32 outputs x of
the module. It sums over all values, so one large value cannot hide the others, and rounding errors
of a low precision average out instead of adding up to the worst of thousands.

It is taken from a sketch of SUMS numbers (an AMS sketch; Alon, Matias, Szegedy 1996): value i is
added with a random sign to sum i modulo SUMS. The sketch of a difference is the difference of the
sketches, and its squared length is on average that of the difference. So outputs can be compared
where neither torch nor the module is: a bundle carries the sketch.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SUMS = 64
# Of relative L2 errors, by what was asked for. ONNX Runtime and PyTorch reach at most a third of
# these (docs/measuring.md); a missing layer, exchanged axes or a wrong sign are off by 0.7 to 2.
TOLERANCE = {"fp32": 1e-3, "fp16": 0.02, "bf16": 0.1, "int8": 0.25, "int8-static": 0.5}
INT8_DTYPES = ("int8", "int8-static")
_SEED = 0


@dataclass(frozen=True)
class OutputSketch:
    """The outputs of the first image of a batch: their shape, and SUMS signed sums of them."""

    shape: tuple[int, ...]
    sums: tuple[float, ...]

    @classmethod
    def of(cls, output: np.ndarray) -> OutputSketch:
        """Return the sketch of an output of shape (batch, ...); NaN where it has such values."""
        import numpy as np

        first = np.asarray(output[:1] if output.ndim else output, dtype=np.float64)
        flat = np.zeros(-(-first.size // SUMS) * SUMS)
        flat[: first.size] = first.ravel()
        flat *= _signs(flat.size)
        return cls(first.shape, tuple(flat.reshape(-1, SUMS).sum(axis=0).tolist()))

    def error_of(self, output: np.ndarray) -> float:
        """Return the relative L2 error of an output, whose sketch this should be.

        Infinite for an output of another shape, and for one with values that are not finite.
        """
        other = OutputSketch.of(output)
        if other.shape != self.shape or not all(map(math.isfinite, other.sums)):
            return math.inf
        size = math.hypot(*self.sums)
        return math.dist(other.sums, self.sums) / (size if size > 0 else 1.0)


def relative_error(outputs: Sequence[np.ndarray], exact: Sequence[np.ndarray]) -> float:
    """Return |y - x| / |x| over all values of all outputs, exactly: nothing is sketched.

    Infinite where shapes differ or an output is not finite.
    """
    import numpy as np

    if [one.shape for one in outputs] != [one.shape for one in exact]:
        return math.inf
    of = [np.asarray(one, np.float64) for one in exact]
    off = sum(float(np.square(y - x).sum()) for y, x in zip(outputs, of, strict=True))
    size = sum(float(np.square(x).sum()) for x in of)
    if not math.isfinite(off) or not size:
        return 0.0 if not off else math.inf
    return math.sqrt(off / size)


def sketches(outputs: Sequence[np.ndarray]) -> tuple[OutputSketch, ...]:
    """Return the sketches of those outputs that are numbers, not indices or flags."""
    return tuple(OutputSketch.of(output) for output in outputs if output.dtype.kind not in "iub")


def why_wrong(
    outputs: Sequence[np.ndarray], expected: Sequence[OutputSketch], dtype: str
) -> str | None:
    """Return how far outputs in `dtype` are from what is expected; None where it is near enough.

    `expected` are the sketches of the model's outputs in fp32.
    """
    outputs = [output for output in outputs if output.dtype.kind not in "iub"]
    if len(outputs) != len(expected):
        return f"it gives {len(outputs)} outputs and the model has {len(expected)}"
    for output, one in zip(outputs, expected, strict=True):
        given = tuple(output[:1].shape) if output.ndim else ()
        if given != one.shape:
            return f"its outputs have the shape {given} and the model's {one.shape}, for one image"
        error, most = one.error_of(output), TOLERANCE[dtype]
        if math.isinf(error):
            return "its outputs are not finite numbers"
        if error > most:
            return (
                f"its outputs are wrong: they are {error:.2g} of their size from those of PyTorch "
                f"in fp32, and {dtype} may be {most:g}"
            )
    return None


@lru_cache(maxsize=4)
def _signs(count: int) -> np.ndarray:
    """Return `count` signs, the same on every machine."""
    import numpy as np

    drawn = random.Random(_SEED).randbytes(-(-count // 8))  # noqa: S311 - no secret
    bits = np.unpackbits(np.frombuffer(drawn, np.uint8), count=count)
    return np.where(bits, 1.0, -1.0)
