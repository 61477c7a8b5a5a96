"""Which kernels to measure: those of given foreign models, or a default choice."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from ..models import Block
from ..models.families.foreign.spec import ForeignSpec
from ..models.ops.kernels import FUNCTIONS, FUSED, function_code
from .plan import guessed_ms, is_kernel

# What of a model's (guessed) time is left to interpolation between other models' kernels.
LEFT_OUT = 0.001
# Kernels of one kind whose quantities are within about 8 % of each other are measured once.
ALIKE = 0.08
# So many are measured where nothing else is asked for: about three minutes.
MOST_KERNELS = 900


def kernels_of_models(models: Sequence[ForeignSpec], points: int | None = None) -> list[Block]:
    """Return the kernels and blocks that price these models, those that matter most first.

    Near twins are left out, and what a model spends less than LEFT_OUT of its time on, but not the
    only kernel of a kind of op. At most `points` are returned (MOST_KERNELS).
    """
    weights: dict[Block, float] = {}
    for model in models:
        total = sum(count * guessed_ms(block) for block, count in model.parts)
        for block, count in model.parts:
            share = count * guessed_ms(block) / total
            weights[block] = weights.get(block, 0.0) + share
    ordered = sorted(weights, key=lambda block: -weights[block])
    chosen = _different(ordered, weights)
    most = points or MOST_KERNELS
    if len(chosen) <= most:
        return chosen
    # No op may be lost to the limit: a kernel without any of its op has no price.
    firsts = list({block.op: block for block in reversed(chosen)}.values())
    kept = set(firsts[-most:]) | set(chosen[: max(most - len(firsts), 0)])
    rest = [block for block in chosen if block not in kept]
    kept |= set(rest[: most - len(kept)])
    return [block for block in chosen if block in kept]


def _different(ordered: Iterable[Block], weights: dict[Block, float]) -> list[Block]:
    chosen: list[Block] = []
    places: dict[tuple[object, ...], list[np.ndarray]] = {}
    for block in ordered:
        if not is_kernel(block):
            chosen.append(block)
            continue
        of_kind = places.setdefault(_kind(block), [])
        place = _place(block)
        near = any(float(np.abs(one - place).max()) < ALIKE for one in of_kind)
        if near or (of_kind and weights[block] < LEFT_OUT):
            continue
        of_kind.append(place)
        chosen.append(block)
    return chosen


def _kind(block: Block) -> tuple[object, ...]:
    fixed = block.definition.fixed
    return (block.op, *(value for axis, value in block.dims if axis in fixed))


def _place(block: Block) -> np.ndarray:
    place = block.definition.scattered
    assert place is not None
    return np.log(np.array(place(block.as_dict()), dtype=float))


def further_kernels() -> list[Block]:
    """Return kernels that every table has, for they are at the edges of what models have.

    Convolutions with channels that do not fit the runtime's layout, and with each activation; and
    what moves more than a core's cache holds.
    """
    found = []
    for side, width in ((56, 38), (28, 50), (14, 90), (7, 174)):
        found += [
            _conv(side, width, 4 * width, 1, 1),
            _conv(side, 4 * width, width, 1, 1),
            *(_conv(side, width, width, taps, 1, groups=width) for taps in (3, 5)),
            _conv(side, width, width, 3, 2, groups=width),
            _conv(side, width, width, 3, 1),
        ]
    for side, width in ((112, 32), (28, 96), (7, 320)):
        for fused in FUSED[1:]:
            found.append(_conv(side, width, 3 * width, 1, 1, fused=fused))
            found.append(_conv(side, width, width, 3, 1, groups=width, fused=fused))
    found += [_conv(56, 512, 512, taps, 1, groups=512) for taps in (3, 7)]
    found += [_conv(112, width, width, 3, 1, groups=width) for width in (64, 96)]
    rows, width = 56 * 56, 512
    sizes = {"rows": rows * width // 1024, "columns": 1024}
    for function, operand in (("add", 2), ("mul", 2), ("gelu", 1), ("quick_gelu", 1), ("relu", 1)):
        code = function_code("kernel_elementwise", function)
        found.append(Block.of("kernel_elementwise", **sizes, function=code, operand=operand))
    found += [
        Block.of("kernel_reorder", height=56, width=56, in_channels=width, function=n)
        for n in (1, 2)
    ]
    for matrices, n, c, inner in (
        *((1, rows, width, 1), (1, 96, 1024, 1), (1, 196, 384, 1), (4, 256, 4, 24)),
        *((1, 196, 12, 32), (8, 49, 12, 32), (1, 49, 48, 8)),
    ):
        matrix = {"matrices": matrices, "rows": n, "columns": c, "inner": inner}
        found += [Block.of("kernel_transpose", **matrix, swaps=swaps) for swaps in (1, 2)]
    for side, channels in ((56, 64), (28, 128), (14, 256)):
        sizes = {"height": side, "width": side, "in_channels": channels, "stride": 2}
        for function in ("nearest", "linear"):
            code = function_code("kernel_resize", function)
            found += [
                Block.of("kernel_resize", **sizes, function=code, blocked=blocked)
                for blocked in (1, 2)
            ]
    for side, channels in ((32, 48), (14, 128), (7, 256)):
        found += [_conv(side, channels, 2 * channels, taps, 2, groups=channels) for taps in (3, 7)]
    found += [
        Block.of("kernel_layer_norm", rows=n, columns=c, added=added)
        for n, c in ((3136, 128), (784, 256), (196, 384))
        for added in (1, 2)
    ]
    return list(dict.fromkeys([*found, *_every_function()]))


def _every_function() -> list[Block]:
    """Return a small and a large kernel of each function of each op."""
    found = []
    of_two = {"add", "sub", "mul", "div", "pow", "max", "min", "compare", "where", "prelu"}
    for rows, columns in ((49, 1024), (784, 1024)):
        sizes = {"rows": rows, "columns": columns}
        for op in ("kernel_elementwise", "kernel_copy", "kernel_normalization", "kernel_reduce"):
            for code, function in enumerate(FUNCTIONS[op], 1):
                more = {}
                if op == "kernel_elementwise":
                    more = {"operand": 3 if function in of_two else 1}
                elif op == "kernel_reduce":
                    more = {"inner": 1}
                found.append(Block.of(op, **sizes, function=code, **more))
    for inner in (64 * 196, 128 * 784):
        sums = {"rows": 1, "columns": 2, "inner": inner}
        found.append(
            Block.of("kernel_reduce", **sums, function=function_code("kernel_reduce", "sum"))
        )
    cubic = function_code("kernel_resize", "cubic")
    for side, channels in ((56, 3), (112, 3), (224, 3), (14, 64)):
        sizes = {"height": side, "width": side, "in_channels": channels, "stride": 1}
        found.append(Block.of("kernel_resize", **sizes, function=cubic, blocked=1))
    for code, function in enumerate(FUNCTIONS["kernel_pool"], 1):
        is_global = function.startswith("global")
        for side, channels in ((7, 512), (28, 128)):
            for blocked in (1, 2):
                sizes = {"height": side, "width": side, "in_channels": channels}
                taps = {"kernel_height": 1 if is_global else 3, "stride": 1}
                found.append(
                    Block.of("kernel_pool", **sizes, **taps, function=code, blocked=blocked)
                )
    return found


def default_kernels() -> list[Block]:
    """Return kernels such as image models of 224 pixels have, for tables without a model at hand.

    Maps of 112 to 7 pixels with the channels that go with them, products of 49 to 3136 rows, and
    what moves and normalises as much.
    """
    found: list[Block] = []
    for side, widths in _STAGES.items():
        for width in widths:
            found += _convolutions(side, width)
            found += _of_tokens(side * side, width)
    found += [_conv(112, 3, out, 3, 2, fused="relu") for out in (16, 32, 64)]
    found += [_conv(56, 3, out, 7, 4) for out in (32, 64)]
    found += [_conv(14, 3, out, 16, 16) for out in (192, 384, 768)]
    found += [Block.of("kernel_matmul", rows=1, columns=1000, inner=n, fused=1) for n in _HEADS]
    found.append(Block.of("kernel_view", rows=1))
    return list(dict.fromkeys([*found, *further_kernels()]))


_STAGES = {
    112: (16, 32, 64),
    56: (24, 64, 96, 256),
    28: (48, 128, 192, 512),
    14: (96, 256, 384, 1024),
    7: (192, 512, 768, 2048),
}
_HEADS = (192, 512, 1280, 2048)


def _conv(
    side: int, given: int, out: int, taps: int, stride: int, groups: int = 1, fused: str = "none"
) -> Block:
    # Grouped ones that widen have no loop in the runtime's layout.
    blocked = (given % 4 == 0 or given == 3) and not (groups > 1 and out != groups)
    return Block.of(
        "kernel_conv",
        height=side,
        width=side,
        in_channels=given,
        out_channels=out,
        kernel_height=taps,
        kernel_width=taps,
        stride=stride,
        dilation=1,
        groups=groups,
        fused=FUSED.index(fused) + 1,
        added=1,
        blocked=2 if blocked else 1,
    )


def _convolutions(side: int, width: int) -> list[Block]:
    found = [
        _conv(side, width, width, 1, 1),
        _conv(side, width, min(4 * width, 2048), 1, 1, fused="relu"),
        _conv(side, max(width // 2, 8), width, 3, 2),
        *(_conv(side, width, width, taps, 1, groups=width) for taps in (3, 5, 7)),
        _conv(side, width, width, 3, 2, groups=width),
    ]
    if width <= 512:
        found += [_conv(side, width, width, 3, 1, fused=fused) for fused in ("none", "relu")]
    dims = {"height": side, "width": side, "in_channels": width}
    found += [
        Block.of("kernel_reorder", **dims, function=n)
        for n in range(1, 1 + len(FUNCTIONS["kernel_reorder"]))
    ]
    for function in ("max", "average", "global_average"):
        is_global = function.startswith("global")
        found.append(
            Block.of(
                "kernel_pool",
                **dims,
                kernel_height=1 if is_global else 3,
                stride=1 if is_global else 2,
                function=function_code("kernel_pool", function),
                blocked=2 if width % 16 == 0 else 1,
            )
        )
    for function in ("nearest", "linear"):
        code = function_code("kernel_resize", function)
        found.append(Block.of("kernel_resize", **dims, stride=2, function=code, blocked=1))
    return found


def _of_tokens(rows: int, width: int) -> list[Block]:
    heads = max(width // 32, 1)
    keys = min(rows, 196)
    found = [
        Block.of("kernel_matmul", rows=rows, columns=columns, inner=inner, fused=1)
        for columns, inner in ((width, width), (4 * width, width), (width, 4 * width))
        if columns * inner <= 2048 * 4096
    ]
    for transposed, columns, inner in ((1, 32, keys), (2, keys, 32), (3, keys, 32)):
        found.append(
            Block.of(
                "kernel_batched_matmul",
                matrices=heads,
                rows=min(rows, 784),
                columns=columns,
                inner=inner,
                transposed=transposed,
            )
        )
    found += [
        Block.of("kernel_layer_norm", rows=rows, columns=width, added=added) for added in (1, 2)
    ]
    softmax = {"rows": heads * min(rows, 784), "columns": keys}
    found.append(Block.of("kernel_softmax", **softmax, inner=1, swaps=1))
    found.append(Block.of("kernel_softmax", rows=heads, columns=keys, inner=32, swaps=1))
    size = rows * width
    columns = math.gcd(size, 1024)
    balanced = {"rows": size // columns, "columns": columns}
    for function, operand in (
        *(("add", 2), ("mul", 2), ("sub", 2), ("div", 2), ("mul", 5), ("add", 5)),
        *(("gelu", 1), ("quick_gelu", 1), ("relu", 1), ("sigmoid", 1), ("hardsigmoid", 1)),
        *(("clip", 1), ("erf", 1), ("tanh", 1), ("sqrt", 1)),
    ):
        code = function_code("kernel_elementwise", function)
        found.append(Block.of("kernel_elementwise", **balanced, function=code, operand=operand))
    for function in ("add", "mul"):
        code = function_code("kernel_elementwise", function)
        for operand, dims in (
            (3, {"rows": rows, "columns": width}),
            (4, {"rows": width, "columns": rows}),
        ):
            found.append(Block.of("kernel_elementwise", **dims, function=code, operand=operand))
    for inner, swaps in ((1, 1), (32, 1), (32, 2)):
        found.append(
            Block.of(
                "kernel_transpose",
                matrices=1,
                rows=rows,
                columns=max(width // inner, 1),
                inner=inner,
                swaps=swaps,
            )
        )
    for function in ("concat", "split", "slice", "gather", "pad"):
        code = function_code("kernel_copy", function)
        for run in (width, size):
            found.append(
                Block.of("kernel_copy", rows=max(size // run, 2), columns=run, function=code)
            )
    mean = function_code("kernel_reduce", "mean")
    for dims in (
        {"rows": 1, "columns": rows, "inner": width},
        {"rows": width, "columns": rows, "inner": 1},
    ):
        found.append(Block.of("kernel_reduce", **dims, function=mean))
    found.append(Block.of("kernel_normalization", rows=width, columns=rows, function=1))
    return found
