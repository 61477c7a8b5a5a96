"""Specs that can be predicted at once: plain ViTs without making their blocks one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ...models import Spec, ViTSpec
from .block_arrays import BlockArrays


def alike_specs(specs: Sequence[Spec]) -> Iterator[tuple[list[int], BlockArrays | None]]:
    """Yield the positions of alike specs: of one family, or ViTs of one frame as their arrays."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for position, spec in enumerate(specs):
        groups.setdefault(_kind(spec), []).append(position)
    for positions in groups.values():
        group = [specs[position] for position in positions]
        vits = [spec for spec in group if isinstance(spec, ViTSpec)]
        plain = len(vits) == len(group) and len(_kind(group[0])) > 1
        yield positions, arrays_of_vits(vits) if plain else None


def arrays_of_vits(specs: Sequence[ViTSpec]) -> BlockArrays:
    """Return the arrays of ViTs that merge no tokens and share image, patch, classes and tokens."""
    lengths = np.array([len(spec.layers) for spec in specs])
    there = np.arange(lengths.max()) < lengths[:, None]
    layers = [layer for spec in specs for layer in spec.layers]

    def widths(values: list[int]) -> np.ndarray:
        table = np.zeros(there.shape, dtype=np.int64)
        table[there] = values
        return table

    return BlockArrays.from_vit_widths(
        specs[0],
        np.array([spec.embed for spec in specs]),
        heads=widths([layer.heads for layer in layers]),
        qk=widths([layer.qk for layer in layers]),
        v=widths([layer.v for layer in layers]),
        mlp=widths([layer.mlp for layer in layers]),
    )


def _kind(spec: Spec) -> tuple[object, ...]:
    """Return what specs that are predicted together share: the family, and a ViT's frame."""
    if type(spec) is not ViTSpec or any(spec.merges):
        return (spec.line_family,)
    frame = (spec.resolution, spec.patch, spec.in_channels, spec.classes, spec.prefix)
    return (spec.family, *frame, spec.classifier_heads)
