"""The fields of a Hugging Face config.json that several families have, each checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UserError
from .checks import check_whole_number, shown
from .families.vit.spec import LARGEST_RESOLUTION, LARGEST_WIDTH

# What has a part that these models have not, or another output.
_OTHER_HEADS = "MaskedImageModeling"


def check_supported(config: Mapping[str, Any]) -> None:
    """Raise UserError unless it is a classifier with exact GELU and a bias for Q, K and V."""
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
    for architecture in architectures(config):
        if _OTHER_HEADS in architecture:
            raise UserError(
                f"architectures={shown(architecture)} is not a classifier; give the config.json of "
                "a model for image classification."
            )


def architectures(config: Mapping[str, Any]) -> list[str]:
    """Return the names of the classes that the config was written for."""
    names = config.get("architectures") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"architectures={shown(names)} must be a list of class names.")
    return names


def dim(config: Mapping[str, Any], field: str, default: int, largest: int) -> int:
    """Return a whole number from 1 to `largest`, or the default where the field is missing."""
    value = config.get(field, default)
    check_whole_number(field, value, 1, largest)
    return value


def side(config: Mapping[str, Any], field: str, default: int) -> int:
    """Return the side of a square that may be written as [height, width]."""
    value = config.get(field, default)
    if isinstance(value, list) and len(value) == 2:
        if value[0] != value[1]:
            raise UserError(f"{field}={shown(value)} is not supported; it must be a square.")
        value = value[0]
    check_whole_number(field, value, 1, LARGEST_RESOLUTION)
    return value


def classes(config: Mapping[str, Any]) -> int:
    """Return the number of labels; transformers' default is 2."""
    labels = config.get("id2label")
    if isinstance(labels, dict):
        check_whole_number("the length of id2label", len(labels), 1, LARGEST_WIDTH)
        return len(labels)
    return dim(config, "num_labels", 2, LARGEST_WIDTH)
