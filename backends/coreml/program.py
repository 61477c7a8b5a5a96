"""A Core ML model's specification: made the same every time, and read with care."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..protocol import BackendError
from .quiet import quiet_coremltools

# The one file that a program's weights may be read from.
_OWN_WEIGHTS = "@model_path/weights/weight.bin"
# 1 GiB in fp32, far above any real point; stops a hostile file from filling the memory.
_MOST_VALUES = 2**28
_CONVERSION_DATE = "com.github.apple.coremltools.conversion_date"


@dataclass(frozen=True)
class ProgramIO:
    """What a program takes and gives: the one input's name, shape and dtype, the outputs' names."""

    input_name: str
    input_shape: tuple[int, ...]
    dtype: str
    output_names: tuple[str, ...]


def canonical(model: bytes) -> bytes:
    """Return the specification without the day of its conversion, and its maps in order.

    Without this the same module gives other bytes every day, and protobuf orders maps as it likes.
    """
    specification = _parsed(model)
    specification.description.metadata.userDefined.pop(_CONVERSION_DATE, None)
    return specification.SerializeToString(deterministic=True)


def program_io(model: bytes) -> ProgramIO:
    """Return input and outputs of an ML program; raises BackendError for any other model.

    Refused too: a program that reads weights from a file that is not its own.
    """
    specification = _parsed(model)
    kind = specification.WhichOneof("Type")
    if kind != "mlProgram":
        raise BackendError(f"the Core ML model is of type {kind} and not an ML program.")
    for name in _weight_files(specification.mlProgram):
        if name != _OWN_WEIGHTS:
            raise BackendError(
                f"the Core ML program reads weights from {name[:80]!r}, which is not its own file."
            )
    inputs = list(specification.description.input)
    if len(inputs) != 1 or inputs[0].type.WhichOneof("Type") != "multiArrayType":
        raise BackendError(f"the Core ML program has {len(inputs)} inputs and not one array.")
    array = inputs[0].type.multiArrayType
    if array.WhichOneof("ShapeFlexibility") is not None or not array.shape:
        raise BackendError("the Core ML program has no fixed input shape; a point has one.")
    if min(array.shape) < 1 or math.prod(array.shape) > _MOST_VALUES:
        shape = str(list(array.shape))[:80]
        raise BackendError(f"the Core ML program's input shape {shape} is empty or beyond measure.")
    return ProgramIO(
        inputs[0].name,
        tuple(array.shape),
        _dtype_of(array),
        tuple(output.name for output in specification.description.output),
    )


def _dtype_of(array: Any) -> str:
    known = {array.FLOAT32: "fp32", array.FLOAT16: "fp16", array.INT32: "int32"}
    if array.dataType not in known:
        raise BackendError(
            f"the Core ML program's input has data type {array.dataType}; only fp32, fp16 "
            "and int32 can be filled."
        )
    return known[array.dataType]


def _parsed(model: bytes) -> Any:
    """Return the bytes as coremltools' protobuf message Model."""
    with quiet_coremltools():
        from coremltools import proto
    specification = proto.Model_pb2.Model()
    try:
        specification.ParseFromString(model)
    except Exception as error:
        raise BackendError.because("reading the Core ML model", error) from error
    return specification


def _weight_files(message: Any) -> Iterator[str]:
    """Yield every file name that any value within a protobuf message refers to."""
    if message.DESCRIPTOR.name == "BlobFileValue":
        yield message.fileName
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type is None:
                continue
            parts = value.values()
        elif hasattr(value, "ListFields"):
            parts = [value]
        else:
            parts = value
        for part in parts:
            yield from _weight_files(part)
