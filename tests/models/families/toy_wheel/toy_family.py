"""A family of another wheel: blocks that mix pixels by pooling, and a classifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from vitprof.models import Block, Family, Op, Spec


@dataclass(frozen=True, kw_only=True)
class ToySpec(Spec):
    family: ClassVar[str] = "toy"

    width: int = 8
    depth: int = 2
    resolution: int = 16
    in_channels: int = 3
    classes: int = 10

    @classmethod
    def from_fields(cls, record: Mapping[str, Any]) -> ToySpec:
        return cls(**record)

    def blocks(self) -> list[Block]:
        stem = Block.of("toy_stem", out_channels=self.width, resolution=self.resolution)
        mixer = Block.of("toy_mixer", reach=3, out_channels=self.width, resolution=self.resolution)
        head = Block.of(
            "toy_head", out_channels=self.width, classes=self.classes, resolution=self.resolution
        )
        return [stem, *[mixer] * self.depth, head]


def known() -> list[ToySpec]:
    return [ToySpec(name="toy-small"), ToySpec(name="toy-large", width=16, depth=4)]


def _map(d: Mapping[str, int]) -> tuple[int, ...]:
    return (d["out_channels"], d["resolution"], d["resolution"])


OPS = (
    Op(
        "toy_stem",
        ("out_channels", "resolution"),
        lambda d: 3 * d["out_channels"] * d["resolution"] ** 2,
        lambda d: 3 * d["out_channels"],
        lambda d: (3, d["resolution"], d["resolution"]),
        _map,
    ),
    Op("toy_mixer", ("reach", "out_channels", "resolution"), lambda _: 0, lambda _: 0, _map, _map),
    Op(
        "toy_head",
        ("out_channels", "classes", "resolution"),
        lambda d: d["out_channels"] * d["classes"],
        lambda d: d["out_channels"] * d["classes"],
        _map,
        lambda d: (d["classes"],),
    ),
)

FAMILY = Family(
    name="toy",
    title="Toy",
    package=__name__,
    spec=":ToySpec",
    known=":known",
    ops=":OPS",
    module="toy_modules:Toy",
    blocks="toy_modules:BLOCKS",
    space="toy_space:ToySpace",
    hugging_face={"toy": ":spec_from_config"},
    rename="toy_modules:with_bare_names",
)


def spec_from_config(config: Mapping[str, Any], name: str) -> ToySpec:
    return ToySpec(name=name, width=config["hidden_size"])
