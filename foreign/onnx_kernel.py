"""A kernel as an ONNX model of just its node, to be measured by itself.

The node is the runtime's own (`com.microsoft`, `com.microsoft.nchwc`), as it stands in an optimised
graph, so that what is measured is what runs in a model. A quick kernel is repeated, for a call of
the runtime costs some microseconds itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..models.block import Block
from ..models.ops.kernels import FUSED, OPERANDS, TRANSPOSED, function_name
from .rules import CHANNELS_PER_BLOCK

OPSET = 18
_MICROSOFT, _BLOCKED = "com.microsoft", "com.microsoft.nchwc"
_ACTIVATIONS = {
    "relu": ("Relu", None),
    "clip": ("Clip", (0.0, 6.0)),
    "sigmoid": ("Sigmoid", None),
    "tanh": ("Tanh", None),
    "hardsigmoid": ("HardSigmoid", (0.2, 0.5)),
    "leakyrelu": ("LeakyRelu", (0.1,)),
}
Dims = Mapping[str, int]


def kernel_model(blocks: Sequence[Block], channels_per_block: int = CHANNELS_PER_BLOCK) -> bytes:
    """Return the ONNX model of kernels that each read the same inputs; of the last it has outputs.

    `blocks` are equal: one kernel, as often as it is to run.
    """
    first = blocks[0]
    make = KernelGraph(channels_per_block or CHANNELS_PER_BLOCK)
    build = BUILDERS[first.op]
    outputs: Sequence[str] = ()
    for _ in blocks:
        outputs = build(make, first.as_dict())
    return make.model(outputs)


class KernelGraph:
    """Gathers nodes, inputs and weights; equal inputs and weights are shared by all nodes."""

    domains: tuple[tuple[str, int], ...] = (("", OPSET), (_MICROSOFT, 1), (_BLOCKED, 1))

    def __init__(self, block: int) -> None:
        self.block = block
        self._nodes: list[Any] = []
        self._inputs: dict[tuple[str, tuple[int, ...]], str] = {}
        self._weights: dict[tuple[str, tuple[int, ...]], str] = {}
        self._tensors: list[Any] = []
        self._random = np.random.default_rng(0)
        self._count = 0

    def given(self, *shape: int, name: str = "x") -> str:
        """Return an input of the model."""
        return self._inputs.setdefault((name, shape), f"{name}{len(self._inputs)}")

    def weights(self, *shape: int, name: str = "w") -> str:
        """Return constant random values."""
        key = (name, shape)
        if key not in self._weights:
            self._weights[key] = self.constant(
                self._random.standard_normal(shape, dtype=np.float32) * np.float32(0.05)
            )
        return self._weights[key]

    def positive(self, *shape: int) -> str:
        """Return values above 0; this runtime keeps what works on constants, where it is told."""
        return self.constant(np.full(shape, 1.7, dtype=np.float32))

    def constant(self, value: np.ndarray) -> str:
        from onnx import numpy_helper

        name = f"c{len(self._tensors)}"
        self._tensors.append(numpy_helper.from_array(value, name))
        return name

    def numbers(self, *values: int) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def node(
        self, op: str, *inputs: str, domain: str = "", outputs: int = 1, **attributes: Any
    ) -> list[str]:
        from onnx import helper

        self._count += 1
        names = [f"y{self._count}_{n}" for n in range(outputs)]
        self._nodes.append(helper.make_node(op, list(inputs), names, domain=domain, **attributes))
        return names

    def model(self, outputs: Sequence[str]) -> bytes:
        from onnx import TensorProto, helper

        graph = helper.make_graph(
            self._nodes,
            "kernel",
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                for (_, shape), name in self._inputs.items()
            ],
            [helper.make_empty_tensor_value_info(name) for name in outputs],
            self._tensors,
        )
        made = helper.make_model(
            graph, opset_imports=[helper.make_opsetid(*one) for one in self.domains], ir_version=9
        )
        return bytes(made.SerializeToString())


def _aligned(model: KernelGraph, channels: int) -> int:
    return math.ceil(channels / model.block) * model.block


def _conv(model: KernelGraph, d: Dims) -> Sequence[str]:
    sizes, pads = [], []
    for size, taps in ((d["height"], d["kernel_height"]), (d["width"], d["kernel_width"])):
        given = size * d["stride"]
        needed = (size - 1) * d["stride"] + d["dilation"] * (taps - 1) + 1
        missing = max(needed - given, 0)
        sizes.append(max(given, needed - missing))
        pads.append((missing // 2, missing - missing // 2))
    attributes: dict[str, Any] = {
        "kernel_shape": [d["kernel_height"], d["kernel_width"]],
        "strides": [d["stride"]] * 2,
        "dilations": [d["dilation"]] * 2,
        "pads": [pads[0][0], pads[1][0], pads[0][1], pads[1][1]],
    }
    blocked, groups = d["blocked"] == 2, d["groups"]
    of_group, out = d["in_channels"] // groups, d["out_channels"]
    channels = d["in_channels"]
    if blocked:
        out = _aligned(model, out)
        if groups > 1 and of_group == 1:
            groups = channels = out
        elif groups == 1 and of_group >= model.block:
            channels = of_group = _aligned(model, of_group)
    inputs = [
        model.given(1, channels, *sizes),
        model.weights(out, of_group, d["kernel_height"], d["kernel_width"]),
        model.weights(out),
    ]
    if d["added"] == 2:
        inputs.append(model.given(1, out, d["height"], d["width"], name="z"))
    activation = FUSED[d["fused"] - 1]
    if activation != "none":
        name, parameters = _ACTIVATIONS[activation]
        attributes["activation"] = name
        if parameters:
            attributes["activation_params"] = list(parameters)
    if blocked:
        return model.node("Conv", *inputs, domain=_BLOCKED, group=groups, **attributes)
    plain = activation == "none" and d["added"] == 1
    op, domain = ("Conv", "") if plain else ("FusedConv", _MICROSOFT)
    return model.node(op, *inputs, domain=domain, group=groups, **attributes)


def _matmul(model: KernelGraph, d: Dims) -> Sequence[str]:
    inputs = (
        model.given(d["rows"], d["inner"]),
        model.weights(d["inner"], d["columns"]),
        model.weights(d["columns"]),
    )
    activation = FUSED[d["fused"] - 1]
    if activation == "none":
        return model.node("Gemm", *inputs)
    name, parameters = _ACTIVATIONS[activation]
    more: dict[str, Any] = {"activation_alpha": parameters[0]} if parameters else {}
    return model.node("FusedGemm", *inputs, domain=_MICROSOFT, activation=name, **more)


def _batched_matmul(model: KernelGraph, d: Dims) -> Sequence[str]:
    transposed = TRANSPOSED[d["transposed"] - 1]
    m, rows, columns, inner = (d[a] for a in ("matrices", "rows", "columns", "inner"))
    left = (inner, rows) if transposed in {"left", "both"} else (rows, inner)
    right = (columns, inner) if transposed in {"right", "both"} else (inner, columns)
    inputs = model.given(1, m, *left), model.given(1, m, *right, name="z")
    if transposed == "none":
        return model.node("MatMul", *inputs)
    return model.node(
        "FusedMatMul",
        *inputs,
        domain=_MICROSOFT,
        transA=int(transposed in {"left", "both"}),
        transB=int(transposed in {"right", "both"}),
    )


def _layer_norm(model: KernelGraph, d: Dims) -> Sequence[str]:
    shape = (1, d["rows"], d["columns"])
    scales = model.weights(d["columns"]), model.weights(d["columns"], name="b")
    if d["added"] == 1:
        return model.node("LayerNormalization", model.given(*shape), *scales, axis=-1)
    inputs = model.given(*shape), model.given(*shape, name="z")
    return model.node("SkipLayerNormalization", *inputs, *scales, domain=_MICROSOFT)


def _softmax(model: KernelGraph, d: Dims) -> Sequence[str]:
    if d["inner"] == 1:
        return model.node("Softmax", model.given(d["rows"], d["columns"]), axis=-1)
    inner: tuple[int, ...] = (d["inner"],)
    if d["swaps"] == 2:
        part = _divisor_near_root(d["inner"])
        inner = (part, d["inner"] // part)
    x = model.given(d["rows"], d["columns"], *inner)
    return model.node("Softmax", x, axis=1)


def _normalization(model: KernelGraph, d: Dims) -> Sequence[str]:
    function = function_name("kernel_normalization", d)
    flat = function == "batch_of_columns"
    x = model.given(d["columns"], d["rows"]) if flat else model.given(1, d["rows"], d["columns"])
    if function == "rms":
        return model.node("LpNormalization", x, axis=-1, p=2)
    scales = model.weights(d["rows"]), model.weights(d["rows"], name="b")
    if function == "instance":
        return model.node("InstanceNormalization", x, *scales)
    mean = model.weights(d["rows"], name="m")
    variance = model.constant(np.ones(d["rows"], dtype=np.float32))
    return model.node("BatchNormalization", x, *scales, mean, variance)


# Element-wise functions by the operator that computes them; others have the same name.
_OPERATORS = {
    "leakyrelu": "LeakyRelu",
    "hardsigmoid": "HardSigmoid",
    "hardswish": "HardSwish",
    "prelu": "PRelu",
    "compare": "Greater",
    "where": "Where",
    "cast": "Cast",
    "mish": "Mish",
}


_OF_POSITIVE = frozenset({"sqrt", "log", "pow"})


def _elementwise(model: KernelGraph, d: Dims) -> Sequence[str]:
    function = function_name("kernel_elementwise", d)
    rows, columns = d["rows"], d["columns"]
    x = model.given(1, rows, columns)
    if function in _OF_POSITIVE:  # of inputs below 0 these are not numbers, which take longer
        x = model.positive(1, rows, columns)
    operand = OPERANDS[d["operand"] - 1]
    if function in {"gelu", "quick_gelu"}:
        op = "Gelu" if function == "gelu" else "QuickGelu"
        more: dict[str, Any] = {"alpha": 1.0} if function == "quick_gelu" else {}
        return model.node(op, x, domain=_MICROSOFT, **more)
    if function == "cast":
        from onnx import TensorProto

        return model.node("Cast", x, to=TensorProto.INT32)
    if function == "clip":
        bounds = [model.constant(np.array(v, dtype=np.float32)) for v in (0.0, 6.0)]
        return model.node("Clip", x, *bounds)
    op = _OPERATORS.get(function, function.capitalize())
    if operand == "none":
        return model.node(op, x)
    other = {
        "same": lambda: model.given(1, rows, columns, name="z"),
        "columns": lambda: model.weights(columns),
        "rows": lambda: model.weights(1, rows, 1),
        "one": lambda: model.constant(np.array(2.0, dtype=np.float32)),
    }[operand]()
    if function == "where":
        condition = model.constant(np.zeros((1, 1, columns), dtype=bool))
        return model.node("Where", condition, x, other)
    if function == "prelu" and operand == "same":
        other = model.weights(1, rows, columns)
    return model.node(op, x, other)


def _transpose(model: KernelGraph, d: Dims) -> Sequence[str]:
    matrices, rows, columns, inner = (d[a] for a in ("matrices", "rows", "columns", "inner"))
    if d["swaps"] == 1:
        return model.node(
            "Transpose", model.given(matrices, rows, columns, inner), perm=[0, 2, 1, 3]
        )
    split = _divisor_near_root(columns)
    x = model.given(matrices, rows, split, columns // split, inner)
    return model.node("Transpose", x, perm=[0, 3, 2, 1, 4])


def _divisor_near_root(size: int) -> int:
    return next(n for n in range(math.isqrt(size), 0, -1) if size % n == 0)


def _concat(model: KernelGraph, rows: int, columns: int) -> Sequence[str]:
    half = max(rows // 2, 1)
    inputs = model.given(half, columns), model.given(half, columns, name="z")
    return model.node("Concat", *inputs, axis=1)


def _split(model: KernelGraph, rows: int, columns: int) -> Sequence[str]:
    x = model.given(max(rows // 2, 1), 2 * columns)
    return model.node("Split", x, axis=1, outputs=2, num_outputs=2)


def _slice(model: KernelGraph, rows: int, columns: int) -> Sequence[str]:
    ends = [model.numbers(n) for n in (0, columns, 1)]
    return model.node("Slice", model.given(rows, 2 * columns), *ends)


def _gather(model: KernelGraph, rows: int, columns: int) -> Sequence[str]:
    indices = model.constant(np.arange(rows, dtype=np.int64)[::-1].copy())
    return model.node("Gather", model.given(rows, columns), indices, axis=0)


def _pad(model: KernelGraph, rows: int, columns: int) -> Sequence[str]:
    pads = model.numbers(0, 0, 0, 1)
    return model.node("Pad", model.given(rows, max(columns - 1, 1)), pads)


def _expand(model: KernelGraph, rows: int, columns: int) -> Sequence[str]:
    return model.node("Expand", model.given(1, columns), model.numbers(rows, columns))


def _tile(model: KernelGraph, rows: int, columns: int) -> Sequence[str]:
    return model.node("Tile", model.given(1, columns), model.numbers(rows, 1))


def _scatter(model: KernelGraph, rows: int, columns: int) -> Sequence[str]:
    indices = model.constant(np.arange(rows, dtype=np.int64)[:, None])
    inputs = model.given(rows, columns), indices, model.given(rows, columns, name="z")
    return model.node("ScatterND", *inputs)


def _depth_to_space(model: KernelGraph, rows: int, columns: int) -> Sequence[str]:
    return model.node("DepthToSpace", model.given(1, 4, rows, columns), blocksize=2)


def _space_to_depth(model: KernelGraph, rows: int, columns: int) -> Sequence[str]:
    return model.node("SpaceToDepth", model.given(1, 1, 2 * rows, 2 * columns), blocksize=2)


_COPIES: Mapping[str, Callable[[KernelGraph, int, int], Sequence[str]]] = {
    "concat": _concat,
    "split": _split,
    "slice": _slice,
    "gather": _gather,
    "pad": _pad,
    "expand": _expand,
    "tile": _tile,
    "scatter": _scatter,
    "depth_to_space": _depth_to_space,
    "space_to_depth": _space_to_depth,
}


def _copy(model: KernelGraph, d: Dims) -> Sequence[str]:
    return _COPIES[function_name("kernel_copy", d)](model, d["rows"], d["columns"])


def _pool(model: KernelGraph, d: Dims) -> Sequence[str]:
    function = function_name("kernel_pool", d)
    blocked = d["blocked"] == 2
    channels = _aligned(model, d["in_channels"]) if blocked else d["in_channels"]
    domain = _BLOCKED if blocked else ""
    if function.startswith("global"):
        op = "GlobalAveragePool" if function == "global_average" else "GlobalMaxPool"
        return model.node(op, model.given(1, channels, d["height"], d["width"]), domain=domain)
    taps, stride = d["kernel_height"], d["stride"]
    missing = max(taps - stride, 0)
    x = model.given(1, channels, d["height"] * stride, d["width"] * stride)
    return model.node(
        "MaxPool" if function == "max" else "AveragePool",
        x,
        domain=domain,
        kernel_shape=[taps] * 2,
        strides=[stride] * 2,
        pads=[missing // 2] * 2 + [missing - missing // 2] * 2,
    )


_REDUCTIONS = {
    "mean": "ReduceMean",
    "sum": "ReduceSum",
    "max": "ReduceMax",
    "min": "ReduceMin",
    "l2": "ReduceL2",
    "l1": "ReduceL1",
    "prod": "ReduceProd",
}


def _reduce(model: KernelGraph, d: Dims) -> Sequence[str]:
    # A last axis of one value would lead to another loop.
    inner = () if d["inner"] == 1 else (d["inner"],)
    x = model.given(d["rows"], d["columns"], *inner)
    function = function_name("kernel_reduce", d)
    if function == "argmax":
        return model.node("ArgMax", x, axis=1)
    axis = model.numbers(1)
    if function == "cumsum":
        return model.node("CumSum", x, model.constant(np.array(1, dtype=np.int64)))
    return model.node(_REDUCTIONS[function], x, axis, keepdims=0)


def _resize(model: KernelGraph, d: Dims) -> Sequence[str]:
    mode = function_name("kernel_resize", d)
    stride = d["stride"]
    height, width = max(d["height"] // stride, 1), max(d["width"] // stride, 1)
    if stride == 1 and d["blocked"] == 1:
        # By a scale near 1, as 240 to 224 pixels: an equal size would be handed on.
        height, width = height + -(-height // 14), width + -(-width // 14)
    coordinates = "asymmetric" if mode == "nearest" else "half_pixel"
    if d["blocked"] == 2:
        x = model.given(1, _aligned(model, d["in_channels"]), height, width)
        return model.node(
            "Upsample",
            x,
            domain=_BLOCKED,
            scales=[1, 1, stride, stride],
            mode=mode,
            coordinate_transformation_mode=coordinates,
        )
    x = model.given(1, d["in_channels"], height, width)
    sizes = model.numbers(1, d["in_channels"], d["height"], d["width"])
    more: dict[str, Any] = {"nearest_mode": "floor"} if mode == "nearest" else {}
    return model.node(
        "Resize", x, "", "", sizes, mode=mode, coordinate_transformation_mode=coordinates, **more
    )


def _reorder(model: KernelGraph, d: Dims) -> Sequence[str]:
    channels, sizes = d["in_channels"], (d["height"], d["width"])
    if function_name("kernel_reorder", d) == "to_blocks":
        return model.node("ReorderInput", model.given(1, channels, *sizes), domain=_BLOCKED)
    x = model.given(1, _aligned(model, channels), *sizes)
    return model.node("ReorderOutput", x, domain=_BLOCKED, channels=channels)


def _view(model: KernelGraph, d: Dims) -> Sequence[str]:
    return model.node("Reshape", model.given(64), model.numbers(8, 8))


BUILDERS: Mapping[str, Callable[[KernelGraph, Dims], Sequence[str]]] = {
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
    "kernel_reorder": _reorder,
    "kernel_view": _view,
}
