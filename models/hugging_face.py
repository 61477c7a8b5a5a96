"""Specs from the config.json of Hugging Face transformers' ViT and DeiT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UserError
from .checks import check_fraction, check_whole_number, shown
from .vit import LARGEST_DEPTH, LARGEST_HEADS, LARGEST_RESOLUTION, LARGEST_WIDTH, ViTSpec

# transformers' own default, for a config.json that does not say.
DEFAULT_NORM_EPS = 1e-12

_MODEL_TYPES = ("vit", "deit")
# What has a part that this model has not, or another output.
_OTHER_HEADS = "MaskedImageModeling"


def spec_from_config(config: Mapping[str, Any], name: str) -> ViTSpec:
    """Return the spec of a ViT or DeiT whose config.json holds `config`.

    A field that is missing has transformers' default. DeiT has a second classification head where
    `architectures` says so. Raises UserError naming the field this model cannot follow.
    """
    model_type = config.get("model_type")
    if model_type not in _MODEL_TYPES:
        raise UserError(
            f"model_type={shown(model_type)} is not supported; it must be "
            f"{' or '.join(_MODEL_TYPES)}."
        )
    _check_supported(config)
    embed = _dim(config, "hidden_size", 768, LARGEST_WIDTH)
    heads = _dim(config, "num_attention_heads", 12, LARGEST_HEADS)
    head_dim = _dim(config, "head_dim", max(embed // heads, 1), LARGEST_HEADS)
    architectures = _architectures(config)
    distilled = model_type == "deit"
    return ViTSpec.uniform(
        embed,
        depth=_dim(config, "num_hidden_layers", 12, LARGEST_DEPTH),
        heads=heads,
        mlp=_dim(config, "intermediate_size", 3072, LARGEST_WIDTH),
        qk=head_dim,
        v=head_dim,
        patch=_side(config, "patch_size", 16),
        resolution=_side(config, "image_size", 224),
        in_channels=_dim(config, "num_channels", 3, LARGEST_HEADS),
        classes=_classes(config),
        distilled=distilled,
        distillation_head=distilled and any("WithTeacher" in name for name in architectures),
        norm_eps=norm_eps_of_config(config),
        name=name,
    )


def norm_eps_of_config(config: Mapping[str, Any]) -> float:
    """Return `layer_norm_eps`, or transformers' default; raises UserError for a bad value."""
    eps = config.get("layer_norm_eps", DEFAULT_NORM_EPS)
    check_fraction("layer_norm_eps", eps)
    return eps


def _check_supported(config: Mapping[str, Any]) -> None:
    if config.get("hidden_act", "gelu") != "gelu":
        raise UserError(
            f"hidden_act={shown(config['hidden_act'])} is not supported, because the MLP computes "
            "the exact GELU; it must be 'gelu'."
        )
    if config.get("qkv_bias", True) is not True:
        raise UserError(
            f"qkv_bias={shown(config['qkv_bias'])} is not supported, because the attention has a "
            "bias for Q, K and V; it must be true."
        )
    for architecture in _architectures(config):
        if _OTHER_HEADS in architecture:
            raise UserError(
                f"architectures={shown(architecture)} is no classifier; give the config.json of "
                "a model for image classification."
            )


def _architectures(config: Mapping[str, Any]) -> list[str]:
    architectures = config.get("architectures") or []
    if not isinstance(architectures, list) or not all(isinstance(a, str) for a in architectures):
        raise UserError(f"architectures={shown(architectures)} must be a list of class names.")
    return architectures


def _dim(config: Mapping[str, Any], field: str, default: int, largest: int) -> int:
    value = config.get(field, default)
    check_whole_number(field, value, 1, largest)
    return value


def _side(config: Mapping[str, Any], field: str, default: int) -> int:
    """Return the side of a square that may be written as [height, width]."""
    value = config.get(field, default)
    if isinstance(value, list) and len(value) == 2:
        if value[0] != value[1]:
            raise UserError(f"{field}={shown(value)} is not supported; it must be a square.")
        value = value[0]
    check_whole_number(field, value, 1, LARGEST_RESOLUTION)
    return value


def _classes(config: Mapping[str, Any]) -> int:
    labels = config.get("id2label")
    if isinstance(labels, dict):
        check_whole_number("the length of id2label", len(labels), 1, LARGEST_WIDTH)
        return len(labels)
    return _dim(config, "num_labels", 2, LARGEST_WIDTH)
