"""Specs from the config.json of a folder that timm saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..errors import UserError
from .checks import shown
from .spec import Spec
from .timm_names import timm_spec


def is_timm_config(record: Mapping[str, Any]) -> bool:
    """Whether a config.json is one that timm wrote."""
    return "architecture" in record and "model_type" not in record


def spec_from_timm_config(record: Mapping[str, Any], name: str) -> Spec:
    """Return the spec of the model that timm made with this `architecture` and `model_args`.

    num_classes, and the images' channels and size in `pretrained_cfg`, count as in timm where
    `model_args` does not say them. Raises UserError for what `timm_spec` refuses, and a field of a
    wrong kind.
    """
    architecture = record["architecture"]
    if not isinstance(architecture, str):
        raise UserError(f"architecture={shown(architecture)} must be a name of timm's.")
    pretrained = _object(record, "pretrained_cfg")
    arguments = _object(record, "model_args")
    # timm also keeps here what makes no other model.
    arguments = {key: value for key, value in arguments.items() if not key.startswith("drop")}
    arguments = {**_of_images(pretrained), **_of_classes(record, pretrained), **arguments}
    if "name" in arguments:
        raise UserError("model_args has a field 'name', which timm's models do not take.")
    return replace(timm_spec(architecture, **arguments), name=name)


def _object(record: Mapping[str, Any], field: str) -> dict[str, Any]:
    value = record.get(field) or {}
    if not isinstance(value, dict):
        raise UserError(f"{field}={shown(value)} must be an object.")
    return value


def _of_classes(record: Mapping[str, Any], pretrained: Mapping[str, Any]) -> dict[str, Any]:
    classes = record.get("num_classes", pretrained.get("num_classes"))
    return {} if classes is None else {"num_classes": classes}


def _of_images(pretrained: Mapping[str, Any]) -> dict[str, Any]:
    size = pretrained.get("input_size")
    if size is None:
        return {}
    if not isinstance(size, list) or len(size) != 3 or size[1] != size[2]:
        raise UserError(f"input_size={shown(size)} must be [channels, side, side] of a square.")
    return {"in_chans": size[0], "img_size": size[1]}
