"""Every attention, every MLP and every whole layer of a Vision Transformer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...removal import RemovableModule
from .spec import ViTLayer, ViTSpec


def removable_of_vit(spec: ViTSpec) -> Iterator[RemovableModule]:
    """Yield "layers.3.attention", "layers.3.mlp" and "layers.3", as far as present.

    No attention whose keys say which tokens merge.
    """
    scale1, scale2 = (["ls1"], ["ls2"]) if spec.details.layer_scale else ([], [])
    for number, layer in enumerate(spec.layers):
        name, weights = f"layers.{number}", f"blocks.{number}"
        merges = bool(spec.merges[number])
        if layer.heads and not merges:
            left = _with_layer(spec, number, replace(layer, heads=0))
            parts = tuple(f"{weights}.{part}" for part in ("norm1", "attn", *scale1))
            yield RemovableModule(f"{name}.attention", "attention", left, parts)
        if layer.mlp:
            left = _with_layer(spec, number, replace(layer, mlp=0))
            parts = tuple(f"{weights}.{part}" for part in ("norm2", "mlp", *scale2))
            yield RemovableModule(f"{name}.mlp", "mlp", left, parts)
        if layer.heads and layer.mlp and not merges and spec.depth > 1:
            left = replace(
                spec,
                layers=(*spec.layers[:number], *spec.layers[number + 1 :]),
                merges=(*spec.merges[:number], *spec.merges[number + 1 :]),
            )
            yield RemovableModule(name, "layer", left, (weights,), ("blocks", number))


def _with_layer(spec: ViTSpec, number: int, layer: ViTLayer) -> ViTSpec:
    layers = list(spec.layers)
    layers[number] = layer
    return replace(spec, layers=tuple(layers))
