"""A trained model for images of another size, where its weights allow that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ...errors import UserError
from ..create import create_model
from .spec_model import SpecModel

POSITIONS = "pos_embed"


def at_resolution(model: SpecModel, resolution: int) -> SpecModel:
    """Return the model for images of so many pixels a side, in eval mode.

    A ViT's positions are interpolated (bicubic, as in Dosovitskiy et al. 2021, 3.2); all other
    weights stay. Raises UserError where the family takes no such images, or has other weights that
    depend on their size.
    """
    spec: Any = model.spec
    if getattr(spec, "resolution", None) == resolution:
        return model
    if not hasattr(spec, "resolution"):
        raise UserError(f"{spec.name} takes no images of a size.")
    resized = create_model(replace(spec, resolution=resolution))
    wanted = resized.state_dict()
    state = model.state_dict()
    for name, tensor in state.items():
        if tensor.shape == wanted[name].shape:
            continue
        if name != POSITIONS:
            raise UserError(
                f"{spec.name} has weights for images of {spec.resolution} pixels only ({name}); it "
                f"cannot take {resolution}."
            )
        grids = (spec.resolution // spec.patch, resolution // spec.patch)
        state[name] = _positions(tensor, *grids)
    resized.load_state_dict(state)
    return resized.eval()


def _positions(positions: Tensor, grid: int, wanted: int) -> Tensor:
    """Return positions (1, prefix + grid², embed) with those of patches on another grid."""
    prefix = positions.shape[1] - grid**2
    first, patches = positions[:, :prefix], positions[:, prefix:]
    square = patches.reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
    scaled = F.interpolate(square, size=(wanted, wanted), mode="bicubic", align_corners=False)
    return torch.cat([first, scaled.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)
