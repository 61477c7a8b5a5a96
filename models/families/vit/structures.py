"""The prunable structures of a plain Vision Transformer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ....errors import UserError
from ...structures.structure import Structure
from ...structures.transformer_layer import along_embed, layer_structures, norm_axes, residual_axes
from .spec import ViTLayer, ViTSpec


def vit_structures(spec: ViTSpec, aligned: bool = True) -> list[Structure]:
    """Return EMB ("embed"), and heads, QK, V and MLP of every layer ("layers.3.qk")."""
    details = spec.details
    _check_prunable(spec)
    axes = [("cls_token", 2)] if details.class_token else []
    axes += [("pos_embed", 2), ("patch_embed.proj.weight", 0)]
    axes += norm_axes("norm_pre") if details.pre_norm else [("patch_embed.proj.bias", 0)]
    last_norm = {"tokens": "norm", "pooled": "fc_norm", "none": None}[details.final_norm]
    axes += norm_axes(last_norm) if last_norm else []
    axes += [("head.weight", 1)]
    axes += [("dist_token", 2)] if spec.distilled else []
    axes += [("reg_token", 2)] if details.registers else []
    axes += [("head_dist.weight", 1)] if spec.distillation_head else []
    within = []
    for number, layer in enumerate(spec.layers):
        prefix = f"blocks.{number}"
        axes += residual_axes(prefix, layer)
        if details.layer_scale:
            axes += [(f"{prefix}.ls1.gamma", 0)] if layer.heads else []
            axes += [(f"{prefix}.ls2.gamma", 0)] if layer.mlp else []
        within += layer_structures(prefix, f"layers.{number}", layer, aligned)
    return [Structure("embed", "embed", along_embed(spec.embed, axes)), *within]


def _check_prunable(spec: ViTSpec) -> None:
    details = spec.details
    hindrances = {
        "classes=0 (no classifier says what matters)": not spec.classes,
        "details.qk_norm": details.qk_norm,
        "details.qkv_bias=false": not details.qkv_bias,
        'details.activation="swiglu"': details.activation == "swiglu",
    }
    found = [name for name, hinders in hindrances.items() if hinders]
    if found:
        raise UserError(f"{spec.name} has {found[0]}, which cannot be pruned yet.")


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
