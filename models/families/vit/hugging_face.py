"""ViT's and DeiT's specs from the config.json of Hugging Face transformers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ....errors import UserError
from ...checks import check_fraction
from ...hugging_face_fields import architectures, check_supported, classes, dim, side
from ...json_object import read_json_object
from .spec import LARGEST_DEPTH, LARGEST_HEADS, LARGEST_WIDTH, ViTSpec

# transformers' own default, for a config.json that does not say.
DEFAULT_NORM_EPS = 1e-12


def vit_spec_from_config(config: Mapping[str, Any], name: str) -> ViTSpec:
    """Return the spec of a ViT or DeiT whose config.json holds `config`.

    DeiT has a second classification head where `architectures` says so. Raises UserError naming the
    field that this model cannot follow.
    """
    check_supported(config)
    embed = dim(config, "hidden_size", 768, LARGEST_WIDTH)
    heads = dim(config, "num_attention_heads", 12, LARGEST_HEADS)
    head_dim = dim(config, "head_dim", max(embed // heads, 1), LARGEST_HEADS)
    names = architectures(config)
    distilled = config["model_type"] == "deit"
    return ViTSpec.uniform(
        embed,
        depth=dim(config, "num_hidden_layers", 12, LARGEST_DEPTH),
        heads=heads,
        mlp=dim(config, "intermediate_size", 3072, LARGEST_WIDTH),
        qk=head_dim,
        v=head_dim,
        patch=side(config, "patch_size", 16),
        resolution=side(config, "image_size", 224),
        in_channels=dim(config, "num_channels", 3, LARGEST_HEADS),
        classes=classes(config),
        distilled=distilled,
        distillation_head=distilled and any("WithTeacher" in each for each in names),
        norm_eps=_norm_eps(config),
        name=name,
    )


def norm_eps_beside(file: Path) -> float:
    """Return the epsilon of the config.json beside a file with weights, or transformers' default.

    Raises UserError, naming the config.json, for a bad value.
    """
    config = file.with_name("config.json")
    if not config.is_file():
        return DEFAULT_NORM_EPS
    record, source = read_json_object(config)
    try:
        return _norm_eps(record)
    except UserError as error:
        raise UserError(f"{source}: {error}") from None


def _norm_eps(config: Mapping[str, Any]) -> float:
    eps = config.get("layer_norm_eps", DEFAULT_NORM_EPS)
    check_fraction("layer_norm_eps", eps)
    return eps
