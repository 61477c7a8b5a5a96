"""The plain Vision Transformers known by name."""

from __future__ import annotations

from .revit import revit_spec
from .spec import ViTSpec

# embed, depth, heads: Dosovitskiy et al. 2020, table 1; Touvron et al. 2021, table 1.
_SIZES = {
    "tiny": (192, 12, 3),
    "small": (384, 12, 6),
    "base": (768, 12, 12),
    "large": (1024, 24, 16),
}


def known_vits() -> list[ViTSpec]:
    """Return the ViTs and DeiTs of the papers, two small ones, and the ReViTs."""
    specs = []
    for size in ("tiny", "small", "base"):
        specs.append(ViTSpec.uniform(*_SIZES[size], name=f"deit-{size}"))
        specs.append(ViTSpec.uniform(*_SIZES[size], name=f"deit-{size}-distilled", distilled=True))
    specs += [ViTSpec.uniform(*dims, name=f"vit-{size}") for size, dims in _SIZES.items()]
    specs += [
        ViTSpec.uniform(192, 6, 3, name="vit-tiny-32", resolution=32, patch=4, classes=10),
        ViTSpec.uniform(
            64, 4, 4, name="vit-micro-8", resolution=8, patch=2, classes=10, in_channels=1
        ),
    ]
    # Yang et al. 2023 (NViT), table 7.
    specs += [revit_spec(384, name="revit-small"), revit_spec(176, name="revit-tiny")]
    return specs
