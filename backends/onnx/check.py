"""What an ONNX model from elsewhere may not have: references out of its file, ops of others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..protocol import BackendError

# ONNX's own operators. Others' can do anything, such as open a file that a node names.
_DOMAINS = ("", "ai.onnx")
_LOOPS = ("Loop", "Scan", "SequenceMap")


def check_self_contained(model: bytes) -> None:
    """Raise BackendError unless all weights are in the model, and all its operators are ONNX's.

    A model that has a loop is refused too: nothing bounds how long it runs.
    """
    import onnx

    parsed = _parsed(model)
    _refuse_other_files(parsed)
    for message in _messages(parsed):
        if not isinstance(message, onnx.NodeProto | onnx.FunctionProto):
            continue
        kind = message.op_type if isinstance(message, onnx.NodeProto) else message.name
        if kind in _LOOPS:
            raise BackendError(
                f"its operator {kind!r} runs a part of the graph in a loop, which may never end"
            )
        if message.domain not in _DOMAINS:
            raise BackendError(
                f"its operator {kind[:80]!r} is of the domain {message.domain[:80]!r} and not one "
                "of ONNX's own"
            )


def check_no_other_files(model: bytes) -> None:
    """Raise BackendError unless all weights are in the model.

    ONNX lets a tensor name a file to be read in its place, and ONNX Runtime reads it, from the
    working directory, for a model given as bytes too.
    """
    _refuse_other_files(_parsed(model))


def _parsed(model: bytes) -> Any:
    import onnx

    try:
        return onnx.load_model_from_string(model)
    except Exception as error:  # anything that protobuf raises on damaged input
        raise BackendError.because("reading the ONNX model", error) from error


def _refuse_other_files(model: Any) -> None:
    import onnx

    for message in _messages(model):
        if isinstance(message, onnx.TensorProto) and (
            message.external_data or message.data_location == onnx.TensorProto.EXTERNAL
        ):
            places = [entry.value for entry in message.external_data if entry.key == "location"]
            raise BackendError(
                f"its tensor {message.name[:80]!r} is to be read from another file, "
                f"{', '.join(places)[:200]!r}"
            )


def _messages(message: Any) -> Iterator[Any]:
    """Yield a protobuf message and all within it; tensors, which hold the weights, as a whole."""
    import onnx

    yield message
    if isinstance(message, onnx.TensorProto):
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in [value] if hasattr(value, "ListFields") else value:
                yield from _messages(inner)
