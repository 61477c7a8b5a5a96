"""The structures of one transformer layer, which ViT and Swin have in common."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ..families.vit.spec import ViTLayer
from .structure import Kind, Structure, WeightSlice

# A weight and its axis.
Axis = tuple[str, int]


def along_embed(width: int, axes: Iterable[Axis], repeats: int = 1) -> tuple[WeightSlice, ...]:
    """Return the parts of weights whose axis is the embedding, or `repeats` of it side by side."""
    index = torch.arange(width)[:, None] + width * torch.arange(repeats)
    return tuple(WeightSlice(weight, axis, index) for weight, axis in axes)


def norm_axes(prefix: str) -> list[Axis]:
    return [(f"{prefix}.weight", 0), (f"{prefix}.bias", 0)]


def residual_axes(prefix: str, layer: ViTLayer) -> list[Axis]:
    """Return where a layer's weights read from the sequence or write to it."""
    axes: list[Axis] = []
    if layer.heads:
        axes += norm_axes(f"{prefix}.norm1")
        axes += [
            (f"{prefix}.attn.qkv.weight", 1),
            (f"{prefix}.attn.proj.weight", 0),
            (f"{prefix}.attn.proj.bias", 0),
        ]
    if layer.mlp:
        axes += norm_axes(f"{prefix}.norm2")
        axes += [
            (f"{prefix}.mlp.fc1.weight", 1),
            (f"{prefix}.mlp.fc2.weight", 0),
            (f"{prefix}.mlp.fc2.bias", 0),
        ]
    return axes


def layer_structures(
    prefix: str, name: str, layer: ViTLayer, aligned: bool, by_head: Iterable[Axis] = ()
) -> list[Structure]:
    """Return heads, QK, V and MLP of a layer, as far as present, named `name`.heads and so on.

    `by_head`: what else has one entry a head. One matrix projects to Q, K and V, one after the
    other, each of them head by head.
    """
    found: list[tuple[Kind, list[WeightSlice]]] = []
    if layer.heads:
        q = _places(layer.heads, layer.qk, 0)
        k = _places(layer.heads, layer.qk, layer.heads * layer.qk)
        v = _places(layer.heads, layer.v, 2 * layer.heads * layer.qk)
        joined = _places(layer.heads, layer.v, 0)
        qkv, qkv_bias = f"{prefix}.attn.qkv.weight", f"{prefix}.attn.qkv.bias"
        proj = f"{prefix}.attn.proj.weight"
        of_head = torch.cat([q, k, v], dim=1)
        each = torch.arange(layer.heads)[:, None]
        units = _dims_of_all_heads if aligned else _dims_one_by_one
        found += [
            (
                "heads",
                [
                    WeightSlice(qkv, 0, of_head),
                    WeightSlice(qkv_bias, 0, of_head),
                    WeightSlice(proj, 1, joined),
                    *(WeightSlice(weight, axis, each) for weight, axis in by_head),
                ],
            ),
            ("qk", _both(qkv, qkv_bias, torch.cat([units(q), units(k)], dim=1))),
            ("v", [*_both(qkv, qkv_bias, units(v)), WeightSlice(proj, 1, units(joined))]),
        ]
    if layer.mlp:
        neurons = torch.arange(layer.mlp)[:, None]
        fc1, fc2 = f"{prefix}.mlp.fc1", f"{prefix}.mlp.fc2"
        parts = [
            *_both(f"{fc1}.weight", f"{fc1}.bias", neurons),
            WeightSlice(f"{fc2}.weight", 1, neurons),
        ]
        found.append(("mlp", parts))
    lanes = {"qk": layer.heads, "v": layer.heads} if not aligned else {}
    return [
        Structure(f"{name}.{kind}", kind, tuple(parts), lanes.get(kind, 1)) for kind, parts in found
    ]


def _places(heads: int, width: int, start: int) -> Tensor:
    """Return heads x width: where each dim of each head lies in a row of heads from `start` on."""
    return start + torch.arange(heads * width).reshape(heads, width)


def _dims_of_all_heads(places: Tensor) -> Tensor:
    return places.T


def _dims_one_by_one(places: Tensor) -> Tensor:
    return places.reshape(-1, 1)


def _both(weight: str, bias: str, index: Tensor) -> list[WeightSlice]:
    return [WeightSlice(weight, 0, index), WeightSlice(bias, 0, index)]
