"""Swin specs from the config.json of Hugging Face transformers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....errors import UserError
from ...checks import check_fraction, check_whole_number, shown
from ...hugging_face_fields import check_supported, classes, dim, side
from ..vit.spec import LARGEST_DEPTH, LARGEST_HEADS, LARGEST_WIDTH, ViTLayer
from .spec import DEFAULT_NORM_EPS, LARGEST_STAGES, LARGEST_WINDOW, SwinSpec, SwinStage


def swin_spec_from_config(config: Mapping[str, Any], name: str) -> SwinSpec:
    """Return the spec of a Swin whose config.json holds `config`.

    A field that is missing has transformers' default. Raises UserError naming the field this model
    cannot follow.
    """
    check_supported(config)
    if config.get("use_absolute_embeddings", False) is not False:
        raise UserError(
            f"use_absolute_embeddings={shown(config['use_absolute_embeddings'])} is not supported, "
            "because this Swin knows only relative positions; it must be false."
        )
    embed = dim(config, "embed_dim", 96, LARGEST_WIDTH)
    depths = _numbers(config, "depths", [2, 2, 6, 2], LARGEST_DEPTH)
    heads = _numbers(config, "num_heads", [3, 6, 12, 24], LARGEST_HEADS)
    if len(depths) != len(heads):
        raise UserError(
            f"depths={shown(depths)} and num_heads={shown(heads)} must have as many numbers as "
            "each other, one a stage."
        )
    ratio = config.get("mlp_ratio", 4.0)
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio <= 64:
        raise UserError(f"mlp_ratio={shown(ratio)} must be a number above 0 and at most 64.")
    eps = config.get("layer_norm_eps", DEFAULT_NORM_EPS)
    check_fraction("layer_norm_eps", eps)
    stages = []
    for stage, (depth, count) in enumerate(zip(depths, heads, strict=True)):
        width = embed * 2**stage
        if width % count:
            raise UserError(
                f"num_heads={shown(heads)}: {count} heads do not divide the width {width} of stage "
                f"{stage}; correct num_heads or embed_dim."
            )
        if int(ratio * width) < 1:
            raise UserError(
                f"mlp_ratio={shown(ratio)} leaves no MLP at the width {width}; correct it."
            )
        layer = ViTLayer(count, width // count, width // count, int(ratio * width))
        stages.append(SwinStage(width, (layer,) * depth))
    return SwinSpec(
        name=name,
        stages=tuple(stages),
        patch=side(config, "patch_size", 4),
        window=dim(config, "window_size", 7, LARGEST_WINDOW),
        resolution=side(config, "image_size", 224),
        in_channels=dim(config, "num_channels", 3, LARGEST_HEADS),
        classes=classes(config),
        norm_eps=eps,
    )


def _numbers(config: Mapping[str, Any], field: str, default: list[int], largest: int) -> list[int]:
    values = config.get(field, default)
    if not isinstance(values, list) or not 1 <= len(values) <= LARGEST_STAGES:
        raise UserError(
            f"{field}={shown(values)} must be a list of 1 to {LARGEST_STAGES} whole numbers."
        )
    for index, value in enumerate(values):
        check_whole_number(f"{field}[{index}]", value, 1, largest)
    return values
