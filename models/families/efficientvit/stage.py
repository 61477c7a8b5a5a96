"""One stage of an EfficientViT as data."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from ....errors import UserError
from ...checks import check_known_fields, check_required_fields, check_whole_number, shown

# Far above any real model; they stop a typo or a hostile file from asking for terabytes.
LARGEST_WIDTH = 16_384
LARGEST_HEADS = 256
LARGEST_DEPTH = 256


@dataclass(frozen=True)
class EfficientViTStage:
    """One stage: `depth` layers of width `embed` whose attention has `heads` heads.

    Raises UserError for a value that is out of range and heads that do not divide embed.
    """

    embed: int
    depth: int
    heads: int

    def __post_init__(self) -> None:
        check_whole_number("embed", self.embed, 1, LARGEST_WIDTH)
        check_whole_number("depth", self.depth, 1, LARGEST_DEPTH)
        check_whole_number("heads", self.heads, 1, LARGEST_HEADS)
        if self.embed % self.heads:
            raise UserError(
                f"heads={self.heads} does not divide embed={self.embed}, so the heads cannot "
                "share the channels; change one of the two."
            )

    @classmethod
    def from_fields(cls, record: Any) -> EfficientViTStage:
        """Return the stage with these JSON fields; raises UserError naming the wrong one."""
        if not isinstance(record, dict):
            raise UserError(
                f'{shown(record)} must be an object like {{"embed": 64, "depth": 1, "heads": 4}}.'
            )
        names = [field.name for field in fields(cls)]
        check_known_fields(record, names)
        check_required_fields(record, names)
        return cls(**record)
