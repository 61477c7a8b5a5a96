"""Graphs of models of transformers as torch.onnx.export writes them."""

from __future__ import annotations

import io
import warnings
from typing import Any

import torch
from torch import nn
from vitprof.foreign.graph import Graph
from vitprof.foreign.onnx_file import onnx_from_bytes
from vitprof.foreign.shapes import graph_of


class First(nn.Module):
    """A model's first output alone."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *given: torch.Tensor) -> Any:
        return self.model(*given)[0]


def exported(model: nn.Module, *given: torch.Tensor) -> Graph:
    """Return the graph of a model of transformers, of its first output."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(First(model).eval(), given, file, dynamo=False, opset_version=17)
    return graph_of(onnx_from_bytes(file.getvalue(), "model"))


def words(tokens: int) -> torch.Tensor:
    return torch.arange(tokens)[None] % 64
