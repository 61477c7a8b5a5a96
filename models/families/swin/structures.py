"""The prunable structures of a Swin Transformer, stage by stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ...structures.structure import Structure
from ...structures.transformer_layer import along_embed, layer_structures, norm_axes, residual_axes
from ..vit.structures import layer_with_units
from .spec import SwinSpec, SwinStage


def swin_structures(spec: SwinSpec, aligned: bool = True) -> list[Structure]:
    """Return each stage's EMB ("stages.2.embed") and its layers' structures."""
    found = []
    last = len(spec.stages) - 1
    for number, stage in enumerate(spec.stages):
        axes = []
        if number == 0:
            axes += [("patch_embed.proj.weight", 0), ("patch_embed.proj.bias", 0)]
            axes += norm_axes("patch_embed.norm")
        else:
            axes.append((f"layers.{number}.downsample.reduction.weight", 0))
        within = []
        for place, layer in enumerate(stage.layers):
            prefix = f"layers.{number}.blocks.{place}"
            axes += residual_axes(prefix, layer)
            bias = (f"{prefix}.attn.relative_position_bias_table", 1)
            name = f"stages.{number}.layers.{place}"
            within += layer_structures(prefix, name, layer, aligned, [bias])
        if number == last and spec.classes:
            axes += [*norm_axes("norm"), ("head.fc.weight", 1)]
        parts = along_embed(stage.embed, axes)
        if number != last:
            merging = f"layers.{number + 1}.downsample"
            wide = [*norm_axes(f"{merging}.norm"), (f"{merging}.reduction.weight", 1)]
            parts += along_embed(stage.embed, wide, repeats=4)
        found += [Structure(f"stages.{number}.embed", "embed", parts), *within]
    return found


def swin_with_units(spec: SwinSpec, units: Mapping[str, int]) -> SwinSpec:
    """Return the spec with so many units in each structure named."""
    stages = []
    for number, stage in enumerate(spec.stages):
        name = f"stages.{number}"
        layers = [
            layer_with_units(layer, f"{name}.layers.{place}", units)
            for place, layer in enumerate(stage.layers)
        ]
        stages.append(SwinStage(units.get(f"{name}.embed", stage.embed), tuple(layers)))
    return replace(spec, stages=tuple(stages))
