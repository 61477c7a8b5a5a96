"""A model as a folder: spec.json, model.safetensors, and how images are normalised for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from ..models import Spec, create_spec
from ..models.checks import shown
from ..models.hub import CONFIG, is_hub_id, weights_folder
from ..models.json_object import read_json_object
from ..models.timm_folder import is_timm_config
from .data.images import Dataset, Normalisation

if TYPE_CHECKING:
    from torch import nn

SPEC = "spec.json"
WEIGHTS = "model.safetensors"
# Hugging Face's name and fields for the same, so that either reads the other's.
PREPROCESSOR = "preprocessor_config.json"
MOST_OF_A_PIXEL = 255
LEAST_STD = 1e-6  # images divided by less are not images


def write_model(model: nn.Module, folder: Path, norm: Normalisation | None) -> None:
    """Write the model's spec, weights and normalisation, if any; each file in one step."""
    from safetensors.torch import save

    from ..atomic_write import made_folder, write_atomically
    from ..models.modules.spec_model import spec_of

    made_folder(folder)
    weights = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()
    }
    write_atomically(folder / WEIGHTS, save(weights))
    if norm is not None:
        record = {
            "image_mean": list(norm.mean),
            "image_std": list(norm.std),
            "rescale_factor": 1 / 255,
        }
        write_atomically(folder / PREPROCESSOR, json.dumps(record, indent=2) + "\n")
    write_atomically(folder / SPEC, spec_of(model).to_json())


def read_normalisation(folder: Path) -> Normalisation | None:
    """Return the normalisation that the folder of a model says, None where it says none.

    It stands in Hugging Face's preprocessor_config.json, or timm's config.json. Raises UserError
    for numbers that are none.
    """
    path = folder / PREPROCESSOR
    if path.is_file():
        record, source = read_json_object(path)
        mean, std = record.get("image_mean"), record.get("image_std")
    elif (folder / CONFIG).is_file():
        record, source = read_json_object(folder / CONFIG)
        timms = record.get("pretrained_cfg")
        if not is_timm_config(record) or not isinstance(timms, dict):
            return None
        mean, std = timms.get("mean"), timms.get("std")
    else:
        return None
    if mean is None and std is None:
        return None
    for value in (mean, std):
        if not isinstance(value, list) or not all(isinstance(v, int | float) for v in value):
            raise UserError(f"{source}: {shown(value)} has to be a list of numbers, one a channel.")
    assert isinstance(mean, list)
    assert isinstance(std, list)
    if any(isinstance(v, bool) or not abs(v) <= MOST_OF_A_PIXEL for v in (*mean, *std)):
        raise UserError(f"{source}: image_mean and image_std are of pixels from 0 to 255.")
    if len(mean) != len(std) or not all(s >= LEAST_STD for s in std):
        raise UserError(
            f"{source}: image_std has to be above 0 (from {LEAST_STD:g}), one number for each of "
            "image_mean."
        )
    return Normalisation(tuple(map(float, mean)), tuple(map(float, std)))


def normalisation_for(weights: Path | None, data: Dataset) -> Normalisation:
    """Return the normalisation that comes with the weights, else that of the training images.

    weights: a folder, or a file that the normalisation lies beside.
    """
    beside = weights if weights is None or weights.is_dir() else weights.parent
    return (beside and read_normalisation(beside)) or data.normalisation


def weights_of(model: str | Path | Spec, checkpoint: str | Path | None = None) -> Path | None:
    """Return where a model's weights lie: the checkpoint, or else the folder that is the model.

    An id of Hugging Face has its folder in the local cache; UserError where that has no weights.
    """
    if checkpoint is not None:
        return Path(checkpoint)
    if isinstance(model, str | Path) and is_hub_id(str(model)):
        return weights_folder(str(model))
    folder = None if isinstance(model, Spec) else Path(model)
    return folder if folder is not None and folder.is_dir() else None


def weights_or_refuse(
    model: str | Path | Spec, checkpoint: str | Path | None, purpose: str = ""
) -> Path:
    """Return where the weights lie; UserError where there are none. purpose: " to prune"."""
    weights = weights_of(model, checkpoint)
    if weights is None:
        raise UserError(
            f"{create_spec(model).name} has no weights{purpose}; give `checkpoint`, or the folder "
            "of a trained model as `model`."
        )
    return weights
