"""From the weight names of EfficientViT's authors to timm's.

Theirs are `blocks2.0.0.m.c.weight`, with the step between two stages as the first three blocks of
the later one; timm's are `stages.1.downsample.res1.0.m.conv.weight`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ....errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

_BETWEEN = ("res1", "patchmerge", "res2")
_STEM = re.compile(r"^patch_embed\.(\d+)\.")
_BLOCK = re.compile(r"^blocks(\d+)\.(\d+)\.")
_CONVOLUTION = re.compile(r"\.c\.weight$")
_LINEAR = re.compile(r"^(head)\.l\.")
_POINTWISE = re.compile(r"(\.conv|\.se\.fc[12])\.weight$")


def efficientvit_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the same weights under timm's names; those that have them already keep them.

    A 1x1 convolution that is stored as a matrix becomes one again, as the authors' own code does.
    Raises UserError where two weights stand for one.
    """
    renamed: dict[str, Tensor] = {}
    for name, weight in weights.items():
        new_name = _timm_name(name)
        if new_name in renamed:
            raise UserError(f"'{name}' and another weight both stand for '{new_name}'; remove one.")
        is_matrix = weight.dim() == 2 and _POINTWISE.search(new_name) is not None
        renamed[new_name] = weight[:, :, None, None] if is_matrix else weight
    return renamed


def _timm_name(name: str) -> str:
    name = _CONVOLUTION.sub(".conv.weight", name)
    name = _LINEAR.sub(r"\1.linear.", name)
    name = _STEM.sub(lambda found: f"patch_embed.conv{int(found[1]) // 2 + 1}.", name)
    return _BLOCK.sub(lambda found: _place(int(found[1]), int(found[2])), name)


def _place(stage: int, index: int) -> str:
    if stage == 1:
        return f"stages.0.blocks.{index}."
    if index < len(_BETWEEN):
        return f"stages.{stage - 1}.downsample.{_BETWEEN[index]}."
    return f"stages.{stage - 1}.blocks.{index - len(_BETWEEN)}."
