"""A Vision Transformer without weights, put together of layers that are kept."""

from __future__ import annotations

import functools
from dataclasses import replace

import torch
from torch import nn

from ...skeleton import KEPT_LAYERS
from .details import PLAIN
from .model import VisionTransformer
from .spec import ViTLayer, ViTSpec


def vit_skeleton(spec: ViTSpec) -> VisionTransformer | None:
    """Return the model on the meta device; None for one that merges tokens or has details."""
    if any(spec.merges) or spec.details != PLAIN:
        return None
    with torch.device("meta"):
        model = VisionTransformer(replace(spec, layers=spec.layers[:1])).eval()
    model.blocks = nn.ModuleList(
        _layer(index, layer, spec.embed, spec.attention_scale_dim, spec.norm_eps)
        for index, layer in enumerate(spec.layers)
    )
    return model


# Two equal layers of a model are two modules: each gets tensors of its own. So there is `index`.
@functools.lru_cache(maxsize=KEPT_LAYERS)
def _layer(
    index: int, layer: ViTLayer, embed: int, scale_dim: int | None, norm_eps: float | None
) -> nn.Module:
    spec = ViTSpec(
        embed=embed,
        layers=(layer,),
        attention_scale_dim=scale_dim,
        norm_eps=norm_eps,
        resolution=1,
        patch=1,
        classes=1,
    )
    with torch.device("meta"):
        blocks = VisionTransformer(spec).eval().blocks
    assert isinstance(blocks, nn.ModuleList)
    return blocks[0]
