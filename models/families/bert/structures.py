"""The prunable structures of a BERT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ...structures.structure import Structure
from ...structures.transformer_layer import along_embed, layer_structures, norm_axes, residual_axes
from ..vit.structures import layer_with_units
from .spec import BertSpec


def bert_structures(spec: BertSpec, aligned: bool = True) -> list[Structure]:
    """Return EMB ("embed"), and heads, QK, V and MLP of every layer ("layers.3.qk")."""
    axes = [(f"embeddings.{table}.weight", 1) for table in ("word", "position", "sentence")]
    axes += [*norm_axes("norm"), ("pooler.weight", 1)]
    within = []
    for number, layer in enumerate(spec.layers):
        prefix = f"layers.{number}"
        axes += residual_axes(prefix, layer)
        within += layer_structures(prefix, prefix, layer, aligned)
    return [Structure("embed", "embed", along_embed(spec.embed, axes)), *within]


def bert_with_units(spec: BertSpec, units: Mapping[str, int]) -> BertSpec:
    """Return the spec with so many units in each structure named."""
    layers = [
        layer_with_units(layer, f"layers.{number}", units)
        for number, layer in enumerate(spec.layers)
    ]
    return replace(spec, embed=units.get("embed", spec.embed), layers=tuple(layers))
