"""Once-for-All's block latencies: YAML, key -> {count, mean, std}.

The file states no unit, but its tool does: nets are named by the sums of such a table in
milliseconds.
"""

from __future__ import annotations

import re
from pathlib import Path

from ...errors import UserError
from ...models import Block
from .entries import Entries
from .strict_files import latency, read_yaml

_N = r"([1-9][0-9]{0,5})"
_ENDS = rf"input:{_N}x\1x{_N}-output:{_N}x\3x{_N}"
_BLOCK = re.compile(
    rf"expanded_conv-{_ENDS}-expand:{_N}-kernel:{_N}-stride:{_N}-idskip:([01])-se:([01])-hs:([01])",
    re.ASCII,
)
_CONV = re.compile(rf"Conv(?:_([12]))?-input:{_N}x\2x{_N}-output:{_N}x\4x{_N}", re.ASCII)
_POOL = re.compile(rf"AvgPool2D-{_ENDS}", re.ASCII)
_LOGITS = re.compile(rf"Logits-input:1x1x{_N}-output:{_N}", re.ASCII)
_FIELDS = {"count", "mean", "std"}


def read(path: Path, tokens: int) -> Entries:
    """Return the file's blocks: the mean of each."""
    found = Entries("Once-for-All", "ms")
    for key, value in read_yaml(path).items():
        where = f"{path}: '{str(key)[:80]}'"
        if not isinstance(value, dict) or "mean" not in value:
            raise UserError(f"{where} has no mean; an entry is {{count, mean, std}}.")
        found.unknown += [f"{key}: {name}" for name in value if name not in _FIELDS]
        mean = latency(value["mean"], f"{where}: mean")
        block = _block(str(key))
        if block is None:
            found.unknown.append(str(key))
        else:
            found.add(block, mean, where)
    return found


def _block(key: str) -> Block | None:
    if match := _BLOCK.fullmatch(key):
        side, inner, out, outer, expanded, kernel, stride, *flags = map(int, match.groups())
        skip, se, swish = (1 + flag for flag in flags)
        return Block.of(
            "ofa_block",
            resolution=side,
            in_channels=inner,
            out_channels=outer,
            out_resolution=out,
            expanded=expanded,
            kernel=kernel,
            stride=stride,
            skip=skip,
            squeeze_excite=se,
            hard_swish=swish,
        )
    if match := _CONV.fullmatch(key):
        at, *sizes = match.groups()
        side, inner, out, outer = map(int, sizes)
        return Block.of(
            "ofa_conv",
            resolution=side,
            in_channels=inner,
            out_channels=outer,
            out_resolution=out,
            place=1 + int(at or 0),
        )
    if match := _POOL.fullmatch(key):
        side, inner, out, outer = map(int, match.groups())
        return Block.of(
            "ofa_pool", resolution=side, in_channels=inner, out_channels=outer, out_resolution=out
        )
    if match := _LOGITS.fullmatch(key):
        return Block.of("ofa_logits", in_channels=int(match[1]), classes=int(match[2]))
    return None
