"""The layers of an AutoViT without which its stages go on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...removal import RemovableModule, with_one_less
from .spec import AutoViTSpec


def removable_of_autovit(spec: AutoViTSpec) -> Iterator[RemovableModule]:
    """Yield MBConvs behind the first of their stage ("mbconvs.1.1") and transformer layers.

    Those are of stages that have several ("transformers.0.layers.2").
    """
    place = 1  # in spec.blocks(), behind the stem
    for number, conv in enumerate(spec.mbconvs):
        # The first one may change width or resolution; those behind it have a residual.
        for index in range(1, conv.depth):
            yield RemovableModule(
                f"mbconvs.{number}.{index}",
                "mbconv",
                replace(spec, mbconvs=with_one_less(spec.mbconvs, number)),
                (f"blocks.{place + index}",),
                ("blocks", place + index),
            )
        place += conv.depth
    for number, stage in enumerate(spec.transformers):
        layers = f"blocks.{place + 1}.layers"  # behind the stage's own MBConv
        for index in range(stage.depth if stage.depth > 1 else 0):
            yield RemovableModule(
                f"transformers.{number}.layers.{index}",
                "layer",
                replace(spec, transformers=with_one_less(spec.transformers, number)),
                (f"{layers}.{index}",),
                (layers, index),
            )
        place += 2
