"""The EfficientViTs known by name."""

from __future__ import annotations

from .spec import EfficientViTSpec, EfficientViTStage

# Liu et al. 2023, table 1: width, depth and heads of each stage; then the kernels on the queries
# of each head, as in the official configurations.
_SIZES = {
    "m0": (((64, 1, 4), (128, 2, 4), (192, 3, 4)), (5, 5, 5, 5)),
    "m1": (((128, 1, 2), (144, 2, 3), (192, 3, 3)), (7, 5, 3, 3)),
    "m2": (((128, 1, 4), (192, 2, 3), (224, 3, 2)), (7, 5, 3, 3)),
    "m3": (((128, 1, 4), (240, 2, 3), (320, 3, 4)), (5, 5, 5, 5)),
    "m4": (((128, 1, 4), (256, 2, 4), (384, 3, 4)), (7, 5, 3, 3)),
    "m5": (((192, 1, 3), (288, 3, 3), (384, 4, 4)), (7, 5, 3, 3)),
}


def known_efficientvits() -> list[EfficientViTSpec]:
    """Return EfficientViT-M0 to -M5 at 224x224 with 1000 classes."""
    return [
        EfficientViTSpec(
            name=f"efficientvit-{size}",
            stages=tuple(EfficientViTStage(*stage) for stage in stages),
            kernels=kernels,
        )
        for size, (stages, kernels) in _SIZES.items()
    ]
