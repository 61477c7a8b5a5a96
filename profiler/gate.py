"""What has to be true of a session before its times are shown, for every backend alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..backends import BackendError, BackendOptions, Delegated, Executable, TellsPrecision
from ..backends.agreement import INT8_DTYPES, OutputSketch, why_wrong
from ..tables.row import Row
from ..tables.told_by_runtime import MOST_CORES_PER_THREAD

# More exact than those behind them.
_PRECISIONS = ("fp64", "fp32", "tf32", "fp16", "bf16", "int8", "int4")


@dataclass(frozen=True)
class Finding:
    """What a session showed: what is wrong with it (None: nothing), and what its runtime tells.

    effective_dtype: "" where the runtime does not say it. delegated: None without a delegate.
    """

    wrong: str | None = None
    effective_dtype: str = ""
    delegated: float | None = None


def examined(
    executable: Executable, expected: Sequence[OutputSketch] | None, options: BackendOptions
) -> Finding:
    """Return what is found of a session that has run; not for the timed window.

    `expected` are the outputs of the model in fp32; None: they are not known, and not compared.
    """
    try:
        precision = executable.effective_dtype() if isinstance(executable, TellsPrecision) else ""
        share = executable.delegated_share() if isinstance(executable, Delegated) else None
        wrong = why_too_coarse(options.dtype, precision)
        if wrong is None and expected is not None:
            wrong = why_wrong(executable.outputs(), expected, options.dtype)
    except BackendError as error:
        return Finding(str(error))
    return Finding(wrong, precision, None if share is None else round(share, 4))


def with_findings(row: Row, of_parts: Sequence[Finding]) -> Row:
    """Return a session's row with what its runtime tells: of several parts the least delegated."""
    shares = [one.delegated for one in of_parts if one.delegated is not None]
    return replace(
        row,
        effective_dtype=of_parts[0].effective_dtype,
        delegated=min(shares, default=None),
    )


def why_too_coarse(asked: str, precision: str) -> str | None:
    """Return why a runtime that computes in `told` may not stand for one in `asked`, or None.

    A more exact precision than asked for is only slower, and the row names it. In int8 a runtime
    tells what it computes the rest in.
    """
    if asked in INT8_DTYPES or precision not in _PRECISIONS or asked not in _PRECISIONS:
        return None
    if _PRECISIONS.index(precision) <= _PRECISIONS.index(asked):
        return None
    return (
        f"the runtime computes in {precision}, which is less exact than the {asked} asked for; "
        f"ask for `dtype` {precision}, or for a runtime that computes in {asked}"
    )


def why_other_precision(asked: str, precision: str) -> str | None:
    """Return what to say of rows that were computed in another precision; None for the same."""
    if not precision or precision == asked or asked in INT8_DTYPES:
        return None
    return (
        f"the runtime computes in {precision} where {asked} was asked for; the column "
        f"effective_dtype says so. Its times are those of {precision}: compare them with such."
    )


def why_more_threads(cores: float | None, threads: int, backend: str) -> str | None:
    """Return cause and remedy where more threads ran than were asked for; None where not."""
    if cores is None or cores <= threads * MOST_CORES_PER_THREAD:
        return None
    return (
        f"{cores:.2f} cores were busy where `threads` is {threads}: {backend} runs threads of its "
        "own that ignore it, and the column cores says how many. Compare such rows with "
        f"tables of {round(cores + 0.4)} threads, or keep the process on {threads} of the cores "
        f"(taskset -c {_cores(threads)})."
    )


def _cores(threads: int) -> str:
    return "0" if threads == 1 else f"0-{threads - 1}"
