"""A teacher of torchvision: a name of its classifiers and a file of weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import UserError, did_you_mean
from ...models.checks import shown
from ..data.images import Normalisation
from .opened import Opened
from .preprocessing import Preprocessing, read_preprocessing
from .timm_model import or_else
from .weights import library, put_weights


def from_torchvision(name: str, weights: Path, classes: int, norms: Path) -> Opened:
    """Return torchvision's classifier of this name with the weights of a file.

    norms: the folder whose preprocessor_config.json says how images are normalised; without one
    they are as for torchvision's own weights.
    """
    models = library("torchvision.models")
    known = models.list_models(module=models)
    if name not in known:
        raise UserError(f"torchvision has no classifier {shown(name)}{did_you_mean(name, known)}.")
    module = models.get_model(name, weights=None, num_classes=classes)
    put_weights(module, weights, f"torchvision's {name}")
    wanted = or_else(read_preprocessing(norms), _own(models.get_model_weights(name)))
    side = getattr(module, "image_size", None)  # of a ViT
    if isinstance(side, int):
        wanted = replace(wanted, side=side)
    title = f"torchvision:{name}"
    return Opened(module, title, wanted, classes, title)


def _own(weights: Any) -> Preprocessing:
    """Return what torchvision's own weights expect."""
    transforms = next(iter(weights)).transforms()
    norm = Normalisation(tuple(transforms.mean), tuple(transforms.std))
    return Preprocessing(norm, int(transforms.crop_size[0]), transforms.interpolation.value)
