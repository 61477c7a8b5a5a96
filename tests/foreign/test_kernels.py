"""Fused nodes as kernels: their work, and that each can be measured by itself."""

from __future__ import annotations

import numpy as np
import pytest
from small_onnx.small_graphs import Small
from vitprof.backends import BackendOptions, OnnxRuntimeBackend, onnx_from_module
from vitprof.backends.protocol import BackendError
from vitprof.foreign.fusion import fused
from vitprof.foreign.graph import Graph, Node, Tensor
from vitprof.foreign.kernels import kernels_of
from vitprof.foreign.onnx_file import onnx_from_bytes
from vitprof.foreign.onnx_kernel import kernel_model
from vitprof.foreign.rules import Rules
from vitprof.foreign.shapes import graph_of
from vitprof.models import Block, create_model, create_spec
from vitprof.models.ops.kernel_words import kernel_in_words
from vitprof.models.ops.kernels import FUNCTIONS, function_code
from vitprof.profiler.kernel_plan import default_kernels


def blocks_of(model: bytes) -> list[Block]:
    graph = graph_of(onnx_from_bytes(model, "model"))
    kernels = kernels_of(graph, fused(graph, Rules()))
    assert all(kernel.block is not None for kernel in kernels)
    return [kernel.block for kernel in kernels if kernel.block is not None]


@pytest.mark.parametrize("name", ["vit-micro-8", "efficientvit-m0", "autovit-xxs", "bert-tiny"])
@pytest.mark.few("vit*", "bert*", "efficientvit*")
def test_kernels_have_the_macs_of_the_model(name: str) -> None:
    spec = create_spec(name)
    model = onnx_from_module(create_model(spec), (1, *spec.blocks()[0].input_shape))
    macs = sum(block.macs for block in blocks_of(model))
    # Batch norms that the runtime turns into a convolution of one tap add a little.
    assert spec.macs <= macs <= 1.001 * spec.macs


def test_every_node_of_the_file_is_covered_once() -> None:
    g = Small(1, 32, 14, 14)
    y = g.conv("x", 32, 32)
    z = g.op("Relu", g.op("Add", g.conv(y, 32, 32, 3), y))
    graph = graph_of(onnx_from_bytes(g.model(z), "model"))
    names = [name for node in graph.nodes for name in node.covers]
    covered = [
        name for kernel in kernels_of(graph, fused(graph, Rules())) for name in kernel.covers
    ]
    assert sorted(covered) == sorted(names)


def dims_of(kind: str, *shapes: tuple[int, ...], **attributes: object) -> dict[str, int]:
    """Return the dims of one node; the last shape is the output's."""
    names = [f"t{n}" for n in range(len(shapes))]
    tensors = {name: Tensor(name, shape) for name, shape in zip(names, shapes, strict=True)}
    node = Node(kind, tuple(names[:-1]), (names[-1],), attributes, (kind,))
    (kernel,) = kernels_of(Graph([node], tensors, names[:-1], names[-1:]), [node])
    assert kernel.block is not None
    return dict(kernel.block.as_dict())


@pytest.mark.parametrize(
    ("shape", "order", "expected"),
    [
        ((1, 197, 3, 64), (0, 2, 1, 3), (1, 197, 3, 64, 1)),
        ((1, 197, 3, 64), (0, 2, 3, 1), (1, 197, 192, 1, 1)),
        ((8, 49, 32), (0, 2, 1), (8, 49, 32, 1, 1)),
        ((1, 2, 7, 2, 7, 96), (0, 1, 3, 2, 4, 5), (2, 7, 2, 672, 1)),
        ((2, 3, 4), (2, 1, 0), (1, 2, 12, 1, 2)),
        # An axis of one value moves too: no quick loop.
        ((1, 197, 1, 3, 64), (2, 0, 3, 4, 1), (1, 197, 192, 1, 2)),
    ],
)
def test_transposes(
    shape: tuple[int, ...], order: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    made = tuple(shape[axis] for axis in order)
    dims = dims_of("Transpose", shape, made, perm=order)
    assert tuple(dims[a] for a in ("matrices", "rows", "columns", "inner", "swaps")) == expected


def test_a_transpose_that_moves_nothing_is_a_view() -> None:
    assert dims_of("Transpose", (1, 5, 1, 7), (5, 1, 1, 7), perm=(1, 0, 2, 3)) == {"rows": 1}


@pytest.mark.parametrize(
    ("other", "operand"),
    [((4, 5, 6), 2), ((6,), 3), ((5, 6), 3), ((4, 1, 1), 4), ((1, 1, 1), 5), ((), 5)],
)
def test_operands_of_an_addition(other: tuple[int, ...], operand: int) -> None:
    dims = dims_of("Add", (4, 5, 6), other, (4, 5, 6))
    assert dims["operand"] == operand
    assert dims["rows"] * dims["columns"] == 120


def every_function() -> list[Block]:
    """Return one kernel of each function of each op."""
    found = [block for block in default_kernels() if block.macs < 3e7]
    sizes = {"rows": 48, "columns": 32}
    for op, functions in FUNCTIONS.items():
        for function in functions:
            code = {"function": function_code(op, function)}
            if op == "kernel_elementwise":
                found += [Block.of(op, **sizes, **code, operand=n) for n in _operands(function)]
            elif op in {"kernel_copy", "kernel_normalization"}:
                found.append(Block.of(op, **sizes, **code))
            elif op == "kernel_reduce":
                found.append(Block.of(op, **sizes, **code, inner=4))
    return list(dict.fromkeys(found))


def _operands(function: str) -> tuple[int, ...]:
    two = {"add", "sub", "mul", "div", "pow", "max", "min", "compare", "where", "prelu"}
    if function == "prelu":
        return (3, 4)
    return (2, 3, 4, 5) if function in two else (1,)


@pytest.mark.slow
def test_every_kernel_runs_by_itself_and_repeated() -> None:
    backend, options = OnnxRuntimeBackend(), BackendOptions()
    refused = []
    for block in every_function():
        outputs = []
        for repeats in (1, 3):
            model = kernel_model([block] * repeats)
            with backend.load(backend.run_as_it_is(model), options) as executable:
                try:
                    executable.run()
                except BackendError as error:
                    # ONNX Runtime 1.31 refuses some of its own blocked layouts on processors
                    # without AVX-512; such a kernel becomes a failed row.
                    if "nchwc_ops" not in str(error):
                        raise
                    refused.append(block)
                    continue
                outputs = executable.outputs()
        assert all(np.isfinite(one).all() for one in outputs if one.dtype == np.float32), block
    assert len(set(refused)) <= 0.1 * len(every_function())


def test_a_repeated_kernel_is_as_many_nodes() -> None:
    import onnx

    block = Block.of("kernel_softmax", rows=8, columns=8, inner=1, swaps=1)
    assert len(onnx.load_model_from_string(kernel_model([block] * 5)).graph.node) == 5


def test_kernels_in_words() -> None:
    words = [kernel_in_words(block.op, block.as_dict()) for block in every_function()]
    assert len(set(words)) > 0.9 * len(words)
    assert not any("kernel_" in one for one in words)
