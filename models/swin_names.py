"""The Swin Transformers known by name."""

from __future__ import annotations

from .swin import SwinSpec

# embed, depths, heads: Liu et al. 2021, section 3.3 (a head is 32 wide).
_SIZES = {
    "tiny": (96, (2, 2, 6, 2), (3, 6, 12, 24)),
    "small": (96, (2, 2, 18, 2), (3, 6, 12, 24)),
    "base": (128, (2, 2, 18, 2), (4, 8, 16, 32)),
}


def known_swins() -> list[SwinSpec]:
    """Return the paper's Swin-T, Swin-S and Swin-B at 224 pixels."""
    return [SwinSpec.uniform(*dims, name=f"swin-{size}") for size, dims in _SIZES.items()]
