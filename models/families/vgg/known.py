"""The VGGs known by name."""

from __future__ import annotations

from .spec import VggSpec

# Convolutions a stage: columns A, B, D and E of Simonyan & Zisserman 2015, table 1.
_DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
_WIDTHS = (64, 128, 256, 512, 512)


def known_vggs() -> list[VggSpec]:
    """Return VGG-11 to -19 with batch norms, and each for CIFAR.

    Those see images of 32 pixels and have one dense layer of 512 (as the VGG-16 of Lin et al. 2020,
    HRank, of 313.7 MMACs).
    """
    found = []
    for depth, counts in _DEPTHS.items():
        stages = tuple((width,) * count for width, count in zip(_WIDTHS, counts, strict=True))
        found.append(VggSpec(stages=stages, name=f"vgg{depth}-bn"))
        found.append(
            VggSpec(
                stages=stages,
                hidden=(512,),
                pooled=1,
                resolution=32,
                classes=10,
                name=f"vgg{depth}-bn-cifar",
            )
        )
    return found
