"""The AutoViTs known by name: Kong et al. 2025, table 5, read as docs/autovit.md says."""

from __future__ import annotations

from .spec import AutoViTSpec
from .stages import MBConvStage, TransformerStage

# Table 5. MBConv: width, depth, expansion. Transformer: width, depth, heads, expansion ratio.
_TABLE = {
    "xxs": (
        ((16, 1, 1), (24, 2, 2), (32, 2, 2)),
        ((48, 4, 3, 1.0), (64, 3, 3, 1.5), (80, 3, 3, 2.0), (96, 2, 4, 2.0)),
        1000,
    ),
    "xs": (
        ((16, 1, 1), (24, 2, 2), (32, 3, 2)),
        ((96, 4, 4, 1.5), (120, 3, 6, 2.0), (144, 4, 4, 2.0), (168, 4, 4, 2.0)),
        1280,
    ),
    "s": (
        ((16, 2, 1), (24, 3, 2), (32, 3, 2)),
        ((128, 5, 9, 1.5), (176, 4, 8, 2.0), (224, 4, 8, 2.0), (272, 5, 9, 1.5)),
        1560,
    ),
}

# What the paper does not say, chosen so that its sizes are met best: docs/autovit.md.
MBCONV_STRIDES = (1, 2, 1)
TRANSFORMER_STRIDES = (2, 2, 2, 2)
HEAD_WIDTH = 12
ENTRY_EXPANSION = 4


def autovit_of_table(
    name: str,
    mbconvs: tuple[tuple[int, int, int], ...],
    transformers: tuple[tuple[int, int, int, float], ...],
    pool_width: int,
    *,
    stem_width: int = 16,
    resolution: int = 256,
    classes: int = 1000,
) -> AutoViTSpec:
    """Return the spec of rows as in the paper's tables 1 and 5, what they leave open filled in.

    mbconvs: (width, depth, expansion) of each stage; transformers: (width, depth, heads, expansion
    ratio of the MLP). The map around the transformer layers keeps the last MBConv stage's width.
    Raises UserError for what AutoViTSpec refuses.
    """
    return AutoViTSpec(
        name=name,
        mbconvs=tuple(
            MBConvStage(width, depth, expansion, stride)
            for (width, depth, expansion), stride in zip(mbconvs, MBCONV_STRIDES, strict=True)
        ),
        transformers=tuple(
            TransformerStage(
                channels=mbconvs[-1][0],
                embed=width,
                depth=depth,
                heads=heads,
                qk=HEAD_WIDTH,
                v=HEAD_WIDTH,
                mlp=round(ratio * width),
                stride=stride,
                expansion=ENTRY_EXPANSION,
            )
            for (width, depth, heads, ratio), stride in zip(
                transformers, TRANSFORMER_STRIDES[: len(transformers)], strict=True
            )
        ),
        pool_width=pool_width,
        stem_width=stem_width,
        resolution=resolution,
        classes=classes,
    )


def known_autovits() -> list[AutoViTSpec]:
    """Return autovit-xxs, autovit-xs and autovit-s."""
    return [autovit_of_table(f"autovit-{size}", *rows) for size, rows in _TABLE.items()]
