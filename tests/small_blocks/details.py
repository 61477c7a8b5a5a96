"""Blocks that only Vision Transformers with details have, one of each op, at small dims."""

from __future__ import annotations

from vitprof.models import Block

_WIDTHS = {"embed": 32, "tokens": 17}
DETAILS = {
    block.op: block
    for block in (
        Block.of("prefixless_patch_embed", embed=32, in_channels=3, resolution=32, kernel=8),
        Block.of("normed_attention", **_WIDTHS, heads=2, qk=16, v=16),
        *(Block.of(op, **_WIDTHS, mlp=64) for op in ("mlp_gelu_tanh", "mlp_quick_gelu")),
        Block.of("swiglu_mlp", **_WIDTHS, mlp=64),
        *(Block.of(op, **_WIDTHS) for op in ("features", "mean_features")),
    )
}
