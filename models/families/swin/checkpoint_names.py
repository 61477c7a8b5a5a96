"""From the weight names of Swin's files to those of timm since 0.9, which are the module's.

The official files and timm before 0.9 keep a stage's merging at the end of the stage before
(`layers.0.downsample`) and call the classifier `head`; Hugging Face files say
`swin.encoder.layers.0.blocks.0.attention.self.query.weight`, which transformers 5 holds in memory
as `...attention.q_proj.weight`. timm fuses query, key and value into `attn.qkv`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ....errors import UserError
from ..vit.checkpoint_names import fuse_qkv
from .mask2former import backbone_weights

if TYPE_CHECKING:
    from torch import Tensor

_OUTSIDE_STAGES = {
    "embeddings.patch_embeddings.projection": "patch_embed.proj",
    "embeddings.norm": "patch_embed.norm",
    "layernorm": "norm",
    "classifier": "head.fc",
    "head": "head.fc",
}
_INSIDE_LAYER = {
    "attention.self.query": "attn.q",
    "attention.self.key": "attn.k",
    "attention.self.value": "attn.v",
    "attention.output.dense": "attn.proj",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
    "attention.q_proj": "attn.q",
    "attention.k_proj": "attn.k",
    "attention.v_proj": "attn.v",
    "attention.o_proj": "attn.proj",
    "attention.self": "attn",
    "attention.relative_position_bias": "attn",
    "layernorm_before": "norm1",
    "layernorm_after": "norm2",
}
_BASE = re.compile(r"^swin\.(?:encoder\.)?")
_LAYER = re.compile(r"^(layers\.\d+\.blocks\.\d+)\.(.+)\.(\w+)$")
_MERGING = re.compile(r"^layers\.(\d+)\.downsample\.(.+)$")
# No part of classification: the token of masked image modelling.
_IGNORED = "embeddings.mask_token"


def swin_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the same weights under the module's names, query, key and value fused.

    A name that is not known is kept as it is. Raises UserError where two weights stand for the
    same, and where one of a layer's query, key and value is missing or the three do not fit.
    """
    # Of a Mask2Former, those of its backbone.
    weights = backbone_weights(weights) or weights
    # The first stage has no merging in front of it: what it has stands at its end.
    at_the_end = any(_BASE.sub("", name).startswith("layers.0.downsample.") for name in weights)
    renamed: dict[str, Tensor] = {}
    for name, weight in weights.items():
        bare = _BASE.sub("", name)
        if bare == _IGNORED:
            continue
        new_name = _new_name(bare, at_the_end)
        if new_name in renamed:
            raise UserError(f"'{name}' and another weight both stand for '{new_name}'; remove one.")
        renamed[new_name] = weight
    return fuse_qkv(renamed)


def _new_name(bare: str, merging_at_the_end: bool) -> str:
    merging = _MERGING.match(bare)
    if merging is not None:
        stage = int(merging[1]) + merging_at_the_end
        return f"layers.{stage}.downsample.{merging[2]}"
    layer = _LAYER.match(bare)
    if layer is not None:
        return f"{layer[1]}.{_INSIDE_LAYER.get(layer[2], layer[2])}.{layer[3]}"
    place, _, kind = bare.rpartition(".")
    return f"{_OUTSIDE_STAGES.get(place, place)}.{kind}" if place else bare
