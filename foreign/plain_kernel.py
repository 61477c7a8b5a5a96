"""A kernel as plain ONNX: the operators that it was fused from, for runtimes that fuse themselves.

Each repeat has inputs of its own and all results are outputs, for a runtime computes equal nodes
once and leaves out what nobody reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import UserError
from ..models.block import Block
from ..models.ops.kernel_words import kernel_in_words
from .onnx_kernel import BUILDERS, OPSET, KernelGraph


def plain_kernel_model(blocks: Sequence[Block]) -> bytes:
    """Return the ONNX model of equal kernels, with standard operators alone.

    Raises UserError for what only ONNX Runtime has (`why_not_plain`).
    """
    first = blocks[0]
    if reason := why_not_plain(first):
        raise UserError(reason)
    make = _PlainGraph()
    outputs: list[str] = []
    for number in range(len(blocks)):
        make.number = number
        outputs += BUILDERS[first.op](make, first.as_dict())
    return _with_shapes(make.model(outputs))


def _with_shapes(model: bytes) -> bytes:
    import onnx

    inferred = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(model))
    return bytes(inferred.SerializeToString())


def why_not_plain(block: Block) -> str | None:
    """Return why a kernel is ONNX Runtime's alone, in one sentence; None where it is not."""
    dims = block.as_dict()
    if block.op == "kernel_reorder" or dims.get("blocked") == 2:
        words = kernel_in_words(block.op, dims)
        return f"{words} works on a layout of tensors that only ONNX Runtime has"
    return None


class _PlainGraph(KernelGraph):
    """Writes the runtime's own nodes as the operators that they were fused from."""

    def __init__(self) -> None:
        super().__init__(1)
        self.number = 0

    domains = (("", OPSET),)

    def positive(self, *shape: int) -> str:
        return self.given(*shape)

    def given(self, *shape: int, name: str = "x") -> str:
        return super().given(*shape, name=f"{name}{self.number}_")

    def node(
        self, op: str, *inputs: str, domain: str = "", outputs: int = 1, **attributes: Any
    ) -> list[str]:
        write = _WRITTEN_OUT.get(op) if domain else None
        if write is not None:
            return write(self, inputs, attributes)
        return super().node(op, *inputs, outputs=outputs, **attributes)


def _activated(
    graph: _PlainGraph, y: list[str], name: str | None, values: list[float]
) -> list[str]:
    if name is None:
        return y
    if name == "Clip":
        bounds = [graph.constant(np.array(value, dtype=np.float32)) for value in values]
        return graph.node("Clip", *y, *bounds)
    names = ("alpha", "beta") if name in {"HardSigmoid", "LeakyRelu"} else ()
    more: dict[str, Any] = dict(zip(names, values, strict=False))
    return graph.node(name, *y, **more)


def _conv(graph: _PlainGraph, inputs: tuple[str, ...], about: dict[str, Any]) -> list[str]:
    name, values = about.pop("activation", None), about.pop("activation_params", [])
    y = graph.node("Conv", *inputs[:3], **about)
    y = graph.node("Add", *y, inputs[3]) if len(inputs) > 3 else y
    return _activated(graph, y, name, values)


def _gemm(graph: _PlainGraph, inputs: tuple[str, ...], about: dict[str, Any]) -> list[str]:
    alpha = about.get("activation_alpha")
    values = [] if alpha is None else [alpha]
    if about["activation"] == "HardSigmoid":
        values = [0.2, 0.5]
    if about["activation"] == "Clip":
        values = [0.0, 6.0]
    return _activated(graph, graph.node("Gemm", *inputs), about["activation"], values)


def _matmul(graph: _PlainGraph, inputs: tuple[str, ...], about: dict[str, Any]) -> list[str]:
    sides = [
        graph.node("Transpose", one, perm=[0, 1, 3, 2])[0] if about[swapped] else one
        for one, swapped in zip(inputs, ("transA", "transB"), strict=True)
    ]
    return graph.node("MatMul", *sides)


def _skip_norm(graph: _PlainGraph, inputs: tuple[str, ...], about: dict[str, Any]) -> list[str]:
    (added,) = graph.node("Add", *inputs[:2])
    return graph.node("LayerNormalization", added, *inputs[2:], axis=-1)


def _gelu(graph: _PlainGraph, inputs: tuple[str, ...], about: dict[str, Any]) -> list[str]:
    """x · (1 + erf(x / √2)) · ½, as exporters write it."""
    root, one, half = (graph.constant(np.array(value, np.float32)) for value in (2**0.5, 1.0, 0.5))
    (scaled,) = graph.node("Div", inputs[0], root)
    (erf,) = graph.node("Erf", scaled)
    (plus,) = graph.node("Add", erf, one)
    (times,) = graph.node("Mul", inputs[0], plus)
    return graph.node("Mul", times, half)


def _silu(graph: _PlainGraph, inputs: tuple[str, ...], about: dict[str, Any]) -> list[str]:
    (gate,) = graph.node("Sigmoid", inputs[0])
    return graph.node("Mul", inputs[0], gate)


_WRITTEN_OUT = {
    "FusedConv": _conv,
    "FusedGemm": _gemm,
    "FusedMatMul": _matmul,
    "SkipLayerNormalization": _skip_norm,
    "Gelu": _gelu,
    "QuickGelu": _silu,
}
