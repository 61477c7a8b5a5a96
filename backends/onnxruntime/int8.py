"""An ONNX model in 8-bit integers, by ONNX Runtime's own quantizer.

Dynamic: weights of matrix products become int8, what flows in is quantized again at every run.
Static: convolutions too, and the ranges of what flows are learned once, from calibration inputs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...temporary_folder import TemporaryFolder, write_named
from ..machine.cpu_info import has_int8_products
from ..protocol import BackendError

if TYPE_CHECKING:
    import numpy as np

# What `BackendOptions.dtype` calls them.
DYNAMIC, STATIC = "int8", "int8-static"
INT8_DTYPES = (DYNAMIC, STATIC)
# Products of two activations (queries with keys) stay as they are: they have no weights to store.
_PRODUCTS = ("MatMul", "Gemm")
CALIBRATIONS = ("minmax", "percentile", "entropy")


def dynamic_int8(model: bytes) -> bytes:
    """Return the model with the weights of its matrix products in int8, a scale a column.

    Convolutions stay in fp32: ONNX Runtime has no kernel for them that quantizes on the way.
    Raises BackendError with the quantizer's words.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    def quantize(source: str, target: str) -> None:
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=list(_PRODUCTS),
            per_channel=True,
            reduce_range=not has_int8_products(),
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )

    return _quantized(model, quantize)


def static_int8(
    model: bytes,
    inputs: Iterable[np.ndarray | Mapping[str, np.ndarray]],
    calibration: str = "minmax",
) -> bytes:
    """Return the model with matrix products and convolutions in int8, ranges learned from `inputs`.

    inputs: arrays of the model's input shape, or of several inputs by name. calibration: "minmax"
    keeps the whole range seen, "percentile" all but its last hundred-thousandth, "entropy" what
    loses least information.
    Raises BackendError with the quantizer's words.
    """
    import onnx
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    graph = onnx.load_model_from_string(model).graph
    weights = {tensor.name for tensor in graph.initializer}
    name = next((one.name for one in graph.input if one.name not in weights), "")
    feeds = iter(inputs)

    class Reader(CalibrationDataReader):
        def get_next(self) -> dict[str, np.ndarray] | None:
            values = next(feeds, None)
            if values is None:
                return None
            return dict(values) if isinstance(values, Mapping) else {name: values}

    method = {
        "minmax": CalibrationMethod.MinMax,
        "percentile": CalibrationMethod.Percentile,
        "entropy": CalibrationMethod.Entropy,
    }[calibration]

    def quantize(source: str, target: str) -> None:
        prepared = f"{target}.prepared"
        # Shapes only: its optimisation makes the products into ones that run slower in int8.
        quant_pre_process(source, prepared, skip_symbolic_shape=True, skip_optimization=True)
        quantize_static(
            prepared,
            target,
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=[*_PRODUCTS, "Conv"],
            per_channel=True,
            reduce_range=not has_int8_products(),
            # Around 0: with ranges that are not, a ViT lost ten times as much of its logits.
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=method,
            extra_options={
                "MatMulConstBOnly": True,
                "ActivationSymmetric": True,
                "QuantizeBias": False,
            },
        )

    return _quantized(model, quantize)


def _quantized(model: bytes, quantize: Any) -> bytes:
    """Return what `quantize(source, target)` makes of the model; both are paths."""
    with TemporaryFolder() as folder:
        source, target = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        write_named(source, model)
        try:
            with _without_advice():
                quantize(str(source), str(target))
        except Exception as error:  # the quantizer may raise anything
            raise BackendError.because("quantizing to int8", error) from error
        return _without_notes(target.read_bytes())


def _without_notes(model: bytes) -> bytes:
    """Return the model without names of nodes and shapes of what flows, which nothing needs.

    In a model of a few megabytes they are one percent of the file.
    """
    import onnx

    parsed = onnx.load_model_from_string(model)
    del parsed.graph.value_info[:]
    for node in parsed.graph.node:
        node.ClearField("name")
    return parsed.SerializeToString()


@contextmanager
def _without_advice() -> Iterator[None]:
    """Keep the quantizer's advice to pre-process, given whether or not it was, off the screen."""
    logger = logging.getLogger()

    def is_other(record: logging.LogRecord) -> bool:
        return "pre-processing" not in record.getMessage()

    logger.addFilter(is_other)
    try:
        yield
    finally:
        logger.removeFilter(is_other)
