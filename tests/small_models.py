"""Small models of families whose named ones are large, with what is special in their structure."""

from __future__ import annotations

from vitprof.models import AutoViTSpec, MBConvStage, SwinSpec, TransformerStage


def small_swin() -> SwinSpec:
    """Two stages of shifted windows, and the merging of patches between them."""
    return SwinSpec.uniform(
        32, (2, 2), (2, 4), window=4, resolution=64, classes=10, name="swin-small-test"
    )


def small_autovit() -> AutoViTSpec:
    """Every kind of AutoViT's stages: the stem, MBConvs, transformers and the pooling."""
    return AutoViTSpec(
        mbconvs=(MBConvStage(8, 2, 1, 1), MBConvStage(16, 3, 2, 2)),
        transformers=(
            TransformerStage(16, 16, 3, 2, 8, 8, 32, 1),
            TransformerStage(16, 24, 2, 2, 8, 8, 32, 2),
        ),
        pool_width=24,
        pool_expansion=2,
        stem_width=8,
        resolution=64,
        classes=10,
        name="autovit-small",
    )
