"""An ONNX model that somebody exported in fp32, brought to another type."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ...errors import UserError
from ..protocol import BackendError
from ..random_input import SEED, seeded_input_of
from .int8 import DYNAMIC, STATIC, dynamic_int8, static_int8

if TYPE_CHECKING:
    import numpy as np

# What `seeded_input` calls ONNX's types.
_FILLED = {"FLOAT": "fp32", "FLOAT16": "fp16", "INT64": "int64", "INT32": "int32"}
# The first opset whose int8 weights can have a scale a channel.
_OPSET_OF_INT8 = 13
# What the quantizer makes int8 of, where one of its inputs is weights.
QUANTIZED = {DYNAMIC: ("MatMul", "Gemm"), STATIC: ("MatMul", "Gemm", "Conv")}


def in_dtype(
    model: bytes,
    dtype: str,
    feeds: Iterable[Mapping[str, np.ndarray]] = (),
    calibration: str = "minmax",
) -> bytes:
    """Return the model with weights and activations in `dtype`; in fp32 it is the model itself.

    fp16 and int8 by ONNX Runtime's own converters. feeds, calibration: what int8-static learns its
    ranges from, and how (`static_int8`); without feeds the input that every point is measured on.
    Raises UserError for a type that ONNX Runtime has not, and BackendError with the converter's
    words, or where int8 would change nothing.
    """
    if dtype == "fp32":
        return model
    if dtype == "fp16":
        return _half(model)
    if dtype not in QUANTIZED:
        raise UserError(f"dtype '{dtype}' cannot be made of an ONNX model; use fp32, fp16 or int8.")
    operators = operators_with_weights(model)
    if not set(QUANTIZED[dtype]).intersection(operators):
        has = (
            f"of its operators only {', '.join(operators)} have weights"
            if operators
            else ("none of its operators has weights")
        )
        raise BackendError(f"{dtype} is for {', '.join(QUANTIZED[dtype])} with weights, and {has}")
    model = _for_int8(model)
    if dtype == DYNAMIC:
        return dynamic_int8(model)
    return static_int8(model, list(feeds) or [seeded_feeds(model)], calibration)


def operators_with_weights(model: bytes) -> dict[str, int]:
    """Return how often a model has which operator whose second input is a constant of two axes up.

    Those are its products and convolutions: an addition of a bias has a constant of one axis.
    """
    import onnx

    graph = onnx.load_model_from_string(model).graph
    ranks = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            value = next((one.t for one in node.attribute if one.name == "value"), None)
            ranks[node.output[0]] = 0 if value is None else len(value.dims)
        # Weights may be transposed, or made of another type, on their way.
        elif node.op_type in {"Transpose", "Identity", "Cast"} and node.input[0] in ranks:
            ranks[node.output[0]] = ranks[node.input[0]]
    found: dict[str, int] = {}
    for node in graph.node:
        if node.op_type in _MULTIPLYING and any(ranks.get(name, 0) > 1 for name in node.input[1:]):
            found[node.op_type] = found.get(node.op_type, 0) + 1
    return found


_MULTIPLYING = {"MatMul", "Gemm", "Conv", "ConvTranspose", "Einsum", "LSTM", "GRU", "RNN"}


def _half(model: bytes) -> bytes:
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = convert_float_to_float16(onnx.load_model_from_string(model))
    except Exception as error:  # anything that the converter raises
        raise BackendError.because("converting the model to fp16", error) from error
    return bytes(made.SerializeToString())


def _for_int8(model: bytes) -> bytes:
    """Return the model in an opset that has int8."""
    import onnx
    from onnx import version_converter

    parsed = onnx.load_model_from_string(model)
    opset = max((one.version for one in parsed.opset_import if not one.domain), default=0)
    if opset >= _OPSET_OF_INT8:
        return model
    try:
        made = version_converter.convert_version(parsed, _OPSET_OF_INT8)
    except Exception as error:  # anything that onnx raises for an operator it cannot convert
        raise BackendError.because(
            f"converting the model from opset {opset} to {_OPSET_OF_INT8}, which int8 needs,", error
        ) from error
    return bytes(made.SerializeToString())


def seeded_feeds(model: bytes, seed: int = SEED) -> dict[str, np.ndarray]:
    """Return the input that every point is measured on, for each input of an ONNX model by name.

    `seed`: of further ones. Raises BackendError for an input of an open shape or of a type that is
    not filled.
    """
    import onnx

    names: Any = onnx.TensorProto.DataType
    graph = onnx.load_model_from_string(model).graph
    weights = {tensor.name for tensor in graph.initializer}
    found = {}
    for one in graph.input:
        if one.name in weights:
            continue
        kind = one.type.tensor_type
        dtype = _FILLED.get(names.Name(kind.elem_type))
        sizes = tuple(size.dim_value for size in kind.shape.dim)
        if dtype is None:
            raise BackendError(
                f"its input '{one.name}' is {names.Name(kind.elem_type)}, and only "
                f"{', '.join(_FILLED)} can be filled"
            )
        if not all(sizes):
            raise BackendError(f"its input '{one.name}' has an open shape")
        found[one.name] = seeded_input_of(one.name, sizes, dtype, seed)
    return found
