"""Specs from the config.json of Hugging Face transformers' models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UserError
from .checks import check_fraction, shown
from .families.bert.hugging_face import bert_spec_from_config
from .families.swin.hugging_face import swin_spec_from_config
from .families.swin.mask2former import MODEL_TYPE as MASK2FORMER
from .families.swin.mask2former import backbone_spec_from_config
from .families.vit.spec import LARGEST_DEPTH, LARGEST_HEADS, LARGEST_WIDTH, ViTSpec
from .hugging_face_fields import architectures, check_supported, classes, dim, side
from .spec import Spec

# transformers' own default, for a config.json that does not say.
DEFAULT_NORM_EPS = 1e-12

_MODEL_TYPES = ("vit", "deit", "swin", "bert", MASK2FORMER)


def spec_from_config(config: Mapping[str, Any], name: str) -> Spec:
    """Return the spec of a ViT, DeiT, Swin or BERT, or of a Mask2Former's Swin, by its config.json.

    A field that is missing has transformers' default. DeiT has a second classification head where
    `architectures` says so. Raises UserError naming the field this model cannot follow.
    """
    model_type = config.get("model_type")
    if model_type not in _MODEL_TYPES:
        raise UserError(
            f"model_type={shown(model_type)} is not supported; it must be one of "
            f"{', '.join(_MODEL_TYPES)}."
        )
    if model_type == "swin":
        return swin_spec_from_config(config, name)
    if model_type == MASK2FORMER:
        return backbone_spec_from_config(config, name)
    if model_type == "bert":
        return bert_spec_from_config(config, name)
    check_supported(config)
    embed = dim(config, "hidden_size", 768, LARGEST_WIDTH)
    heads = dim(config, "num_attention_heads", 12, LARGEST_HEADS)
    head_dim = dim(config, "head_dim", max(embed // heads, 1), LARGEST_HEADS)
    names = architectures(config)
    distilled = model_type == "deit"
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
        norm_eps=norm_eps_of_config(config),
        name=name,
    )


def norm_eps_of_config(config: Mapping[str, Any]) -> float:
    """Return `layer_norm_eps`, or transformers' default; raises UserError for a bad value."""
    eps = config.get("layer_norm_eps", DEFAULT_NORM_EPS)
    check_fraction("layer_norm_eps", eps)
    return eps
