"""A foreign model in an ONNX file."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from ...backends import OnnxRuntimeBackend
from ...backends.trial import try_artifact
from ...errors import UserError
from ..graph import Graph
from ..onnx_file import LARGEST_FILE, read_onnx
from ..shapes import Shapes, graph_of


class OnnxSource:
    """An ONNX file, checked; `shapes` are those of its inputs where it leaves them open."""

    def __init__(self, path: Path, shapes: Shapes | None = None) -> None:
        self.path = path
        self._shapes = shapes or {}
        self._tried = False

    def onnx(self) -> bytes:
        """Return the model in one piece, with the sizes of its inputs fixed.

        Before it is run here, it is run in a process of its own, with limits on memory and time:
        raises BackendError where it crashes ONNX Runtime or exceeds one.
        """
        model = self._in_one_piece()
        if not self._tried and OnnxRuntimeBackend().unavailable() is None:
            try_artifact("onnxruntime", model)
            self._tried = True
        return model

    def _in_one_piece(self) -> bytes:
        model = self._read()
        for given in model.graph.input:
            sizes = self._shapes.get(given.name)
            if sizes is not None:
                for dim, size in zip(given.type.tensor_type.shape.dim, sizes, strict=True):
                    dim.dim_value = size
        _keep_inputs(model)
        # What was inferred for open sizes may contradict those that were given.
        if self._shapes:
            del model.graph.value_info[:]
        if model.ByteSize() > LARGEST_FILE:
            raise UserError(
                f"{self.path} has {model.ByteSize()} bytes with its weights, more than one ONNX "
                "model can have in memory; give a smaller model."
            )
        return bytes(model.SerializeToString())

    def module(self) -> None:
        """Return None: there is only a graph."""

    def graph(self) -> Graph:
        return self._graph.copy()

    @cached_property
    def _graph(self) -> Graph:
        model = self._read()
        try:
            return graph_of(model, self._shapes)
        except UserError as error:
            raise UserError(f"{self.path}: {error}") from None

    def _read(self) -> Any:
        return read_onnx(self.path)


def _keep_inputs(model: Any) -> None:
    """Take weights from among the inputs, where older exporters list them.

    There they are not constants for a runtime: it folds and fuses less.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    kept = [one for one in model.graph.input if one.name not in weights]
    if len(kept) < len(model.graph.input):
        del model.graph.input[:]
        model.graph.input.extend(kept)
        # Before the fourth version weights had to be listed.
        model.ir_version = max(model.ir_version, 4)
