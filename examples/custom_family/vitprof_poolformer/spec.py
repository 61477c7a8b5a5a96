"""PoolFormer as data (Yu et al. 2022, "MetaFormer is actually what you need"); needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from vitprof.errors import UserError
from vitprof.models import Block, Op, Spec

OPS = (
    Op(
        "overlapping_embed",  # convolution of overlapping patches
        ("in_channels", "embed", "resolution", "kernel", "stride"),
        macs=lambda d: d["embed"] * d["in_channels"] * (d["kernel"] * _side(d)) ** 2,
        params=lambda d: d["embed"] * (d["in_channels"] * d["kernel"] ** 2 + 1),
        input_shape=lambda d: (d["in_channels"], d["resolution"], d["resolution"]),
        output_shape=lambda d: (d["embed"], _side(d), _side(d)),
        fixed=("resolution", "kernel", "stride"),
    ),
    Op(
        "poolformer_block",  # group norm, pooling, group norm, MLP; both halves scaled and added
        ("embed", "mlp", "resolution"),
        macs=lambda d: 2 * d["embed"] * d["mlp"] * d["resolution"] ** 2,
        params=lambda d: d["embed"] * (2 * d["mlp"] + 7) + d["mlp"],
        input_shape=lambda d: (d["embed"], d["resolution"], d["resolution"]),
        output_shape=lambda d: (d["embed"], d["resolution"], d["resolution"]),
        fixed=("resolution",),
    ),
    Op(
        "poolformer_head",  # group norm, mean over the map, linear
        ("embed", "classes", "resolution"),
        macs=lambda d: d["embed"] * d["classes"],
        params=lambda d: 2 * d["embed"] + (d["embed"] + 1) * d["classes"],
        input_shape=lambda d: (d["embed"], d["resolution"], d["resolution"]),
        output_shape=lambda d: (d["classes"],),
        fixed=("resolution",),
    ),
)


def _side(d):
    return d["resolution"] // d["stride"]


@dataclass(frozen=True, kw_only=True)
class PoolFormerSpec(Spec):
    """Stages of equal blocks: the width and depth of each. mlp_ratio: hidden width over width."""

    family: ClassVar[str] = "poolformer"

    embeds: tuple[int, ...]
    depths: tuple[int, ...]
    mlp_ratio: int = 4
    resolution: int = 224
    in_channels: int = 3
    classes: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_whole_numbers()
        if len(self.embeds) != len(self.depths) or self.resolution % 2 ** (len(self.embeds) + 1):
            raise UserError("embeds and depths need one number a stage; each stage halves the map.")

    def blocks(self) -> list[Block]:
        found, before, side = [], self.in_channels, self.resolution
        for embed, depth in zip(self.embeds, self.depths, strict=True):
            kernel, stride = (3, 2) if found else (7, 4)
            dims = {"in_channels": before, "embed": embed, "resolution": side}
            found.append(Block.of("overlapping_embed", **dims, kernel=kernel, stride=stride))
            side //= stride
            dims = {"embed": embed, "mlp": self.mlp_ratio * embed, "resolution": side}
            found += [Block.of("poolformer_block", **dims)] * depth
            before = embed
        head = {"embed": before, "classes": self.classes, "resolution": side}
        return [*found, Block.of("poolformer_head", **head)]


def known_poolformers() -> list[PoolFormerSpec]:
    """Return PoolFormer-S12 and -S24 (Table 1)."""
    depths = {"s12": (2, 2, 6, 2), "s24": (4, 4, 12, 4)}
    return [
        PoolFormerSpec(name=f"poolformer-{size}", embeds=(64, 128, 320, 512), depths=depth)
        for size, depth in depths.items()
    ]
