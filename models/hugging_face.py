"""Specs from the config.json of Hugging Face transformers' models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UserError
from .checks import shown
from .families.registry import families
from .spec import Spec


def spec_from_config(config: Mapping[str, Any], name: str) -> Spec:
    """Return the spec of a family's model, such as ViT, Swin or BERT, by its config.json.

    A field that is missing has transformers' default. Raises UserError naming the field this model
    cannot follow.
    """
    model_type = config.get("model_type")
    known: list[str] = []
    for family in families():
        if isinstance(model_type, str) and model_type in family.hugging_face:
            return family.at(family.hugging_face[model_type])(config, name)
        known += family.hugging_face
    raise UserError(
        f"model_type={shown(model_type)} is not supported; it must be one of {', '.join(known)}."
    )
