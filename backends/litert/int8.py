"""A `.tflite` model in 8-bit integers, by LiteRT's own quantizer (ai-edge-quantizer).

Dynamic: weights become int8, a scale a channel; what flows in is quantized again at every run.
Static: what flows is int8 throughout, input and output too, with ranges learned from inputs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .convert import converter_error
from .quiet import quiet_litert

if TYPE_CHECKING:
    import numpy as np

DYNAMIC, STATIC = "int8", "int8-static"


def dynamic_int8(model: bytes) -> bytes:
    """Return the model with int8 weights; raises BackendError with the quantizer's words."""
    return _quantized(model, None)


def static_int8(model: bytes, inputs: Iterable[np.ndarray]) -> bytes:
    """Return the model in int8, its ranges learned from `inputs`, arrays of its input's shape.

    Raises BackendError with the quantizer's words.
    """
    return _quantized(model, list(inputs))


def _quantized(model: bytes, inputs: list[np.ndarray] | None) -> bytes:
    try:
        with quiet_litert():
            from ai_edge_quantizer import quantizer, recipe

            quantize = quantizer.Quantizer(model)
            if inputs is None:
                quantize.load_quantization_recipe(recipe.dynamic_wi8_afp32())
                return bytes(quantize.quantize().quantized_model)
            quantize.load_quantization_recipe(recipe.static_wi8_ai8())
            ranges = quantize.calibrate(_calibration(model, inputs))
            return bytes(quantize.quantize(ranges).quantized_model)
    except Exception as error:  # the quantizer may raise anything
        raise converter_error("quantizing to int8", error) from error


def _calibration(model: bytes, inputs: list[np.ndarray]) -> dict[str, list[dict[str, Any]]]:
    """Return the inputs as the quantizer takes them: by signature, and by the input's name."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model)
    ((signature, names),) = interpreter.get_signature_list().items()
    (name,) = names["inputs"]
    dtype = interpreter.get_input_details()[0]["dtype"]
    return {signature: [{name: values.astype(dtype)} for values in inputs]}
