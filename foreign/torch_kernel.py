"""A kernel as a torch module, for PyTorch run op by op: each operation is a kernel of its own.

Other operands than the first are buffers, and a repeated kernel gives every result: what nobody
reads would not be exported.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UserError
from ..models.block import Block
from ..models.ops.kernel_words import kernel_in_words
from ..models.ops.kernels import OPERANDS, TRANSPOSED, function_name
from .plain_kernel import why_not_plain

Dims = Mapping[str, int]
Shape = tuple[int, ...]
Function = Callable[..., Tensor]


def kernel_module(blocks: Sequence[Block]) -> tuple[nn.Module, Shape]:
    """Return the module of equal kernels and its input's shape, batch included.

    Raises UserError for what PyTorch has not, in one sentence: a fused operation, another runtime's
    layout, and functions that it has no operation for.
    """
    first = blocks[0]
    if reason := why_not_torch(first):
        raise UserError(reason)
    dims = first.as_dict()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        kernel, shape = _BUILDERS[first.op](dims)
    return _Repeated(kernel, len(blocks)).eval(), shape


def why_not_torch(block: Block) -> str | None:
    """Return why PyTorch, op by op, runs no such kernel; None where it does."""
    dims = block.as_dict()
    words = kernel_in_words(block.op, dims)
    if reason := why_not_plain(block):
        return reason
    if dims.get("fused", 1) > 1 or (dims.get("added", 1) > 1):
        return f"{words} is several operations in PyTorch"
    if block.op in {"kernel_elementwise", "kernel_copy"}:
        known = _FUNCTIONS if block.op == "kernel_elementwise" else _COPIES
        if function_name(block.op, dims) not in known:
            return f"{words} is not an operation of its own in PyTorch"
    return None


class _Repeated(nn.Module):
    def __init__(self, kernel: nn.Module, repeats: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.repeats = repeats

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.kernel(x) for _ in range(self.repeats))


class _Of(nn.Module):
    """A function of the input and of random buffers."""

    def __init__(self, function: Function, *shapes: Shape) -> None:
        super().__init__()
        self.function = function
        for number, shape in enumerate(shapes):
            self.register_buffer(f"given{number}", torch.randn(shape))
        self.count = len(shapes)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *(getattr(self, f"given{n}") for n in range(self.count)))


def _conv(d: Dims) -> tuple[nn.Module, Shape]:
    taps, spread = (d["kernel_height"], d["kernel_width"]), d["dilation"]
    pads = [((one - 1) * spread) // 2 for one in taps]
    sizes = [
        max((size - 1) * d["stride"] + spread * (one - 1) + 1 - 2 * pad, 1)
        for size, one, pad in zip((d["height"], d["width"]), taps, pads, strict=True)
    ]
    conv = nn.Conv2d(
        d["in_channels"],
        d["out_channels"],
        taps,
        d["stride"],
        (pads[0], pads[1]),
        spread,
        d["groups"],
    )
    return conv, (1, d["in_channels"], *sizes)


def _matmul(d: Dims) -> tuple[nn.Module, Shape]:
    return nn.Linear(d["inner"], d["columns"]), (1, d["rows"], d["inner"])


def _batched_matmul(d: Dims) -> tuple[nn.Module, Shape]:
    m, rows, columns, inner = (d[a] for a in ("matrices", "rows", "columns", "inner"))
    swapped = TRANSPOSED[d["transposed"] - 1]
    left = (inner, rows) if swapped in {"left", "both"} else (rows, inner)
    right = (columns, inner) if swapped in {"right", "both"} else (inner, columns)

    def product(x: Tensor, z: Tensor) -> Tensor:
        x = x.transpose(-1, -2) if swapped in {"left", "both"} else x
        z = z.transpose(-1, -2) if swapped in {"right", "both"} else z
        return x @ z

    return _Of(product, (1, m, *right)), (1, m, *left)


def _layer_norm(d: Dims) -> tuple[nn.Module, Shape]:
    return nn.LayerNorm(d["columns"]), (1, d["rows"], d["columns"])


def _softmax(d: Dims) -> tuple[nn.Module, Shape]:
    return nn.Softmax(dim=1), (d["rows"], d["columns"], d["inner"])


def _normalization(d: Dims) -> tuple[nn.Module, Shape]:
    function, rows, columns = function_name("kernel_normalization", d), d["rows"], d["columns"]
    if function == "batch_of_columns":
        return nn.BatchNorm1d(rows), (columns, rows)
    if function == "batch":
        return nn.BatchNorm1d(rows), (1, rows, columns)
    if function == "instance":
        return nn.InstanceNorm1d(rows, affine=True), (1, rows, columns)
    return _Of(lambda x: F.normalize(x, dim=-1)), (1, rows, columns)


_FUNCTIONS: Mapping[str, Function] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "pow": lambda x, z: torch.pow(x, 2.0),
    "max": torch.maximum,
    "min": torch.minimum,
    "relu": torch.relu,
    "leakyrelu": F.leaky_relu,
    "clip": lambda x: torch.clamp(x, 0.0, 6.0),
    "sigmoid": torch.sigmoid,
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "tanh": torch.tanh,
    "erf": torch.erf,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "reciprocal": torch.reciprocal,
    "neg": torch.neg,
    "abs": torch.abs,
    "gelu": F.gelu,
    "quick_gelu": F.silu,
    "softplus": F.softplus,
    "elu": F.elu,
    "prelu": lambda x, z: F.prelu(x, z.flatten()),
    "cast": lambda x: x.to(torch.int32),
    "where": lambda x, z: torch.where(x > 0, x, z),
    "sin": torch.sin,
    "cos": torch.cos,
    "mish": F.mish,
    "compare": torch.gt,
    "floor": torch.floor,
    "round": torch.round,
}


def _elementwise(d: Dims) -> tuple[nn.Module, Shape]:
    function = _FUNCTIONS[function_name("kernel_elementwise", d)]
    rows, columns = d["rows"], d["columns"]
    others: Mapping[str, list[Shape]] = {
        "none": [],
        "same": [(1, rows, columns)],
        "columns": [(columns,)],
        "rows": [(1, rows, 1)],
        "one": [(1,)],
    }
    return _Of(function, *others[OPERANDS[d["operand"] - 1]]), (1, rows, columns)


def _transpose(d: Dims) -> tuple[nn.Module, Shape]:
    shape = (d["matrices"], d["rows"], d["columns"], d["inner"])
    return _Of(lambda x: x.transpose(1, 2).contiguous()), shape


_COPIES: Mapping[str, tuple[Function, Callable[[int, int], tuple[Shape, list[Shape]]]]] = {
    "concat": (
        lambda x, z: torch.cat([x, z], dim=1),
        lambda r, c: ((max(r // 2, 1), c), [(max(r // 2, 1), c)]),
    ),
    "split": (
        lambda x: x[:, : x.shape[1] // 2].contiguous(),
        lambda r, c: ((r, 2 * c), []),
    ),
    "slice": (lambda x: x[:, : x.shape[1] // 2].contiguous(), lambda r, c: ((r, 2 * c), [])),
    "gather": (
        lambda x: x.index_select(0, torch.arange(x.shape[0])),
        lambda r, c: ((r, c), []),
    ),
    "pad": (lambda x: F.pad(x, (0, 1)), lambda r, c: ((r, max(c - 1, 1)), [])),
    "tile": (lambda x: x.repeat(2, 1), lambda r, c: ((max(r // 2, 1), c), [])),
    "expand": (lambda x: x.repeat(2, 1), lambda r, c: ((max(r // 2, 1), c), [])),
    "scatter": (
        lambda x, z: x.index_copy(0, torch.arange(x.shape[0]), z),
        lambda r, c: ((r, c), [(r, c)]),
    ),
    "depth_to_space": (lambda x: F.pixel_shuffle(x, 2), lambda r, c: ((1, 4, r, c), [])),
    "space_to_depth": (
        lambda x: F.pixel_unshuffle(x, 2),
        lambda r, c: ((1, 1, 2 * r, 2 * c), []),
    ),
}


def _copy(d: Dims) -> tuple[nn.Module, Shape]:
    function, shapes = _COPIES[function_name("kernel_copy", d)]
    shape, others = shapes(d["rows"], d["columns"])
    return _Of(function, *others), shape


def _pool(d: Dims) -> tuple[nn.Module, Shape]:
    function, size = function_name("kernel_pool", d), (d["height"], d["width"])
    if function.startswith("global"):
        is_mean = function == "global_average"
        pool = nn.AdaptiveAvgPool2d(1) if is_mean else nn.AdaptiveMaxPool2d(1)
        return pool, (1, d["in_channels"], *size)
    taps, stride = d["kernel_height"], d["stride"]
    pad = taps // 2 if taps > stride else 0
    sizes = [max((one - 1) * stride + taps - 2 * pad, 1) for one in size]
    kind = nn.MaxPool2d if function == "max" else nn.AvgPool2d
    return kind(taps, stride, pad), (1, d["in_channels"], *sizes)


_REDUCTIONS: Mapping[str, Function] = {
    "mean": lambda x: x.mean(1),
    "sum": lambda x: x.sum(1),
    "max": lambda x: x.amax(1),
    "min": lambda x: x.amin(1),
    "l2": lambda x: torch.linalg.vector_norm(x, dim=1),
    "l1": lambda x: torch.linalg.vector_norm(x, ord=1, dim=1),
    "prod": lambda x: x.prod(1),
    "argmax": lambda x: x.argmax(1),
    "cumsum": lambda x: x.cumsum(1),
}


def _reduce(d: Dims) -> tuple[nn.Module, Shape]:
    shape = (d["rows"], d["columns"], d["inner"])
    return _Of(_REDUCTIONS[function_name("kernel_reduce", d)]), shape


def _resize(d: Dims) -> tuple[nn.Module, Shape]:
    mode, stride = function_name("kernel_resize", d), d["stride"]
    kinds = {"nearest": "nearest", "linear": "bilinear", "cubic": "bicubic"}
    sizes = [max(d[axis] // stride, 1) for axis in ("height", "width")]
    if stride == 1:
        sizes = [size + math.ceil(size / 14) for size in sizes]
    size = (d["height"], d["width"])
    resize: Function = lambda x: F.interpolate(x, size=size, mode=kinds[mode])  # noqa: E731
    return _Of(resize), (1, d["in_channels"], *sizes)


def _view(d: Dims) -> tuple[nn.Module, Shape]:
    return _Of(lambda x: x.reshape(8, 8)), (64,)


_BUILDERS: Mapping[str, Callable[[Dims], tuple[nn.Module, Shape]]] = {
    "kernel_conv": _conv,
    "kernel_matmul": _matmul,
    "kernel_batched_matmul": _batched_matmul,
    "kernel_layer_norm": _layer_norm,
    "kernel_softmax": _softmax,
    "kernel_normalization": _normalization,
    "kernel_elementwise": _elementwise,
    "kernel_transpose": _transpose,
    "kernel_copy": _copy,
    "kernel_pool": _pool,
    "kernel_reduce": _reduce,
    "kernel_resize": _resize,
    "kernel_view": _view,
}
