"""The two kinds of stages an AutoViT is made of (Kong et al. 2025, table 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache
from typing import Any

from ....errors import UserError
from ...checks import check_known_fields, check_required_fields, check_whole_number, shown
from ..vit.spec import LARGEST_DEPTH, LARGEST_HEADS, LARGEST_RESOLUTION, LARGEST_WIDTH

LARGEST_STAGE_EXPANSION = 64


def check_kernel(field: str, value: Any) -> None:
    """Raise UserError unless `value` is an odd whole number: only these keep a map's side."""
    check_whole_number(field, value, 1, LARGEST_RESOLUTION)
    if value % 2 == 0:
        raise UserError(f"{field}={value} must be odd, so that the map keeps its side.")


@dataclass(frozen=True)
class MBConvStage:
    """`depth` inverted bottlenecks (Sandler et al. 2018, section 3.3) of `width` channels.

    The first has the stage's stride, 1 or 2; each has `expansion` times its input's channels
    between its 1×1 convolutions. Raises UserError for a dim that is out of range.
    """

    width: int
    depth: int
    expansion: int
    stride: int
    kernel: int = 3

    def __post_init__(self) -> None:
        check_whole_number("width", self.width, 1, LARGEST_WIDTH)
        check_whole_number("depth", self.depth, 1, LARGEST_DEPTH)
        check_whole_number("expansion", self.expansion, 1, LARGEST_STAGE_EXPANSION)
        check_whole_number("stride", self.stride, 1, 2)
        check_kernel("kernel", self.kernel)

    @classmethod
    def from_fields(cls, record: Any) -> MBConvStage:
        """Return the stage with these JSON fields; raises UserError naming the wrong one."""
        return cls(**_checked(cls, record))


@dataclass(frozen=True)
class TransformerStage:
    """An MBConv, then MobileViT's block (Mehta & Rastegari 2021, figure 1b) of `depth` layers.

    The MBConv gives `channels` channels, with `stride` and `expansion`; the block's layers have
    width `embed`, `heads` heads of qk and v each, and an MLP of hidden width `mlp` (the paper's
    expansion ratio times embed). `kernel` is that of the MBConv and of the block's two k×k
    convolutions. Raises UserError for a dim that is out of range.
    """

    channels: int
    embed: int
    depth: int
    heads: int
    qk: int
    v: int
    mlp: int
    stride: int
    expansion: int = 4
    kernel: int = 3

    def __post_init__(self) -> None:
        check_whole_number("channels", self.channels, 1, LARGEST_WIDTH)
        check_whole_number("embed", self.embed, 1, LARGEST_WIDTH)
        check_whole_number("depth", self.depth, 1, LARGEST_DEPTH)
        for field in ("heads", "qk", "v"):
            check_whole_number(field, getattr(self, field), 1, LARGEST_HEADS)
        check_whole_number("mlp", self.mlp, 1, LARGEST_WIDTH)
        check_whole_number("stride", self.stride, 1, 2)
        check_whole_number("expansion", self.expansion, 1, LARGEST_STAGE_EXPANSION)
        check_kernel("kernel", self.kernel)

    @property
    def entry(self) -> MBConvStage:
        """The MBConv in front."""
        return _entry(self.channels, self.expansion, self.stride, self.kernel)

    @property
    def layer_dims(self) -> dict[str, int]:
        """The dims of its layers, by the names of the op's axes."""
        return {
            "embed": self.embed,
            "heads": self.heads,
            "qk": self.qk,
            "v": self.v,
            "mlp": self.mlp,
            "depth": self.depth,
        }

    @classmethod
    def from_fields(cls, record: Any) -> TransformerStage:
        """Return the stage with these JSON fields; qk and v are embed/heads unless given.

        Raises UserError naming the wrong field, and where heads does not divide embed then.
        """
        given = _checked(cls, record, ("qk", "v"))
        if "qk" in given and "v" in given:
            return cls(**given)
        return cls(**{**_per_head(given), **given})


@lru_cache(maxsize=4096)
def _entry(channels: int, expansion: int, stride: int, kernel: int) -> MBConvStage:
    return MBConvStage(channels, 1, expansion, stride, kernel)


def _per_head(record: Mapping[str, Any]) -> dict[str, int]:
    embed, heads = record["embed"], record["heads"]
    check_whole_number("embed", embed, 1, LARGEST_WIDTH)
    check_whole_number("heads", heads, 1, LARGEST_HEADS)
    if embed % heads:
        raise UserError(
            f"heads={heads} does not divide embed={embed}, so qk and v of a head are unclear; "
            "give both, or change one of the two."
        )
    return {"qk": embed // heads, "v": embed // heads}


def _checked(cls: type, record: Any, optional: tuple[str, ...] = ()) -> Mapping[str, Any]:
    """Return `record`, which has this dataclass's fields; raises UserError naming the wrong one."""
    if not isinstance(record, Mapping):
        raise UserError(f"{shown(record)} must be an object with the fields of {cls.__name__}.")
    check_known_fields(record, [field.name for field in fields(cls)])
    required = [f.name for f in fields(cls) if f.default is MISSING and f.name not in optional]
    check_required_fields(record, required)
    return record
