"""The prunable structures of a plain Vision Transformer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ...structures.structure import Structure
from ...structures.transformer_layer import along_embed, layer_structures, norm_axes, residual_axes
from .spec import ViTLayer, ViTSpec


def vit_structures(spec: ViTSpec, aligned: bool = True) -> list[Structure]:
    """Return EMB ("embed"), and heads, QK, V and MLP of every layer ("layers.3.qk")."""
    axes = [
        ("cls_token", 2),
        ("pos_embed", 2),
        ("patch_embed.proj.weight", 0),
        ("patch_embed.proj.bias", 0),
        *norm_axes("norm"),
        ("head.weight", 1),
    ]
    axes += [("dist_token", 2)] if spec.distilled else []
    axes += [("head_dist.weight", 1)] if spec.distillation_head else []
    within = []
    for number, layer in enumerate(spec.layers):
        prefix = f"blocks.{number}"
        axes += residual_axes(prefix, layer)
        within += layer_structures(prefix, f"layers.{number}", layer, aligned)
    return [Structure("embed", "embed", along_embed(spec.embed, axes)), *within]


def vit_with_units(spec: ViTSpec, units: Mapping[str, int]) -> ViTSpec:
    """Return the spec with so many units in each structure named."""
    layers = [
        layer_with_units(layer, f"layers.{number}", units)
        for number, layer in enumerate(spec.layers)
    ]
    return replace(spec, embed=units.get("embed", spec.embed), layers=tuple(layers))


def layer_with_units(layer: ViTLayer, name: str, units: Mapping[str, int]) -> ViTLayer:
    dims = {
        kind: units.get(f"{name}.{kind}", getattr(layer, kind))
        for kind in ("heads", "qk", "v", "mlp")
    }
    return ViTLayer(**dims)
