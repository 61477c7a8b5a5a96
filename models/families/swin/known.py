"""The Swin Transformers known by name."""

from __future__ import annotations

from ..vit.revit import with_revit_stage
from .spec import SwinSpec

# embed, depths, heads: Liu et al. 2021, section 3.3 (a head is 32 wide).
_SIZES = {
    "tiny": (96, (2, 2, 6, 2), (3, 6, 12, 24)),
    "small": (96, (2, 2, 18, 2), (3, 6, 12, 24)),
    "base": (128, (2, 2, 18, 2), (4, 8, 16, 32)),
}


# The stage with most of the layers.
_REVIT_STAGE = 2


def known_swins() -> list[SwinSpec]:
    """Return the paper's Swin-T, Swin-S and Swin-B at 224 pixels, then each by ReViT's rule.

    The rule is that of Yang et al. 2023 (NViT), Table 6, on the third stage.
    """
    plain = [SwinSpec.uniform(*dims, name=f"swin-{size}") for size, dims in _SIZES.items()]
    return [*plain, *(with_revit_stage(spec, _REVIT_STAGE) for spec in plain)]
