"""From fused nodes to kernels: the op and the dims that a table prices a node by."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..models.block import Block
from ..models.ops.kernels import FUSED, OPERANDS, TRANSPOSED, function_code
from .fusion.trivial import VIEWS
from .graph import Graph, Node

YES, NO = 2, 1
# A run of values that is cheap to copy; dims go no higher than a million.
LARGEST_RUN = 1_000_000


@dataclass(frozen=True)
class Kernel:
    """A fused node: what it is priced as, and the nodes of the file it stands for.

    `block` is None for an operation that no kernel stands for; `op` is the operation's name. One
    that is `idle` computes nothing: it moves a tensor between layouts, views it under another
    shape, pads it by nothing, or takes a slice that is all of it.
    """

    op: str
    block: Block | None
    covers: tuple[str, ...]
    idle: bool = False


def kernels_of(graph: Graph, nodes: Sequence[Node]) -> list[Kernel]:
    """Return the kernel of each fused node (`fusion.fused`), in the order they run."""
    return [
        Kernel(node.op, _block_of(graph, node), node.covers, _is_idle(graph, node))
        for node in nodes
    ]


def _is_idle(graph: Graph, node: Node) -> bool:
    if node.op in {"Pad", "Slice"}:
        return graph.shape(node.inputs[0]) == graph.shape(node.output)
    return not node.covers or node.op in VIEWS


def _block_of(graph: Graph, node: Node) -> Block | None:
    make = _MAKERS.get(node.op)
    if make is not None:
        return make(graph, node)
    function = _FUNCTIONS.get(node.op)
    return None if function is None else _elementwise(graph, node, function)


def _conv(graph: Graph, node: Node) -> Block | None:
    made = graph.shape(node.output)
    if len(made) != 4:
        return _conv_of_rows(graph, node)
    attributes = node.attributes
    kernel: Sequence[int]
    if attributes.get("scales"):
        kernel, strides, dilations = (1, 1), (1, 1), (1, 1)
        in_channels = made[1]
    else:
        kernel = graph.shape(node.inputs[1])[2:]
        strides = tuple(attributes.get("strides", (1, 1)))
        dilations = tuple(attributes.get("dilations", (1, 1)))
        in_channels = graph.shape(node.inputs[0])[1]
    if strides[0] != strides[1] or dilations[0] != dilations[1]:
        return None
    return Block.of(
        "kernel_conv",
        height=made[0] * made[2],  # a batch is so many more rows of the map
        width=made[3],
        in_channels=in_channels,
        out_channels=made[1],
        kernel_height=kernel[0],
        kernel_width=kernel[1],
        stride=strides[0],
        dilation=dilations[0],
        groups=int(attributes.get("group", 1)),
        fused=_fused_code(attributes),
        added=YES if attributes.get("added") else NO,
        blocked=YES if attributes.get("blocked") else NO,
    )


def _conv_of_rows(graph: Graph, node: Node) -> Block | None:
    """A convolution over one axis is one over a map of a single row."""
    made, weights = graph.shape(node.output), graph.shape(node.inputs[1])
    if len(made) != 3 or len(weights) != 3:
        return None
    return Block.of(
        "kernel_conv",
        height=made[0],
        width=made[2],
        in_channels=graph.shape(node.inputs[0])[1],
        out_channels=made[1],
        kernel_height=1,
        kernel_width=weights[2],
        stride=int(node.attributes.get("strides", (1,))[0]),
        dilation=int(node.attributes.get("dilations", (1,))[0]),
        groups=int(node.attributes.get("group", 1)),
        fused=_fused_code(node.attributes),
        added=NO,
        blocked=NO,
    )


# Activations that cost in the same pass what another one does.
_COSTS_LIKE = {"hardswish": "hardsigmoid", "elu": "sigmoid", "softplus": "sigmoid"}


def _fused_code(attributes: Mapping[str, object]) -> int:
    name = str(attributes.get("activation", "none")).lower()
    return FUSED.index(_COSTS_LIKE.get(name, name)) + 1


def _product(graph: Graph, node: Node) -> Block | None:
    left, right = (graph.shape(name) for name in node.inputs[:2])
    swapped_left = bool(node.attributes.get("transA"))
    swapped_right = bool(node.attributes.get("transB"))
    if not left or not right:
        return None
    if len(left) == 1 or len(right) == 1:
        left, right = (left if len(left) > 1 else (1, *left)), (*right, 1)[: max(len(right), 2)]
    rows, inner = (left[-1], left[-2]) if swapped_left else (left[-2], left[-1])
    columns = right[-2] if swapped_right else right[-1]
    weights = graph.is_constant(node.inputs[1]) and len(right) == 2
    if weights and not swapped_left:
        return Block.of(
            "kernel_matmul",
            rows=math.prod(left) // inner,
            columns=columns,
            inner=inner,
            fused=_fused_code(node.attributes),
        )
    sides = ("right" if swapped_right else "none", "both" if swapped_right else "left")
    return Block.of(
        "kernel_batched_matmul",
        matrices=max(math.prod(graph.shape(node.output)) // max(rows * columns, 1), 1),
        rows=rows,
        columns=columns,
        inner=inner,
        transposed=TRANSPOSED.index(sides[int(swapped_left)]) + 1,
    )


def _layer_norm(graph: Graph, node: Node) -> Block | None:
    shape = graph.shape(node.output)
    axis = int(node.attributes.get("axis", -1)) % len(shape)
    columns = math.prod(shape[axis:])
    added = node.op == "SkipLayerNormalization"
    return Block.of(
        "kernel_layer_norm",
        rows=math.prod(shape) // columns,
        columns=columns,
        added=YES if added else NO,
    )


def _softmax(graph: Graph, node: Node) -> Block | None:
    shape = graph.shape(node.output)
    axis = int(node.attributes.get("axis", -1)) % len(shape)
    columns, inner = shape[axis], math.prod(shape[axis + 1 :])
    rows = math.prod(shape) // (columns * inner)
    swaps = 2 if sum(size > 1 for size in shape[axis + 1 :]) > 1 else 1
    return Block.of("kernel_softmax", rows=rows, columns=columns, inner=inner, swaps=swaps)


def _normalization(function: str) -> Callable[[Graph, Node], Block | None]:
    def make(graph: Graph, node: Node) -> Block | None:
        shape = graph.shape(node.output)
        if function == "batch" and len(shape) == 2:
            code = function_code("kernel_normalization", "batch_of_columns")
            return Block.of("kernel_normalization", rows=shape[1], columns=shape[0], function=code)
        rows = math.prod(shape[:2])
        return Block.of(
            "kernel_normalization",
            rows=rows,
            columns=math.prod(shape) // rows,
            function=function_code("kernel_normalization", function),
        )

    return make


def _elementwise(graph: Graph, node: Node, function: str) -> Block | None:
    shape = graph.shape(node.output)
    operand = "none"
    columns = shape[-1] if shape else 1
    given = [name for name in node.inputs if name]
    if function in _OF_TWO and len(given) > 1:
        operand, columns = _operand(shape, [graph.shape(name) for name in given[:2]])
    rows = max(math.prod(shape) // columns, 1)
    if operand in {"none", "same", "one"}:
        rows, columns = _balanced(rows * columns)
    return _of_runs(
        "kernel_elementwise",
        rows,
        columns,
        function=function_code("kernel_elementwise", function),
        operand=OPERANDS.index(operand) + 1,
    )


def _operand(shape: tuple[int, ...], sides: Sequence[tuple[int, ...]]) -> tuple[str, int]:
    """Return how the smaller side of two spreads over the result, and the columns it spreads by."""
    columns = shape[-1] if shape else 1
    full = [(1,) * (len(shape) - len(side)) + side for side in sides]
    small = min(full, key=math.prod)
    if small == shape:
        return "same", columns
    if math.prod(small) == 1:
        return "one", columns
    spread = [i for i, (a, b) in enumerate(zip(small, shape, strict=True)) if a != b]
    if not any(i > spread[-1] for i in range(len(shape)) if shape[i] > 1):
        # It spreads over the last axes: one value a row of them.
        first = len(shape)
        while first and (small[first - 1] == 1):
            first -= 1
        return "rows", math.prod(shape[first:])
    # It has the last axes whole and is repeated over others: one value a column.
    first = len(shape)
    while first and small[first - 1] == shape[first - 1]:
        first -= 1
    return "columns", math.prod(shape[first:])


def _balanced(size: int) -> tuple[int, int]:
    """Return one way of writing a number of values as rows x columns, the same for each number."""
    columns = math.gcd(size, 1 << 10)
    return size // columns, columns


def _transpose(graph: Graph, node: Node) -> Block | None:
    given = graph.shape(node.inputs[0])
    order = [int(axis) for axis in node.attributes.get("perm", reversed(range(len(given))))]
    is_quick = _moves_one_axis(order)
    sizes, order = _merged(given, order)
    if order == sorted(order):
        return _view(graph, node)
    matrices = inner = 1
    if order[0] == 0:
        matrices, sizes, order = sizes[0], sizes[1:], [axis - 1 for axis in order[1:]]
    if order[-1] == len(order) - 1:
        inner, sizes, order = sizes[-1], sizes[:-1], order[:-1]
    rows, columns = sizes[0], math.prod(sizes[1:])
    return _of_runs(
        "kernel_transpose",
        rows,
        columns,
        matrices=matrices,
        inner=inner,
        swaps=1 if is_quick and len(order) == 2 else 2,
    )


def _moves_one_axis(order: Sequence[int]) -> bool:
    """Whether all axes but one keep their order."""
    for axis in order:
        others = [one for one in order if one != axis]
        if others == sorted(others):
            return True
    return False


def _merged(shape: tuple[int, ...], order: Sequence[int]) -> tuple[list[int], list[int]]:
    """Leave axes of one value away, and make one of axes that stay neighbours."""
    kept = [axis for axis in order if shape[axis] > 1]
    groups: list[list[int]] = []
    real = sorted(kept)
    following = dict(pairwise(real))
    for axis in kept:
        if groups and following.get(groups[-1][-1]) == axis:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    by_place = sorted(groups)
    sizes = [math.prod(shape[axis] for axis in group) for group in by_place]
    return sizes or [1], [by_place.index(group) for group in groups] or [0]


def _view(graph: Graph, node: Node) -> Block | None:
    # It copies nothing, so its size does not matter.
    return Block.of("kernel_view", rows=1)


def _copy(function: str) -> Callable[[Graph, Node], Block | None]:
    def make(graph: Graph, node: Node) -> Block | None:
        outputs = [graph.shape(name) for name in node.outputs if name]
        given = [graph.shape(name) for name in node.inputs if name]
        shape = max([*outputs, *(given if function == "split" else [])], key=math.prod)
        run = _run_of(graph, node, function, shape, given, outputs)
        size = math.prod(shape)
        return _of_runs(
            "kernel_copy",
            max(size // max(run, 1), 1),
            max(run, 1),
            function=function_code("kernel_copy", function),
        )

    return make


def _run_of(
    graph: Graph,
    node: Node,
    function: str,
    shape: tuple[int, ...],
    given: Sequence[tuple[int, ...]],
    outputs: Sequence[tuple[int, ...]],
) -> int:
    """Return how many values lie together in what is copied at once."""
    rank = len(shape)
    if function in {"concat", "split"}:
        axis = int(node.attributes.get("axis", 0)) % max(rank, 1)
        parts = given if function == "concat" else outputs
        runs = [math.prod(part[axis:]) for part in parts if len(part) == rank]
        return max(sum(runs) // max(len(runs), 1), 1)
    if function == "gather":
        axis = int(node.attributes.get("axis", 0)) % len(given[0])
        return math.prod(given[0][axis + 1 :])
    source = given[0]
    first = len(shape)
    while first and len(source) == rank and shape[first - 1] == source[first - 1]:
        first -= 1
    # The axis that changes is copied in runs of the smaller side.
    changed = min(shape[first - 1], source[first - 1]) if first and len(source) == rank else 1
    return math.prod(shape[first:]) * changed


def _of_runs(op: str, rows: int, columns: int, **dims: int) -> Block:
    """Return a block of rows x columns; a longer run than a dim can be is cut into more rows."""
    while columns > LARGEST_RUN:
        rows, columns = rows * 2, -(-columns // 2)
    while rows > LARGEST_RUN:
        rows, columns = -(-rows // 2), columns * 2
    return Block.of(op, rows=rows, columns=columns, **dims)


def _pool(function: str) -> Callable[[Graph, Node], Block | None]:
    def make(graph: Graph, node: Node) -> Block | None:
        given, made = graph.shape(node.inputs[0]), graph.shape(node.output)
        if len(made) != 4:
            return None
        is_global = function.startswith("global")
        kernel = node.attributes.get("kernel_shape", (1, 1))
        strides = node.attributes.get("strides", (1, 1))
        if not is_global and kernel[0] != kernel[1] and 1 not in kernel:
            return None
        height, width = (given if is_global else made)[2:]
        return Block.of(
            "kernel_pool",
            height=made[0] * height,
            width=width,
            in_channels=made[1],
            kernel_height=1 if is_global else max(kernel),
            stride=1 if is_global else int(strides[0]),
            function=function_code("kernel_pool", function),
            blocked=YES if node.attributes.get("blocked") else NO,
        )

    return make


def _reduce(function: str) -> Callable[[Graph, Node], Block | None]:
    def make(graph: Graph, node: Node) -> Block | None:
        given = graph.shape(node.inputs[0])
        axes = _axes(graph, node, len(given))
        if not axes:
            return _view(graph, node) if not given else None
        last = max(axes)
        columns = math.prod(given[axis] for axis in axes)
        inner = math.prod(given[last + 1 :])
        rows = max(math.prod(given) // (columns * inner), 1)
        return _of_runs(
            "kernel_reduce",
            rows,
            columns,
            inner=inner,
            function=function_code("kernel_reduce", function),
        )

    return make


def _axes(graph: Graph, node: Node, rank: int) -> list[int]:
    axes = node.attributes.get("axes", node.attributes.get("axis"))
    if axes is None and len(node.inputs) > 1 and node.inputs[1]:
        value = graph.tensors[node.inputs[1]].value
        axes = None if value is None else value.reshape(-1).tolist()
    if axes is None:
        axes = range(rank)
    found = [axes] if isinstance(axes, int) else list(axes)
    return sorted({int(axis) % rank for axis in found}) if rank else []


def _resize(graph: Graph, node: Node) -> Block | None:
    given, made = graph.shape(node.inputs[0]), graph.shape(node.output)
    mode = node.attributes.get("mode", b"nearest")
    name = mode.decode() if isinstance(mode, bytes) else str(mode)
    if len(made) != 4 or name not in {"nearest", "linear", "cubic"}:
        return None
    return Block.of(
        "kernel_resize",
        height=made[0] * made[2],
        width=made[3],
        in_channels=made[1],
        stride=max(round(made[3] / given[3]), 1),
        function=function_code("kernel_resize", name),
        blocked=YES if node.attributes.get("blocked") else NO,
    )


def _reorder(function: str) -> Callable[[Graph, Node], Block | None]:
    def make(graph: Graph, node: Node) -> Block | None:
        shape = graph.shape(node.inputs[0])
        if len(shape) != 4:
            return None
        return Block.of(
            "kernel_reorder",
            height=shape[0] * shape[2],
            width=shape[3],
            in_channels=shape[1],
            function=function_code("kernel_reorder", function),
        )

    return make


_MAKERS: Mapping[str, Callable[[Graph, Node], Block | None]] = {
    "Conv": _conv,
    **dict.fromkeys(("Gemm", "FusedGemm", "MatMul", "FusedMatMul"), _product),
    **dict.fromkeys(("LayerNormalization", "SkipLayerNormalization"), _layer_norm),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _softmax),
    "BatchNormalization": _normalization("batch"),
    "InstanceNormalization": _normalization("instance"),
    "GroupNormalization": _normalization("instance"),
    "LpNormalization": _normalization("rms"),
    "RMSNormalization": _normalization("rms"),
    "Transpose": _transpose,
    **dict.fromkeys(VIEWS, _view),
    "Concat": _copy("concat"),
    "Split": _copy("split"),
    "Slice": _copy("slice"),
    **dict.fromkeys(("Gather", "GatherElements", "GatherND"), _copy("gather")),
    "Pad": _copy("pad"),
    "Expand": _copy("expand"),
    "Tile": _copy("tile"),
    "DepthToSpace": _copy("depth_to_space"),
    "SpaceToDepth": _copy("space_to_depth"),
    **dict.fromkeys(("ScatterND", "ScatterElements"), _copy("scatter")),
    "MaxPool": _pool("max"),
    "AveragePool": _pool("average"),
    "GlobalAveragePool": _pool("global_average"),
    "GlobalMaxPool": _pool("global_max"),
    "ReduceMean": _reduce("mean"),
    "ReduceSum": _reduce("sum"),
    "ReduceMax": _reduce("max"),
    "ReduceMin": _reduce("min"),
    "ReduceL2": _reduce("l2"),
    "ReduceL1": _reduce("l1"),
    "ReduceProd": _reduce("prod"),
    **dict.fromkeys(("ArgMax", "ArgMin"), _reduce("argmax")),
    "CumSum": _reduce("cumsum"),
    **dict.fromkeys(("Resize", "Upsample"), _resize),
    "ReorderInput": _reorder("to_blocks"),
    "ReorderOutput": _reorder("from_blocks"),
}
_OF_TWO = frozenset({"add", "sub", "mul", "div", "pow", "max", "min", "compare", "prelu", "where"})
_FUNCTIONS: Mapping[str, str] = {
    "Add": "add",
    "Sum": "add",
    "Sub": "sub",
    "Mul": "mul",
    "Div": "div",
    "Pow": "pow",
    "Max": "max",
    "Min": "min",
    "Relu": "relu",
    "LeakyRelu": "leakyrelu",
    "Clip": "clip",
    "Sigmoid": "sigmoid",
    "HardSigmoid": "hardsigmoid",
    "HardSwish": "hardswish",
    "Tanh": "tanh",
    "Erf": "erf",
    "Exp": "exp",
    "Log": "log",
    "Sqrt": "sqrt",
    "Reciprocal": "reciprocal",
    "Neg": "neg",
    "Abs": "abs",
    "Gelu": "gelu",
    "BiasGelu": "gelu",
    "QuickGelu": "quick_gelu",
    "Softplus": "softplus",
    "Elu": "elu",
    "Selu": "elu",
    "Celu": "elu",
    "PRelu": "prelu",
    "Cast": "cast",
    "Where": "where",
    "Sin": "sin",
    "Cos": "cos",
    "Mish": "mish",
    **dict.fromkeys(("Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"), "compare"),
    **dict.fromkeys(("And", "Or", "Not", "Xor"), "compare"),
    "Floor": "floor",
    "Ceil": "floor",
    "Round": "round",
    "Sign": "round",
}
