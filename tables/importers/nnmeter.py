"""nn-Meter's blocks of hybrid vision transformers: flat JSON, key -> latency.

The keys name sizes by place and the file does not say what each is; the names given here are our
reading of it (branch dev/hybrid-transformer): transattn_<resolution>_<embed>_<act>_<expansion>_ln,
transffn_<resolution>_<embed>_<expansion>_<act>_ln, transds_<resolution>_<in>_<out>_<stride>_
<expansion>, conv_<resolution>_<in>_<out>_<expansion>_<stride>_<act>_<kernel>_<se|nose>,
firstconv_<resolution>_<in>_<out>_<stride>_<kernel>, mbpool_<resolution>_<in>_<out>_<expansion>_
<act>. Heads and their widths are not in the file, so these stay ops of their own. Nor
is the unit.
"""

from __future__ import annotations

import re
from pathlib import Path

from ...models import Block
from .entries import Entries
from .strict_files import latency, read_json

_N = r"([1-9][0-9]{0,5})"
_ACT = "hard_swish"
_KEYS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        rf"transattn_{_N}_{_N}_{_ACT}_{_N}_ln",
        "nnmeter_transattn",
        ("resolution", "embed", "expansion"),
    ),
    (
        rf"transffn_{_N}_{_N}_{_N}_{_ACT}_ln",
        "nnmeter_transffn",
        ("resolution", "embed", "expansion"),
    ),
    (
        rf"transds_{_N}_{_N}_{_N}_{_N}_{_N}",
        "nnmeter_transds",
        ("resolution", "in_channels", "out_channels", "stride", "expansion"),
    ),
    (
        rf"conv_{_N}_{_N}_{_N}_{_N}_{_N}_{_ACT}_{_N}_(se|nose)",
        "nnmeter_conv",
        (
            "resolution",
            "in_channels",
            "out_channels",
            "expansion",
            "stride",
            "kernel",
            "squeeze_excite",
        ),
    ),
    (
        rf"firstconv_{_N}_{_N}_{_N}_{_N}_{_N}",
        "nnmeter_firstconv",
        ("resolution", "in_channels", "out_channels", "stride", "kernel"),
    ),
    (
        rf"mbpool_{_N}_{_N}_{_N}_{_N}_{_ACT}",
        "nnmeter_mbpool",
        ("resolution", "in_channels", "out_channels", "expansion"),
    ),
)
_FLAGS = {"nose": 1, "se": 2}


def read(path: Path, tokens: int) -> Entries:
    """Return the file's blocks; see the module for what the keys are taken to mean."""
    found = Entries("nn-Meter", None)
    for key, value in read_json(path).items():
        taken = latency(value, f"{path}: the latency of '{key[:80]}'")
        block = _block(key)
        if block is None:
            found.unknown.append(key)
        else:
            found.add(block, taken, f"{path}: '{key[:80]}'")
    return found


def _block(key: str) -> Block | None:
    for pattern, op, axes in _KEYS:
        match = re.fullmatch(pattern, key, re.ASCII)
        if match:
            values = [_FLAGS[g] if g in _FLAGS else int(g) for g in match.groups()]
            return Block.of(op, **dict(zip(axes, values, strict=True)))
    return None
