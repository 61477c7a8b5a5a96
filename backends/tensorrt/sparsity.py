"""Which layers 2:4 sparse kernels could take, and which did, as far as TensorRT tells.

Could: decided here, from the dims and from the weights, which have to be 2:4 already. Did: only a
builder or an engine on its GPU knows, for a sparse kernel is taken where it is the faster one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..two_four import eligible, is_two_four, weight_layers, why_no_matrix_product, why_not_prunable

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

NOT_PRUNED = "its weights are not 2:4: of some 4 consecutive ones more than 2 are not zero"
NO_WEIGHT = "both its operands are activations"

_ELIGIBLE = "(Sparsity) Layers eligible for sparse math:"
_PICKED = "(Sparsity) TRT inference plan picked sparse implementation for layers:"


@dataclass(frozen=True)
class LayerSparsity:
    """One matrix product or convolution.

    `why_not` is None where a 2:4 kernel could take it. `chosen` is whether one does: None where it
    is unknown, for the runtime tells only on its device. The features are those of its weight,
    None for a product of two activations.
    """

    name: str
    out_features: int | None
    in_features: int | None
    why_not: str | None
    chosen: bool | None = None

    @property
    def eligible(self) -> bool:
        return self.why_not is None


def sparsity_report(
    model: nn.Module | bytes,
    dtype: str,
    compute_capability: str | None = None,
    choices: Mapping[str, bool] | None = None,
) -> list[LayerSparsity]:
    """Return what 2:4 can do for each layer of a torch module or of the bytes of an ONNX model.

    A module shows its layers with weights; the ONNX model every matrix product, under the name
    that TensorRT uses. `choices` is what `EngineFile.sparse_layers` or an executable's
    `sparse_layers()` reported for the model's engine.
    """
    layers = _of_onnx(model, dtype) if isinstance(model, bytes) else _of_module(model, dtype)
    if compute_capability is not None and float(compute_capability) < 8.0:
        no_cores = f"GPUs of compute capability {compute_capability} have no sparse tensor cores"
        layers = [LayerSparsity(x.name, x.out_features, x.in_features, no_cores) for x in layers]
    chosen = choices or {}
    return [
        LayerSparsity(x.name, x.out_features, x.in_features, x.why_not, chosen.get(x.name))
        for x in layers
    ]


def choices_in_log(messages: Iterable[str]) -> dict[str, bool]:
    """Return by layer whether the builder picked a sparse kernel, from its messages.

    Empty where they tell nothing, as those of TensorRT-RTX, which picks on the device.
    """
    choices: dict[str, bool] = {}
    for message in messages:
        if message.startswith(_ELIGIBLE):
            choices = dict.fromkeys(_names_in(message.removeprefix(_ELIGIBLE)), False) | choices
        elif message.startswith(_PICKED):
            choices |= dict.fromkeys(_names_in(message.removeprefix(_PICKED)), True)
    return choices


def choices_of_inspector(information: str) -> dict[str, bool]:
    """Return the same from the JSON of an engine inspector: a sparse kernel's name says so.

    A layer whose kernel it does not name is left out.
    """
    try:
        layers = json.loads(information).get("Layers", [])
    except (ValueError, AttributeError):
        return {}
    choices: dict[str, bool] = {}
    for layer in layers:
        kernel = layer.get("TacticName") if isinstance(layer, dict) else None
        if isinstance(kernel, str) and kernel:
            names = _names_in(f"{layer.get('Name', '')} {layer.get('Metadata', '')}")
            sparse = "sparse" in kernel.lower()
            choices |= {name: sparse or choices.get(name, False) for name in names}
    return choices


def _names_in(text: str) -> list[str]:
    """Return the words of "a + b, [ONNX Layer: c]": layers that were fused stand together."""
    return re.findall(r"[^\s\[\]{}+,:]+", text.replace("[ONNX Layer:", " "))


def _of_module(module: nn.Module, dtype: str) -> list[LayerSparsity]:
    layers = []
    for name, layer in weight_layers(module):
        why_not = why_not_prunable(layer, dtype, "tensorrt")
        if why_not is None and not is_two_four(layer.weight.detach()):
            why_not = NOT_PRUNED
        layers.append(LayerSparsity(name, layer.weight.shape[0], layer.weight.shape[1], why_not))
    return layers


def _of_onnx(model: bytes, dtype: str) -> list[LayerSparsity]:
    import onnx

    graph = onnx.load_from_string(model).graph
    constants = _Constants(graph)
    layers = []
    for node in graph.node:
        if node.op_type in ("MatMul", "Gemm", "Conv"):
            layers.append(_layer(node, constants, dtype))
    return layers


def _layer(node: Any, constants: _Constants, dtype: str) -> LayerSparsity:
    import torch

    name = node.name or node.output[0]
    first, second = (constants.find(source) for source in node.input[:2])
    weight = second if second is not None else first
    if weight is None:
        return LayerSparsity(name, None, None, NO_WEIGHT)
    attributes = {attribute.name: attribute for attribute in node.attribute}
    if node.op_type == "Conv":
        groups = attributes["group"].i if "group" in attributes else 1
        why_not = why_no_matrix_product(weight.shape[2:], groups)
        if why_not is not None:
            return LayerSparsity(name, weight.shape[0], weight.shape[1], why_not)
    elif weight.ndim != 2:
        return LayerSparsity(name, None, None, f"its weight has {weight.ndim} dims, not 2")
    else:
        transposed = node.op_type == "Gemm" and "transB" in attributes and attributes["transB"].i
        if second is not None and not transposed:
            weight = weight.T
    outputs, inputs = weight.shape[:2]
    why_not = eligible(outputs, inputs, dtype, "tensorrt")
    if why_not is None and not is_two_four(torch.from_numpy(weight.copy())):
        why_not = NOT_PRUNED
    return LayerSparsity(name, outputs, inputs, why_not)


class _Constants:
    """The constant tensors of a graph, through the nodes that exporters put behind them."""

    def __init__(self, graph: Any) -> None:
        self._initializers = {tensor.name: tensor for tensor in graph.initializer}
        self._producers = {output: node for node in graph.node for output in node.output}

    def find(self, name: str) -> np.ndarray | None:
        """Return the value of a tensor, None if it is not a constant."""
        from onnx import numpy_helper

        if name in self._initializers:
            return numpy_helper.to_array(self._initializers[name])
        node = self._producers.get(name)
        if node is None or node.op_type not in ("Constant", "Identity", "Transpose"):
            return None
        if node.op_type == "Constant":
            return numpy_helper.to_array(node.attribute[0].t)
        value = self.find(node.input[0])
        if value is None or node.op_type == "Identity":
            return value
        order = next((a.ints for a in node.attribute if a.name == "perm"), None)
        return value.transpose(order)
