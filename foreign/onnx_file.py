"""ONNX files of others: checked before anything of them is used, and made self-contained.

An ONNX file can name other files for its weights, declare tensors of any size, and use operators
that are programs. Here weights come only from files that lie beside it, sizes are checked against
what is there, and operators are ONNX's own.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..models.checks import shown
from ..untrusted.files import read_bytes

# One protobuf message cannot be larger.
LARGEST_FILE = 2**31 - 1
# Weights and activations: far above any model that is timed on one machine.
LARGEST_TENSOR = 2**31
LARGEST_WEIGHTS = 16 * 2**30
MOST_NODES = 100_000
DEEPEST = 64
_DOMAINS = ("", "ai.onnx")


def read_onnx(path: str | os.PathLike[str]) -> Any:
    """Return the checked ONNX model of a file (onnx.ModelProto), with all of its weights inside.

    Raises UserError, in one sentence that names the file, for one that is damaged, that refers to
    files outside its folder, that declares tensors larger than it has, and for operators and
    versions that are unknown here. Nothing of it is executed.
    """
    path = Path(path)
    model = _parsed(path, read_bytes(path, "an ONNX model", LARGEST_FILE))
    try:
        _load_weights_beside(model, path)
        return checked(model)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def onnx_from_bytes(data: bytes, name: str) -> Any:
    """Return the checked model of a self-contained file; raises UserError like `read_onnx`."""
    model = _parsed(Path(name), data)
    try:
        for tensor in _tensors(model):
            if _is_external(tensor):
                raise UserError(f"its tensor {shown(tensor.name)} is in another file.")
        return checked(model)
    except UserError as error:
        raise UserError(f"{name}: {error}") from None


def checked(model: Any) -> Any:
    """Return the model with its functions inlined; raises UserError for what is not priced."""
    import onnx
    from onnx import inliner

    if model.functions:
        model = inliner.inline_local_functions(model)
    if not model.graph.node:
        raise UserError("its graph has no node.")
    if len(model.graph.node) > MOST_NODES:
        raise UserError(f"its graph has {len(model.graph.node)} nodes, more than {MOST_NODES}.")
    known = onnx.defs.onnx_opset_version()
    opset = opset_of(model)
    if not 1 <= opset <= known:
        raise UserError(
            f"it uses opset {opset}, and the installed onnx {onnx.__version__} knows 1 to {known}; "
            "export it with an older opset or update onnx."
        )
    for tensor in _tensors(model):
        _check_size(tensor)
    for node in model.graph.node:
        _check_operator(node, opset)
    return model


def opset_of(model: Any) -> int:
    """Return the version of ONNX's operators that a model uses; 0 where it does not say."""
    return max((one.version for one in model.opset_import if one.domain in _DOMAINS), default=0)


def _check_operator(node: Any, opset: int) -> None:
    import onnx

    what = f"its operator {shown(node.op_type)} (node {shown(node.name or node.output[0])})"
    if node.domain not in _DOMAINS:
        raise UserError(
            f"{what} is of the domain {shown(node.domain)}, not one of ONNX's own; export the "
            "model without it."
        )
    try:
        onnx.defs.get_schema(node.op_type, opset, "")
    except Exception:  # onnx's own SchemaError, of the C++ part
        raise UserError(f"{what} is unknown in opset {opset}; check the file.") from None
    kinds = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
    if any(attribute.type in kinds for attribute in node.attribute):
        raise UserError(
            f"{what} runs a part of the graph by a condition or in a loop, which has no one "
            "latency; export the model without it."
        )


def _parsed(path: Path, data: bytes) -> Any:
    import onnx

    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
        is_model = bool(model.opset_import) and model.HasField("graph")
    except Exception:  # anything that protobuf raises on damaged input
        is_model = False
    if not is_model:
        raise UserError(f"'{path}' is not an ONNX model, or it is cut short; export it again.")
    return model


def _load_weights_beside(model: Any, path: Path) -> None:
    """Read the weights that are in other files; these must lie in the model's own folder."""
    import onnx

    outside = [tensor for tensor in _tensors(model) if _is_external(tensor)]
    if not outside:
        return
    folder = path.resolve().parent
    total = 0
    for tensor in outside:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        file = _file_beside(folder, entries.get("location", ""), tensor.name)
        start, length = (
            _whole(entries.get(key, ""), key, tensor.name) for key in ("offset", "length")
        )
        wanted = _check_size(tensor, declared_only=True)
        length = wanted if length is None else length
        if length != wanted or (start or 0) + length > file.stat().st_size:
            raise UserError(
                f"its tensor {shown(tensor.name)} has {wanted} bytes by its shape, and "
                f"{shown(file.name)} does not hold them where it says; export the model again."
            )
        total += length
    if total > LARGEST_WEIGHTS:
        raise UserError(f"its weights have {total} bytes, more than {LARGEST_WEIGHTS}.")
    for tensor in outside:
        onnx.external_data_helper.load_external_data_for_tensor(tensor, str(folder))
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]


def _file_beside(folder: Path, location: str, tensor: str) -> Path:
    """Return the file of a tensor's weights; raises UserError unless it lies in the folder."""
    what = f"its tensor {shown(tensor)} is to be read from {shown(location)}"
    parts = Path(location).parts
    windows = "\\" in location or ":" in location
    if not parts or Path(location).is_absolute() or ".." in parts or windows or "\0" in location:
        raise UserError(f"{what}, which is outside the model's folder; this is refused.")
    file = folder
    for part in parts:
        file = file / part
        if file.is_symlink():
            raise UserError(f"{what}, which is a symbolic link; this is refused.")
    if not file.is_file():
        raise UserError(f"{what}, which is not there; put the file beside the model.")
    return file


def _whole(text: str, key: str, tensor: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise UserError(f"the {key} of its tensor {shown(tensor)} is {shown(text)}, no number.")
    return int(text)


def _check_size(tensor: Any, declared_only: bool = False) -> int:
    """Return the bytes of a tensor by its shape; raises UserError where it has not so many."""
    import onnx

    what = f"its tensor {shown(tensor.name)}"
    if any(size < 0 for size in tensor.dims):
        raise UserError(f"{what} has a negative size in its shape; the file is damaged.")
    count = math.prod(tensor.dims)
    if count > LARGEST_TENSOR:
        raise UserError(f"{what} has {count} values, more than {LARGEST_TENSOR}.")
    if tensor.data_type == onnx.TensorProto.STRING:
        return 0
    try:
        item = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except Exception:  # KeyError, or what onnx makes of it
        raise UserError(f"{what} has the unknown type {tensor.data_type}.") from None
    if declared_only or _is_packed(tensor) or _is_external(tensor):
        return int(count * item)
    if tensor.HasField("raw_data"):
        found, wanted, unit = len(tensor.raw_data), count * item, "bytes"
    else:
        field = onnx.helper.tensor_dtype_to_field(tensor.data_type)
        is_complex = tensor.data_type in (onnx.TensorProto.COMPLEX64, onnx.TensorProto.COMPLEX128)
        found, wanted, unit = len(getattr(tensor, field)), (1 + is_complex) * count, "values"
    if found != wanted:
        raise UserError(
            f"{what} has {found} {unit} where its shape needs {wanted}; the file is damaged."
        )
    return int(count * item)


def _is_packed(tensor: Any) -> bool:
    """Whether its values are smaller than a byte."""
    import onnx

    kind = onnx.TensorProto.DataType.Name(tensor.data_type)
    return kind in {"INT4", "UINT4", "FLOAT4E2M1", "INT2", "UINT2"}


def _is_external(tensor: Any) -> bool:
    import onnx

    return bool(tensor.external_data) or tensor.data_location == onnx.TensorProto.EXTERNAL


def _tensors(model: Any) -> Iterator[Any]:
    """Yield every tensor of a model: weights, constants, and those in attributes of nodes."""
    for graph in _graphs(model.graph):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield sparse.values
            yield sparse.indices
        for node in graph.node:
            yield from _of_attributes(node)
    for function in model.functions:
        for node in function.node:
            yield from _of_attributes(node)


def _of_attributes(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors


def _graphs(graph: Any, depth: int = 0) -> Iterator[Any]:
    if depth > DEEPEST:
        raise UserError(f"its graphs lie more than {DEEPEST} deep within each other.")
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g, depth + 1)
            for inner in attribute.graphs:
                yield from _graphs(inner, depth + 1)
