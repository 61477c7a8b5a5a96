"""Ops that a runtime runs as one kernel each, for models that no family describes.

A foreign model is a list of these (`foreign/`): what is left of its graph once a runtime has fused
what it fuses. Their dims are those of one run as the graph has them, batch included: a graph's
batch is not always an axis of its own. Where a dim is a choice it is its place in a list, from 1
(`FUNCTIONS`, `FUSED`, `OPERANDS`, `TRANSPOSED`), and yes is 2, no 1.

They are measured at scattered dims: `scattered` gives the quantities over whose logarithms an op is
interpolated, see `tables/grids/scattered.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from ...errors import UserError
from .op import Dims, Op

# What a convolution or matrix product may compute in the same pass.
FUSED = ("none", "relu", "clip", "sigmoid", "tanh", "hardsigmoid", "leakyrelu")
# The second operand of an element-wise function: none; of the same shape; one value a column; one
# a row; one in all.
OPERANDS = ("none", "same", "columns", "rows", "one")
TRANSPOSED = ("none", "right", "left", "both")
FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    "kernel_elementwise": (
        *("add", "sub", "mul", "div", "pow", "max", "min", "relu", "leakyrelu", "clip", "sigmoid"),
        *("hardsigmoid", "hardswish", "tanh", "erf", "exp", "log", "sqrt", "reciprocal", "neg"),
        *("abs", "gelu", "quick_gelu", "softplus", "elu", "prelu", "cast", "where", "sin", "cos"),
        *("mish", "compare", "floor", "round"),
    ),
    "kernel_copy": (
        *("concat", "split", "slice", "gather", "pad", "expand", "depth_to_space"),
        *("space_to_depth", "scatter", "tile"),
    ),
    "kernel_pool": ("max", "average", "global_average", "global_max"),
    "kernel_reduce": ("mean", "sum", "max", "min", "l2", "l1", "prod", "argmax", "cumsum"),
    "kernel_resize": ("nearest", "linear", "cubic"),
    "kernel_reorder": ("to_blocks", "from_blocks"),
    # The batch norm of a matrix, a channel a column, is another loop than that of maps.
    "kernel_normalization": ("batch", "instance", "rms", "batch_of_columns"),
}


def _nothing(_: Dims) -> int:
    return 0


class _Choices:
    """Checks that each dim that is a choice stands for one."""

    def __init__(self, op: str, **lists: int) -> None:
        self._most = {"function": len(FUNCTIONS[op])} if op in FUNCTIONS else {}
        self._most |= lists

    def __call__(self, dims: Dims) -> None:
        for axis, most in self._most.items():
            if dims[axis] > most:
                raise UserError(f"{axis}={dims[axis]} stands for nothing; it is 1 to {most}.")


def _conv_macs(d: Dims) -> int:
    taps = d["kernel_height"] * d["kernel_width"] * (d["in_channels"] // d["groups"])
    return d["height"] * d["width"] * d["out_channels"] * taps


def _conv_params(d: Dims) -> int:
    taps = d["kernel_height"] * d["kernel_width"] * (d["in_channels"] // d["groups"])
    return d["out_channels"] * (taps + 1)


class _CheckedConv(_Choices):
    def __call__(self, dims: Dims) -> None:
        super().__call__(dims)
        for axis in ("in_channels", "out_channels"):
            if dims[axis] % dims["groups"]:
                raise UserError(f"groups={dims['groups']} does not divide {axis}={dims[axis]}.")


def _fused_distance(d: Dims) -> float:
    """How far an activation in the same pass sets a kernel apart: little, but for exponentials."""
    quick = {"none": 1.0, "relu": 1.1, "clip": 1.5, "leakyrelu": 1.5}
    return quick.get(FUSED[d["fused"] - 1], 2.0)


# height and width are the output's; padding is as much as gives them.
CONV = Op(
    "kernel_conv",
    (
        *("height", "width", "in_channels", "out_channels", "kernel_height", "kernel_width"),
        *("stride", "dilation", "groups", "fused", "added", "blocked"),
    ),
    _conv_macs,
    _conv_params,
    lambda d: (d["in_channels"], d["height"] * d["stride"], d["width"] * d["stride"]),
    lambda d: (d["out_channels"], d["height"], d["width"]),
    fixed=("kernel_height", "kernel_width", "stride", "dilation", "blocked"),
    check=_CheckedConv("kernel_conv", fused=len(FUSED), added=2, blocked=2),
    scattered=lambda d: (
        d["height"] * d["width"],
        d["in_channels"] / d["groups"],
        d["out_channels"],
        d["out_channels"] / d["groups"],
        _fused_distance(d),
        1.2 ** (d["added"] - 1),
    ),
    # Other activations than relu are a pass of their own over the output.
    passed_again=lambda d: d["out_channels"] * d["height"] * d["width"] if d["fused"] > 2 else 0,
)
# One matrix of activations (rows x inner) and one of weights (inner x columns).
MATMUL = Op(
    "kernel_matmul",
    ("rows", "columns", "inner", "fused"),
    lambda d: d["rows"] * d["columns"] * d["inner"],
    lambda d: d["columns"] * (d["inner"] + 1),
    lambda d: (d["rows"], d["inner"]),
    lambda d: (d["rows"], d["columns"]),
    check=_Choices("kernel_matmul", fused=len(FUSED)),
    scattered=lambda d: (d["rows"], d["columns"], d["inner"], _fused_distance(d)),
)
# Products of activations with activations.
BATCHED_MATMUL = Op(
    "kernel_batched_matmul",
    ("matrices", "rows", "columns", "inner", "transposed"),
    lambda d: d["matrices"] * d["rows"] * d["columns"] * d["inner"],
    _nothing,
    lambda d: (d["matrices"], d["rows"] + d["columns"], d["inner"]),
    lambda d: (d["matrices"], d["rows"], d["columns"]),
    fixed=("transposed",),
    check=_Choices("kernel_batched_matmul", transposed=len(TRANSPOSED)),
    scattered=lambda d: (d["matrices"], d["rows"], d["columns"], d["inner"]),
)


def _rows_and_columns(d: Dims) -> tuple[int, ...]:
    return (d["rows"], d["columns"])


LAYER_NORM = Op(
    "kernel_layer_norm",
    ("rows", "columns", "added"),
    _nothing,
    lambda d: 2 * d["columns"],
    lambda d: (d["added"] * d["rows"], d["columns"]),
    _rows_and_columns,
    fixed=("added",),
    check=_Choices("kernel_layer_norm", added=2),
    scattered=_rows_and_columns,
)
# rows x columns x inner, over the columns. With `swaps` 2 several axes lie inside of these, and the
# runtime brings the columns last and back by its slow loop.
SOFTMAX = Op(
    "kernel_softmax",
    ("rows", "columns", "inner", "swaps"),
    _nothing,
    _nothing,
    lambda d: (d["rows"], d["columns"], d["inner"]),
    lambda d: (d["rows"], d["columns"], d["inner"]),
    fixed=("swaps",),
    check=_Choices("kernel_softmax", swaps=2),
    scattered=lambda d: (d["rows"] * d["inner"], d["columns"], d["inner"]),
)
NORMALIZATION = Op(
    "kernel_normalization",
    ("rows", "columns", "function"),
    _nothing,
    lambda d: 2 * d["rows"],
    _rows_and_columns,
    _rows_and_columns,
    fixed=("function",),
    check=_Choices("kernel_normalization"),
    scattered=_rows_and_columns,
)


def _operand_size(d: Dims) -> int:
    return {1: 0, 2: d["rows"] * d["columns"], 3: d["columns"], 4: d["rows"], 5: 1}[d["operand"]]


ELEMENTWISE = Op(
    "kernel_elementwise",
    ("rows", "columns", "function", "operand"),
    _nothing,
    _nothing,
    lambda d: (d["rows"] * d["columns"] + _operand_size(d),),
    _rows_and_columns,
    fixed=("function", "operand"),
    check=_Choices("kernel_elementwise", operand=len(OPERANDS)),
    scattered=lambda d: (
        (d["rows"] * d["columns"], d["columns"])
        if d["operand"] in (3, 4)
        else (d["rows"] * d["columns"], 64)
    ),
)
# `matrices` times: rows x columns swapped, of runs of `inner` values. With `swaps` 1 a single axis
# is moved past others, for which the runtime has quick loops; all else is 2, and an axis of one
# value counts.
TRANSPOSE = Op(
    "kernel_transpose",
    ("matrices", "rows", "columns", "inner", "swaps"),
    _nothing,
    _nothing,
    lambda d: (d["matrices"], d["rows"], d["columns"], d["inner"]),
    lambda d: (d["matrices"], d["columns"], d["rows"], d["inner"]),
    fixed=("swaps",),
    check=_Choices("kernel_transpose", swaps=2),
    scattered=lambda d: (
        d["matrices"] * d["rows"] * d["columns"] * d["inner"],
        d["inner"],
        d["columns"],
    ),
)
# rows runs of `columns` values each that lie together.
COPY = Op(
    "kernel_copy",
    ("rows", "columns", "function"),
    _nothing,
    _nothing,
    _rows_and_columns,
    _rows_and_columns,
    fixed=("function",),
    check=_Choices("kernel_copy"),
    scattered=lambda d: (d["rows"] * d["columns"], d["columns"]),
)
# height and width are the output's; of a global one the input's.
POOL = Op(
    "kernel_pool",
    ("height", "width", "in_channels", "kernel_height", "stride", "function", "blocked"),
    _nothing,
    _nothing,
    lambda d: (d["in_channels"], d["height"] * d["stride"], d["width"] * d["stride"]),
    lambda d: (
        (d["in_channels"], 1, 1)
        if d["function"] > 2
        else (d["in_channels"], d["height"], d["width"])
    ),
    fixed=("kernel_height", "stride", "function", "blocked"),
    check=_Choices("kernel_pool", blocked=2),
    scattered=lambda d: (d["height"] * d["width"], d["in_channels"]),
)
# rows x columns x inner, reduced over the columns.
REDUCE = Op(
    "kernel_reduce",
    ("rows", "columns", "inner", "function"),
    _nothing,
    _nothing,
    lambda d: (d["rows"], d["columns"], d["inner"]),
    lambda d: (d["rows"], d["inner"]),
    fixed=("function",),
    check=_Choices("kernel_reduce"),
    scattered=lambda d: (d["rows"] * d["columns"] * d["inner"], d["columns"], d["inner"]),
)
# height and width are the output's; the input's side is 1/stride of it.
RESIZE = Op(
    "kernel_resize",
    ("height", "width", "in_channels", "stride", "function", "blocked"),
    _nothing,
    _nothing,
    lambda d: (
        d["in_channels"],
        math.ceil(d["height"] / d["stride"]),
        math.ceil(d["width"] / d["stride"]),
    ),
    lambda d: (d["in_channels"], d["height"], d["width"]),
    fixed=("stride", "function", "blocked"),
    check=_Choices("kernel_resize", blocked=2),
    scattered=lambda d: (d["height"] * d["width"], d["in_channels"]),
)
# Between the runtime's layout of convolutions, channels in blocks, and the usual one.
REORDER = Op(
    "kernel_reorder",
    ("height", "width", "in_channels", "function"),
    _nothing,
    _nothing,
    lambda d: (d["in_channels"], d["height"], d["width"]),
    lambda d: (d["in_channels"], d["height"], d["width"]),
    fixed=("function",),
    check=_Choices("kernel_reorder"),
    scattered=lambda d: (d["height"] * d["width"], d["in_channels"]),
)
# Hands on its input under another shape: what a node costs that does nothing.
VIEW = Op(
    "kernel_view",
    ("rows",),
    _nothing,
    _nothing,
    lambda d: (d["rows"],),
    lambda d: (d["rows"],),
    scattered=lambda d: (d["rows"],),
)

KERNEL_OPS = (
    CONV,
    MATMUL,
    BATCHED_MATMUL,
    LAYER_NORM,
    SOFTMAX,
    NORMALIZATION,
    ELEMENTWISE,
    TRANSPOSE,
    COPY,
    POOL,
    REDUCE,
    RESIZE,
    REORDER,
    VIEW,
)


def function_code(op: str, function: str) -> int:
    """Return the dim that stands for a function of an op (`FUNCTIONS`)."""
    return FUNCTIONS[op].index(function) + 1


def function_name(op: str, dims: Dims) -> str:
    """Return the function that a kernel's dim stands for."""
    return FUNCTIONS[op][dims["function"] - 1]
