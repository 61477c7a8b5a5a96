"""The layers of an EfficientViT's stages that have several."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...removal import RemovableModule, with_one_less
from .spec import EfficientViTSpec


def removable_of_efficientvit(spec: EfficientViTSpec) -> Iterator[RemovableModule]:
    """Yield "stages.1.layers.0" and so on."""
    for number, stage in enumerate(spec.stages):
        layers = f"stages.{number}.blocks"
        for index in range(stage.depth if stage.depth > 1 else 0):
            yield RemovableModule(
                f"stages.{number}.layers.{index}",
                "layer",
                replace(spec, stages=with_one_less(spec.stages, number)),
                (f"{layers}.{index}",),
                (layers, index),
            )
