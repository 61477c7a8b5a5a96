"""From the weight names of Hugging Face's ViT, DeiT and DINOv2 to timm's.

Files that transformers writes say `vit.encoder.layer.0.attention.attention.query.weight`, its
version 5 holds the same weight in memory as `vit.layers.0.attention.q_proj.weight`, and timm
fuses query, key and value into `blocks.0.attn.qkv.weight`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ....errors import UserError
from .hugging_face import norm_eps_beside
from .spec import ViTSpec

if TYPE_CHECKING:
    from torch import Tensor

    from ...checkpoints import Checkpoint

_OUTSIDE_LAYERS = {
    "embeddings.cls_token": "cls_token",
    "embeddings.distillation_token": "dist_token",
    "embeddings.register_tokens": "reg_token",
    "embeddings.position_embeddings": "pos_embed",
    "embeddings.patch_embeddings.projection.weight": "patch_embed.proj.weight",
    "embeddings.patch_embeddings.projection.bias": "patch_embed.proj.bias",
    "layernorm.weight": "norm.weight",
    "layernorm.bias": "norm.bias",
    "classifier.weight": "head.weight",
    "classifier.bias": "head.bias",
    "cls_classifier.weight": "head.weight",
    "cls_classifier.bias": "head.bias",
    "distillation_classifier.weight": "head_dist.weight",
    "distillation_classifier.bias": "head_dist.bias",
}
_INSIDE_LAYER = {
    "attention.attention.query": "attn.q",
    "attention.attention.key": "attn.k",
    "attention.attention.value": "attn.v",
    "attention.output.dense": "attn.proj",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
    "attention.q_proj": "attn.q",
    "attention.k_proj": "attn.k",
    "attention.v_proj": "attn.v",
    "attention.o_proj": "attn.proj",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
    "layernorm_before": "norm1",
    "layernorm_after": "norm2",
    # DINOv2's; its gated MLP is of one name a half since transformers 5, in memory.
    "norm1": "norm1",
    "norm2": "norm2",
    "mlp.weights_in": "mlp.fc1",
    "mlp.weights_out": "mlp.fc2",
    "mlp.gate_proj": "mlp.gate",
    "mlp.up_proj": "mlp.up",
    "mlp.down_proj": "mlp.fc2",
}
_BASE = re.compile(r"^(?:vit|deit|dinov2|dinov2_with_registers)\.")
_LAYER = re.compile(r"^(?:encoder\.layer|layers)\.(\d+)\.(.+)\.(weight|bias)$")
_SCALE = re.compile(r"^(?:encoder\.layer|layers)\.(\d+)\.layer_scale([12])\.lambda1$")
# Not part of classification: the pooler, and the token of masked image modelling.
_IGNORED = re.compile(r"^(?:pooler\.|embeddings\.mask_token$)")


def is_hugging_face(names: Iterable[str]) -> bool:
    """Whether these are the weight names of a Hugging Face ViT, DeiT or DINOv2."""
    stems = {name for name in _OUTSIDE_LAYERS if name.startswith("embeddings.")}
    return any(_BASE.sub("", name) in stems for name in names)


def vit_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the same weights under timm's names; those that have them already keep them.

    Query, key and value are fused. A name that is neither known nor to be ignored is kept as it is.
    Raises UserError where one of a layer's query, key and value is missing or the three do not fit
    together.
    """
    if not is_hugging_face(weights):
        return dict(weights)
    renamed: dict[str, Tensor] = {}
    for name, weight in weights.items():
        bare = _BASE.sub("", name)
        if _IGNORED.match(bare):
            continue
        new_name = _timm_name(bare) or name
        if new_name in renamed:
            raise UserError(f"'{name}' and another weight both stand for '{new_name}'; remove one.")
        renamed[new_name] = weight
    return _positions_of_patches(_fuse_gates(fuse_qkv(renamed)))


def _positions_of_patches(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return DINOv2's weights with registers, the class token's position added to that token.

    Its registers have no positions, and timm's prefix then has none either.
    """
    if "reg_token" not in weights or not {"cls_token", "pos_embed"} <= weights.keys():
        return weights
    positions = weights["pos_embed"]
    return {
        **weights,
        "cls_token": weights["cls_token"] + positions[:, :1],
        "pos_embed": positions[:, 1:],
    }


def _fuse_gates(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights with `mlp.gate` and `mlp.up` of each layer as one `mlp.fc1`."""
    import torch

    fused: dict[str, Tensor] = {}
    for name, weight in weights.items():
        layer, part, kind = name.rpartition(".mlp.")[0], *_last_two(name)
        if not layer or part not in ("gate", "up"):
            fused[name] = weight
            continue
        pair = [f"{layer}.mlp.{each}.{kind}" for each in ("gate", "up")]
        missing = [each for each in pair if each not in weights]
        if missing:
            raise UserError(f"it lacks '{missing[0]}' beside '{name}'; fetch the file again.")
        if part == "gate":
            fused[f"{layer}.mlp.fc1.{kind}"] = torch.cat([weights[each] for each in pair])
    return fused


def _timm_name(bare: str) -> str | None:
    scale = _SCALE.match(bare)
    if scale is not None:
        return f"blocks.{scale[1]}.ls{scale[2]}.gamma"
    in_layer = _LAYER.match(bare)
    if in_layer is None:
        return _OUTSIDE_LAYERS.get(bare)
    layer, part, kind = in_layer.groups()
    if part not in _INSIDE_LAYER:
        return None
    return f"blocks.{layer}.{_INSIDE_LAYER[part]}.{kind}"


def fuse_qkv(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights with `attn.q`, `attn.k` and `attn.v` of each layer as one `attn.qkv`.

    Raises UserError where one of the three is missing or they do not fit together.
    """
    import torch

    fused: dict[str, Tensor] = {}
    for name, weight in weights.items():
        layer, part, kind = name.rpartition(".attn.")[0], *_last_two(name)
        if not layer or part not in ("q", "k", "v"):
            fused[name] = weight
            continue
        trio = [f"{layer}.attn.{each}.{kind}" for each in ("q", "k", "v")]
        missing = [each for each in trio if each not in weights]
        if missing:
            raise UserError(
                f"it lacks '{missing[0]}' (the query, key or value of a layer) beside '{name}'; "
                "fetch the file again."
            )
        if part == "q":
            try:
                fused[f"{layer}.attn.qkv.{kind}"] = torch.cat([weights[each] for each in trio])
            except RuntimeError:
                shapes = ", ".join(str(tuple(weights[each].shape)) for each in trio)
                raise UserError(
                    f"query, key and value of '{layer}' have shapes {shapes}, which do not fit "
                    "together; fetch the file again."
                ) from None
    return fused


def _last_two(name: str) -> tuple[str, str]:
    parts = name.split(".")
    return (parts[-2], parts[-1]) if len(parts) > 1 else ("", name)


def vit_of_checkpoint(spec: ViTSpec, checkpoint: Checkpoint, known: bool) -> ViTSpec:
    """Return the spec with what the checkpoint's origin decides.

    Where a known name stands for two classification heads and the checkpoint has one, so has the
    spec. A `norm_eps` of None becomes that of the config.json beside Hugging Face's weights.
    """
    weights = checkpoint.weights
    if known and "dist_token" in weights and "head_dist.weight" not in weights:
        spec = replace(spec, distillation_head=False)
    if spec.norm_eps is None and is_hugging_face(checkpoint.names):
        spec = replace(spec, norm_eps=norm_eps_beside(checkpoint.path))
    return spec
