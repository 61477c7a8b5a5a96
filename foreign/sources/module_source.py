"""A foreign model that is a torch module: exported to ONNX when a graph is needed."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ...backends.onnx.export import OPSET
from ...errors import UserError
from ...models.modules.trained_like import fill_as_trained
from ...progress import shown_wait
from ..graph import Graph
from ..onnx_file import onnx_from_bytes
from ..shapes import graph_of

if TYPE_CHECKING:
    import torch
    from torch import nn


class ModuleSource:
    """A torch module and the inputs it is run with, by name.

    With `fill` its weights are random ones under which activations are as large as a trained
    model's: a latency needs no others.
    """

    def __init__(
        self,
        name: str,
        module: nn.Module,
        inputs: Sequence[tuple[str, torch.Tensor]],
        fill: bool = True,
    ) -> None:
        self.name = name
        self.inputs = list(inputs)
        self._module = module.eval().requires_grad_(False)
        if fill:
            fill_as_trained(self._module, *(value for _, value in self.inputs))

    def module(self) -> nn.Module:
        """Return the module in eval mode."""
        return self._module

    def onnx(self) -> bytes:
        """Return the model as ONNX; raises UserError naming the operator that cannot be exported.

        By the TorchScript exporter, which takes a tenth of the time, or else by the newer one.
        """
        return self._onnx

    def graph(self) -> Graph:
        return self._graph.copy()

    @cached_property
    def _graph(self) -> Graph:
        try:
            return graph_of(onnx_from_bytes(self.onnx(), self.name))
        except UserError as error:
            raise UserError(f"{self.name}: {error}") from None

    @cached_property
    def _onnx(self) -> bytes:
        why = ""
        with shown_wait(f"exporting {self.name} to ONNX"):
            for dynamo in (False, True):
                try:
                    return self._exported(dynamo)
                except (
                    Exception
                ) as error:  # anything that torch raises: the model cannot be exported
                    why = why or _in_words(error)
        raise UserError(f"{self.name} cannot be exported to ONNX: {why}.")

    def _exported(self, dynamo: bool) -> bytes:
        import torch

        buffer: Any = io.BytesIO()
        more: dict[str, Any] = {"external_data": False} if dynamo else {}
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                self._module,
                tuple(value for _, value in self.inputs),
                buffer,
                input_names=[name for name, _ in self.inputs],
                opset_version=18 if dynamo else OPSET,
                dynamo=dynamo,
                **more,
            )
        return buffer.getvalue()


def _in_words(error: BaseException) -> str:
    """Return the operator that an exporter names, or the beginning of what it says."""
    text = " ".join(str(error).split()) or type(error).__name__
    operator = re.search(r"[Oo]perator '?([\w:.]+)'?", text)
    if operator:
        return f"its operator {operator[1]} has no ONNX operator ({text[:160]})"
    return text[:200]
