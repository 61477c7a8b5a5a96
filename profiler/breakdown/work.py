"""What a node computes and moves, from the shapes it ran with: MACs and bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from .classes import CONVOLUTION, MATMUL, ONNX_VIEWS

_ITEM_BYTES = {
    "float": 4,
    "float16": 2,
    "bfloat16": 2,
    "double": 8,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "uint16": 2,
    "uint32": 4,
    "uint64": 8,
    "bool": 1,
}


@dataclass(frozen=True)
class Tensor:
    """The element type ("float") and shape of one input or output."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        return prod(self.shape) * _ITEM_BYTES.get(self.dtype, 4)


@dataclass(frozen=True)
class Work:
    """Multiply-accumulates, and bytes read and written once; None where shapes do not tell."""

    macs: int | None
    bytes: int | None


UNKNOWN_WORK = Work(None, None)


def work_of(op: str, kind: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Work:
    """Return the work of an ONNX Runtime node of class `kind`.

    MACs are those of products and convolutions, as everywhere here; other nodes have none. ONNX
    Runtime packs some constant weights beforehand and leaves them out of `inputs`: a product's
    second factor is counted all the same.
    """
    if not inputs or not outputs:
        return Work(0 if kind not in (MATMUL, CONVOLUTION) else None, None)
    moved = 0 if op in ONNX_VIEWS else sum(tensor.bytes for tensor in (*inputs, *outputs))
    if kind == MATMUL:
        return _product(inputs, outputs[0], moved)
    if kind == CONVOLUTION:
        return _convolution(inputs, outputs[0], moved)
    return Work(0, moved)


def _product(inputs: Sequence[Tensor], output: Tensor, moved: int) -> Work:
    """A·B of shapes (…, M, K) and (…, K, N), either of them perhaps transposed inside the node."""
    left, result = inputs[0].shape, output.shape
    if len(left) < 2 or len(result) < 2:
        return UNKNOWN_WORK
    if left[-2] == result[-2]:
        inner = left[-1]
    elif left[-1] == result[-2]:
        inner = left[-2]
    else:
        return UNKNOWN_WORK
    factors = [tensor for tensor in inputs if len(tensor.shape) > 1]
    packed = inner * result[-1] * _ITEM_BYTES.get(output.dtype, 4) if len(factors) < 2 else 0
    return Work(prod(result) * inner, moved + packed)


def _convolution(inputs: Sequence[Tensor], output: Tensor, moved: int) -> Work:
    """Each output element needs a kernel of (in channels of its group, height, width)."""
    if len(inputs) < 2 or len(inputs[1].shape) != len(output.shape):
        return UNKNOWN_WORK
    return Work(prod(output.shape) * prod(inputs[1].shape[1:]), moved)
