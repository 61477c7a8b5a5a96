"""One grammar for quantities, in Python and on the command line.

| kind | examples | meaning |
|---|---|---|
| latency | `5`, `5ms`, `500us`, `0.01s` | milliseconds where no unit is given |
| target | a latency, or `0.5x` | `x`: a share of the model it starts from |
| duration | `90`, `90s`, `2m`, `1h` | seconds where no unit is given |
| share | `0.8`, `80%`, `80` | a fraction; above 1 it is per cent |
| count | `5700000`, `5.7M`, `1.3G` | k, M, G are 10^3, 10^6, 10^9 |
| memory | `64MB`, `64MiB`, `2000000` | bytes where no unit is given |
| shape | `x=1,3,224,224` | the sizes of an input, by its name |

Each function takes text or a number and raises UserError naming the value and an example.
"""

from __future__ import annotations

import math
import re

from .errors import UserError

Quantity = float | int | str

_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z%µ]*)\s*", re.ASCII)
_MICRO = {"us": 1e-3, "µs": 1e-3}
_MILLISECONDS = {"": 1.0, "ms": 1.0, "s": 1e3, **_MICRO}
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_COUNTS = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}
_BYTES = {
    "": 1.0,
    "B": 1.0,
    "kB": 1e3,
    "KB": 1e3,
    "MB": 1e6,
    "GB": 1e9,
    "KiB": 2.0**10,
    "MiB": 2.0**20,
    "GiB": 2.0**30,
}
_LONGEST_SHOWN = 60


def latency_ms(value: Quantity) -> float:
    """Return the milliseconds, above 0, that "5", "5ms", "500us" or a number mean."""
    return _positive(value, _MILLISECONDS, "a latency", "5ms, 500us or 5 (milliseconds)")


def target_of(value: Quantity) -> tuple[float, bool]:
    """Return a target's number and whether it is a share ("0.5x") instead of milliseconds."""
    if isinstance(value, str) and value.strip().endswith("x"):
        share = _positive(value.strip()[:-1], {"": 1.0}, "a target", "0.5x or 5ms", shown=value)
        return share, True
    return _positive(value, _MILLISECONDS, "a target", "0.5x or 5ms"), False


def seconds(value: Quantity) -> float:
    """Return the seconds, above 0, that "90", "90s", "2m", "1h" or a number mean."""
    return _positive(value, _SECONDS, "a time", "60s, 2m or 1h")


def share(value: Quantity) -> float:
    """Return the fraction from 0 to 1 that "0.8", "80%", "80" or a number mean."""
    number, unit = _split(value, {"": 1.0, "%": 0.01}, "a share", "0.8 or 80%")
    fraction = number * unit if unit != 1.0 or number <= 1 else number / 100
    if not 0 <= fraction <= 1:
        raise _error(value, "a share from 0 to 1", "0.8 or 80%")
    return fraction


def count(value: Quantity) -> float:
    """Return the number, above 0, that "5.7M", "1.3G", "2000" or a number mean."""
    return _positive(value, _COUNTS, "a number", "5.7M, 1.3G or 5700000")


def bytes_of(value: Quantity) -> float:
    """Return the bytes, above 0, that "64MB", "64MiB" or a number mean."""
    return _positive(value, _BYTES, "a size in memory", "64MB or 64MiB")


def _positive(
    value: Quantity, units: dict[str, float], kind: str, example: str, shown: object = None
) -> float:
    number, unit = _split(value, units, kind, example, shown)
    if not number * unit > 0:
        raise _error(shown or value, f"{kind} above 0", example)
    return number * unit


def _split(
    value: Quantity, units: dict[str, float], kind: str, example: str, shown: object = None
) -> tuple[float, float]:
    """Return the number and the factor of its unit."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number, unit = float(value), ""
    else:
        match = _NUMBER.fullmatch(value) if isinstance(value, str) else None
        if match is None or match[2] not in units:
            raise _error(shown or value, kind, example)
        number, unit = float(match[1]), match[2]
    if not math.isfinite(number):
        raise _error(shown or value, kind, example)
    return number, units[unit]


def _error(value: object, kind: str, example: str) -> UserError:
    text = repr(value)
    text = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
    return UserError(f"{text} is not {kind}; write it as {example}.")


def shape_of(value: str) -> tuple[str, tuple[int, ...]]:
    """Return the name and the sizes that "x=1,3,224,224" means; each size is from 1."""
    name, _, sizes = value.rpartition("=")
    numbers = [size.strip() for size in sizes.split(",")]
    if not name or not all(n.isascii() and n.isdigit() and 0 < int(n) < 2**31 for n in numbers):
        raise _error(value, "a shape", "x=1,3,224,224")
    return name, tuple(map(int, numbers))
