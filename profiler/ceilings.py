"""What a device attains at most by a runtime: matrix products, and reading and writing memory.

The two ceilings of a roofline (Williams, Waterman and Patterson 2009), measured and not taken from
a data sheet: the best rate of large square matrix products, and that of adding two arrays that no
cache holds (the sum of STREAM, McCalpin 1995, whose counting of bytes this is: two arrays are read
and one is written).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
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
from .workshop import CannotBuildError, Workshop

# Sides of the matrices; one that takes longer than LONGEST_MS is the last.
SIDES = (512, 1024, 2048, 4096, 8192)
LONGEST_MS = 60.0
# Values of each array, 128 MiB in fp32: four times the caches of most processors.
STREAM_ROWS, STREAM_COLUMNS = 32_768, 1_024
WARM_UP, RUNS = 2, 12
# A session whose runs are long ends after this time, for another one may meet a better moment.
SESSION_S, FEWEST_RUNS = 1.0, 3
# A ceiling is the best of fresh sessions. It is believed once so many of them attained it, to
# within AGREEMENT: a machine that others share has spells in which none does.
AGREEING = 3
AGREEMENT = 0.02
# After this time it is left as it is, and `differences` says how far the next best lie below it.
LONGEST_S = 60.0
# The machine is undisturbed while its reference takes so much of its undisturbed time at most.
UNDISTURBED = 1.03
REFERENCE_RUNS = 3
# After an undisturbed round, matrices that were so far from the best are left out.
PROMISING = 0.9

# Opens a fresh session of a kernel.
Opener = Callable[[Block], Runnable]


@dataclass(frozen=True)
class Ceilings:
    """Attained rates in 10^9 MACs and bytes a second, the best of each round of sessions.

    slowdown: a reference's time over its undisturbed time, before or after the calmest round of
    products; None where it is not known. The ceilings may be too low by so much.
    """

    gmacs_per_s: Sequence[float]
    gbytes_per_s: Sequence[float]
    slowdown: float | None = None

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
        """How far below the best the third best lies, as a share: of products, and of memory."""
        return _apart(self.gmacs_per_s), _apart(self.gbytes_per_s)


def measure_ceilings(
    target: Target,
    *,
    reference: Block | None = None,
    undisturbed_ms: float | None = None,
    on_progress: OnProgress = no_progress,
    clock: Clock | None = None,
) -> Ceilings:
    """Measure both ceilings by the runtime of a target: on a quiet CPU in about fifteen seconds.

    At most LONGEST_S and one round more where the machine does other things, which a `reference`
    tells that takes `undisturbed_ms` on the undisturbed machine.

    Raises UserError where the runtime runs no kernel by itself.
    """

    def opened(kernel: Block) -> Runnable:
        if kernel not in artifacts:
            artifacts[kernel] = kernel_artifact(target.backend, target.options, [kernel])
        return target.backend.load(artifacts[kernel], target.options)

    artifacts: dict[Block, bytes] = {}
    width = {"fp16": 2, "bf16": 2, "int8": 1}.get(target.setting.dtype, 4)
    clock = clock or SystemClock()
    try:
        with ExitStack() as stack:
            slowdown = None
            if reference is not None and undisturbed_ms is not None:
                workshop = stack.enter_context(Workshop(target))
                session = stack.enter_context(workshop.fresh_session((reference,)))
                slowdown = _slowdown_by(session, undisturbed_ms, clock)
            return ceilings_by(opened, clock, width, on_progress, slowdown)
    except (BackendError, CannotBuildError) as error:
        raise UserError(
            f"the ceilings of {target.setting.device} cannot be measured by "
            f"{target.setting.backend}: {error}; omit `ceilings`."
        ) from None


def _slowdown_by(session: Runnable, undisturbed_ms: float, clock: Clock) -> Callable[[], float]:
    """Return what tells the reference's time now, over its undisturbed time."""

    def slowdown() -> float:
        found = [timed_run(session, clock).wall_ms for _ in range(REFERENCE_RUNS)]
        return min(found) / undisturbed_ms

    return slowdown


def ceilings_by(
    opened: Opener,
    clock: Clock,
    bytes_per_value: int = 4,
    on_progress: OnProgress = no_progress,
    slowdown: Callable[[], float] | None = None,
) -> Ceilings:
    """Measure both ceilings with sessions that `opened` gives, in turns.

    slowdown: tells how much slower than undisturbed the machine is now.
    """
    products: list[float] = []
    streams: list[float] = []
    slowdowns: list[float] = []
    sides: Sequence[int] = SIDES
    moved = 3 * STREAM["rows"] * STREAM["columns"] * bytes_per_value
    began = clock.wall()
    while clock.wall() - began < LONGEST_S * 1e9:
        agreeing = min(_agreeing(products), _agreeing(streams))
        on_progress("ceilings", min(agreeing, AGREEING), AGREEING, "")
        calm = slowdown is None or min(slowdowns, default=math.inf) <= UNDISTURBED
        if agreeing >= AGREEING and calm:
            break
        if _agreeing(products) < AGREEING or not calm:
            before = slowdown() if slowdown else 1.0
            rates = _product_rates(opened, clock, sides)
            slowdowns.append(max(before, slowdown() if slowdown else 1.0))
            products.append(max(rates.values()))
            if slowdowns[-1] <= UNDISTURBED:  # otherwise a slow moment may have hit the best side
                sides = [side for side in rates if rates[side] >= PROMISING * max(rates.values())]
        if _agreeing(streams) < AGREEING or not calm:
            streams.append(moved / _best_ms(opened(STREAM), clock) / 1e6)
    on_progress("ceilings", AGREEING, AGREEING, "")
    return Ceilings(products, streams, min(slowdowns) if slowdown else None)


def _agreeing(rates: Sequence[float]) -> int:
    """Return how many attain the best of them."""
    return sum(rate >= (1 - AGREEMENT) * max(rates) for rate in rates)


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


def _product_rates(opened: Opener, clock: Clock, sides: Sequence[int]) -> dict[int, float]:
    """Return 10^9 MACs a second of the products of matrices with these sides."""
    rates = {}
    for side in sides:
        kernel = product(side)
        ms = _best_ms(opened(kernel), clock)
        rates[side] = kernel.macs / ms / 1e6
        if ms > LONGEST_MS:
            break
    return rates


def _best_ms(session: Runnable, clock: Clock) -> float:
    """Return the milliseconds of the quickest run: a ceiling is what was attained once."""
    for _ in range(WARM_UP):
        timed_run(session, clock)
    began = clock.wall()
    found: list[float] = []
    while len(found) < RUNS:
        if len(found) >= FEWEST_RUNS and clock.wall() - began > SESSION_S * 1e9:
            break
        found.append(timed_run(session, clock).wall_ms)
    return min(found)


def _apart(values: Sequence[float]) -> float:
    best = sorted(values, reverse=True)[:AGREEING]
    return 1 - best[-1] / best[0]


def ceilings_from(values: object, where: str) -> Mapping[str, float | None]:
    """Read what `Ceilings` were saved as; `where` goes into the error. Raises UserError."""
    names = ("gmacs_per_s", "gbytes_per_s", "gmacs_difference", "gbytes_difference")
    found: dict[str, float | None] = {}
    for name in (*names, "slowdown"):
        value = values.get(name) if isinstance(values, Mapping) else None
        if name == "slowdown" and value is None:
            found[name] = None
            continue
        least = 0.0 if name.endswith("difference") else 1e-9
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not least <= float(value) < 1e12:  # type: ignore[arg-type]
            raise UserError(
                f"{where} has no number '{name}'; `ceilings` is what vitprof ceilings wrote, or "
                "measure."
            )
        found[name] = float(value)  # type: ignore[arg-type]
    return found
