"""An ONNX model that somebody exported in fp32, brought to another type."""

from __future__ import annotations

import warnings

from ...errors import UserError
from ..protocol import BackendError
from ..random_input import seeded_input
from .int8 import DYNAMIC, STATIC, dynamic_int8, static_int8


def in_dtype(model: bytes, dtype: str) -> bytes:
    """Return the model with weights and activations in `dtype`; in fp32 it is the model itself.

    fp16 and int8 by ONNX Runtime's own converters; the ranges of int8-static are those of the input
    that every point is measured on. Raises UserError for a type that ONNX Runtime has not, and
    BackendError with the converter's words.
    """
    if dtype == "fp32":
        return model
    if dtype == DYNAMIC:
        return dynamic_int8(model)
    if dtype == STATIC:
        return static_int8(model, [seeded_input(_only_shape(model))])
    if dtype == "fp16":
        return _half(model)
    raise UserError(f"dtype '{dtype}' cannot be made of an ONNX model; use fp32, fp16 or int8.")


def _half(model: bytes) -> bytes:
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = convert_float_to_float16(onnx.load_model_from_string(model))
    except Exception as error:  # whatever the converter raises
        raise BackendError.because("converting the model to fp16", error) from error
    return bytes(made.SerializeToString())


def _only_shape(model: bytes) -> tuple[int, ...]:
    import onnx

    graph = onnx.load_model_from_string(model).graph
    constants = {tensor.name for tensor in graph.initializer}
    given = [one for one in graph.input if one.name not in constants]
    if len(given) != 1:
        raise BackendError(f"int8-static needs a model of one input, and this has {len(given)}")
    return tuple(size.dim_value for size in given[0].type.tensor_type.shape.dim)
