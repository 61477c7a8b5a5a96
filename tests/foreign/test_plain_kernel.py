"""A kernel as plain operators computes what the runtime's own node does."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from vitprof.backends import BackendOptions, OnnxRuntimeBackend
from vitprof.errors import UserError
from vitprof.foreign.onnx_kernel import kernel_model
from vitprof.foreign.plain_kernel import plain_kernel_model
from vitprof.models import Block

CONV = {
    "height": 8,
    "width": 8,
    "in_channels": 8,
    "out_channels": 8,
    "kernel_height": 3,
    "kernel_width": 3,
    "stride": 1,
    "dilation": 1,
    "groups": 1,
    "blocked": 1,
}
KERNELS = [
    *(Block.of("kernel_conv", **CONV, fused=fused, added=1) for fused in range(1, 8)),
    Block.of("kernel_conv", **CONV, fused=2, added=2),
    *(Block.of("kernel_matmul", rows=4, columns=8, inner=16, fused=n) for n in (1, 2, 4, 5, 7)),
    *(
        Block.of("kernel_batched_matmul", matrices=2, rows=4, columns=8, inner=16, transposed=n)
        for n in range(1, 5)
    ),
    *(Block.of("kernel_layer_norm", rows=4, columns=8, added=added) for added in (1, 2)),
    *(
        Block.of("kernel_elementwise", rows=4, columns=8, function=code, operand=1)
        for code in (22, 23)
    ),
]


@pytest.mark.parametrize("block", KERNELS, ids=str)
def test_the_same_function(block: Block) -> None:
    backend, options = OnnxRuntimeBackend(), BackendOptions()
    plain = plain_kernel_model([block])
    with backend.load(backend.run_as_it_is(kernel_model([block], 1)), options) as executable:
        executable.run()
        expected = executable.outputs()
    with backend.load(backend.build_from_onnx(plain, options), options) as executable:
        executable.run()
        found = executable.outputs()
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert np.allclose(one.reshape(-1), other.reshape(-1), atol=1e-4)
    model = onnx.load_model_from_string(plain)
    assert {node.domain for node in model.graph.node} == {""}


def test_repeats_have_inputs_and_outputs_of_their_own() -> None:
    block = Block.of("kernel_softmax", rows=4, columns=8, inner=1, swaps=1)
    graph = onnx.load_model_from_string(plain_kernel_model([block] * 3)).graph
    assert (len(graph.input), len(graph.output), len(graph.node)) == (3, 3, 3)


@pytest.mark.parametrize(
    "block",
    [
        Block.of("kernel_reorder", height=8, width=8, in_channels=16, function=2),
        Block.of("kernel_conv", **{**CONV, "blocked": 2}, fused=1, added=1),
    ],
    ids=["reorder", "blocked"],
)
def test_a_layout_that_only_onnx_runtime_has_is_refused(block: Block) -> None:
    with pytest.raises(UserError, match="only ONNX Runtime has"):
        plain_kernel_model([block])
