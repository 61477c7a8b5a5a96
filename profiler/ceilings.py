"""What a device attains at most by a runtime: matrix products, and reading and writing memory.

The two ceilings of a roofline (Williams, Waterman and Patterson 2009), measured and not taken from
a data sheet: the best rate of large square matrix products, and that of adding two arrays that no
cache holds (the sum of STREAM, McCalpin 1995, whose counting of bytes this is: two arrays are read
and one is written).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..backends import BackendError
from ..errors import UserError
from ..models import Block
from ..models.ops.kernels import OPERANDS, function_code
from ..progress import OnProgress, no_progress
from .runtime_kernels import kernel_artifact
from .sampling.clock import Clock, SystemClock
from .sampling.timed_run import Runnable, timed_run
from .target import Target

# Sides of the matrices; one that takes longer than LONGEST_MS is the last.
SIDES = (512, 1024, 2048, 4096, 8192)
LONGEST_MS = 60.0
# Values of each array, 128 MiB in fp32: four times the caches of most processors.
STREAM_ROWS, STREAM_COLUMNS = 32_768, 1_024
WARM_UP, RUNS = 2, 12
# The whole is measured so often, with fresh sessions: the ceiling is the best of all.
REPEATS = 2

# Opens a fresh session of a kernel.
Opener = Callable[[Block], Runnable]


@dataclass(frozen=True)
class Ceilings:
    """Attained rates in 10^9 MACs and bytes a second, the best of each repeat."""

    gmacs_per_s: Sequence[float]
    gbytes_per_s: Sequence[float]

    @property
    def peak(self) -> float:
        """The most MACs a second, in 10^9."""
        return max(self.gmacs_per_s)

    @property
    def bandwidth(self) -> float:
        """The most bytes a second, in 10^9."""
        return max(self.gbytes_per_s)

    @property
    def differences(self) -> tuple[float, float]:
        """How far the repeats lie apart, as shares of the best: of products, and of memory."""
        return _apart(self.gmacs_per_s), _apart(self.gbytes_per_s)


def measure_ceilings(
    target: Target, *, on_progress: OnProgress = no_progress, clock: Clock | None = None
) -> Ceilings:
    """Measure both ceilings by the runtime of a target, in about ten seconds on a CPU core.

    Raises UserError where the runtime runs no kernel by itself.
    """

    def opened(kernel: Block) -> Runnable:
        if kernel not in artifacts:
            artifacts[kernel] = kernel_artifact(target.backend, target.options, [kernel])
        return target.backend.load(artifacts[kernel], target.options)

    artifacts: dict[Block, bytes] = {}
    width = {"fp16": 2, "bf16": 2, "int8": 1}.get(target.setting.dtype, 4)
    try:
        return ceilings_by(opened, clock or SystemClock(), width, on_progress)
    except BackendError as error:
        raise UserError(
            f"the ceilings of {target.setting.device} cannot be measured by "
            f"{target.setting.backend}: {error}; leave `ceilings` away."
        ) from None


def ceilings_by(
    opened: Opener, clock: Clock, bytes_per_value: int = 4, on_progress: OnProgress = no_progress
) -> Ceilings:
    """Measure both ceilings with sessions that `opened` gives."""
    products: list[float] = []
    streams: list[float] = []
    for repeat in range(REPEATS):
        on_progress("ceilings", repeat, REPEATS, "matrix products")
        products.append(_best_product(opened, clock))
        on_progress("ceilings", repeat, REPEATS, "memory")
        best_ms = _best_ms(opened(STREAM), clock)
        moved = 3 * STREAM["rows"] * STREAM["columns"] * bytes_per_value
        streams.append(moved / best_ms / 1e6)
    on_progress("ceilings", REPEATS, REPEATS, "")
    return Ceilings(products, streams)


def product(side: int) -> Block:
    """Return the product of two square matrices."""
    return Block.of("kernel_matmul", rows=side, columns=side, inner=side, fused=1)


STREAM = Block.of(
    "kernel_elementwise",
    rows=STREAM_ROWS,
    columns=STREAM_COLUMNS,
    function=function_code("kernel_elementwise", "add"),
    operand=OPERANDS.index("same") + 1,
)


def _best_product(opened: Opener, clock: Clock) -> float:
    best = 0.0
    for side in SIDES:
        kernel = product(side)
        ms = _best_ms(opened(kernel), clock)
        best = max(best, kernel.macs / ms / 1e6)
        if ms > LONGEST_MS:
            break
    return best


def _best_ms(session: Runnable, clock: Clock) -> float:
    """Return the milliseconds of the quickest run: a ceiling is what was attained once."""
    for _ in range(WARM_UP):
        timed_run(session, clock)
    return min(timed_run(session, clock).wall_ms for _ in range(RUNS))


def _apart(values: Sequence[float]) -> float:
    return 1 - min(values) / max(values)


def ceilings_from(values: object, where: str) -> Mapping[str, float]:
    """Read what `Ceilings` were saved as; `where` goes into the error. Raises UserError."""
    names = ("gmacs_per_s", "gbytes_per_s", "gmacs_difference", "gbytes_difference")
    found: dict[str, float] = {}
    for name in names:
        value = values.get(name) if isinstance(values, Mapping) else None
        least = 0.0 if name.endswith("difference") else 1e-9
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not least <= float(value) < 1e12:  # type: ignore[arg-type]
            raise UserError(
                f"{where} has no number '{name}'; `ceilings` is what vitprof ceilings wrote, or "
                "measure."
            )
        found[name] = float(value)  # type: ignore[arg-type]
    return found
