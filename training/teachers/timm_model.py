"""A teacher of timm: a folder that timm saved, or a name of timm's and a file of weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from ...errors import UserError, did_you_mean
from ...models.checks import shown
from .opened import Opened
from .preprocessing import Preprocessing, of_timm, read_preprocessing
from .weights import library, put_weights

# Arguments of timm.create_model that say not what the model is, but where files lie.
_NO_ARGUMENTS = ("pretrained", "pretrained_cfg", "checkpoint_path", "cache_dir", "scriptable")


def from_timm_folder(folder: Path, record: Mapping[str, Any]) -> Opened:
    """Return the model of a folder with a config.json of timm's, which is `record`."""
    arguments = record.get("model_args") or {}
    if not isinstance(arguments, dict):
        raise UserError(f"{folder}: model_args={shown(arguments)} must be an object.")
    for name in arguments:
        if name.startswith(_NO_ARGUMENTS) or name == "model_name":
            raise UserError(
                f"{folder}: model_args has {shown(name)}, which is not part of a model."
            )
    pretrained = record.get("pretrained_cfg")
    classes = record.get("num_classes")
    if classes is None and isinstance(pretrained, dict):
        classes = pretrained.get("num_classes")
    if isinstance(classes, bool) or not isinstance(classes, int) or classes < 1:
        raise UserError(f"{folder}: num_classes={shown(classes)} must be a whole number above 0.")
    module = _made(record.get("architecture"), str(folder), {"num_classes": classes, **arguments})
    put_weights(module, folder, f"timm's {record['architecture']}")
    names = record.get("label_names")
    return Opened(
        module,
        str(folder),
        _wanted(module, read_preprocessing(folder)),
        classes,
        json.dumps([record["architecture"], arguments]),
        arguments.get("in_chans", 3),
        names if isinstance(names, list) else None,
    )


def from_timm_name(name: str, weights: Path, classes: int, norms: Path) -> Opened:
    """Return timm's model of this name with the weights of a file and so many classes.

    norms: the folder whose preprocessor_config.json says how images are normalised; without one
    they are as for timm's own weights.
    """
    module = _made(name, f"timm:{name}", {"num_classes": classes})
    put_weights(module, weights, f"timm's {name}")
    own = of_timm(_config_of(module), f"timm:{name}")
    wanted = _wanted(module, or_else(read_preprocessing(norms), own))
    return Opened(module, f"timm:{name}", wanted, classes, json.dumps([name, {}]))


def or_else(stated: Preprocessing, default: Preprocessing) -> Preprocessing:
    """Return what a file states, and the library's own where it states nothing."""
    return default if stated.norm is None else stated


def _made(name: Any, title: str, arguments: dict[str, Any]) -> nn.Module:
    timm = library("timm")
    if not isinstance(name, str) or not timm.is_model(name):
        close = did_you_mean(name, timm.list_models()) if isinstance(name, str) else ""
        raise UserError(f"{title}: timm has no model {shown(name)}{close}.")
    try:
        module: nn.Module = timm.create_model(name, pretrained=False, **arguments)
    except Exception as error:  # anything that timm raises for arguments it cannot take
        words = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
        raise UserError(f"{title}: timm cannot make {name}: {words}.") from None
    return module


def _config_of(module: nn.Module) -> Mapping[str, Any]:
    config: Any = getattr(module, "pretrained_cfg", {})
    return dict(config)


def _wanted(module: nn.Module, stated: Preprocessing) -> Preprocessing:
    """Return what is stated, with the size that a model with positions was made for."""
    size = getattr(getattr(module, "patch_embed", None), "img_size", None)
    if isinstance(size, tuple) and len(size) == 2 and size[0] == size[1]:
        return replace(stated, side=int(size[0]))
    return stated
