"""What a model takes, made of labelled data of either kind: images or texts."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..models.modules.words import Words
from .data.augment import normalised
from .data.held_out import some_of
from .data.images import Dataset, Images, Normalisation
from .data.texts import TextDataset, Texts

AnyDataset = Dataset | TextDataset


def model_inputs(samples: Images | Texts, norm: Normalisation | None) -> Tensor | Words:
    """Return images as normalised pixels, n x channels x h x w, and texts as words.

    norm: of images; texts have none.
    """
    if isinstance(samples, Texts):
        return Words(
            torch.from_numpy(samples.ids).long(),
            torch.from_numpy(samples.types).long(),
            torch.from_numpy(samples.seen).long(),
        )
    assert norm is not None, "images are normalised"
    return normalised(torch.from_numpy(samples.pixels), norm)


def calibration_inputs(images: Images, norm: Normalisation, count: int) -> np.ndarray:
    """Return so many images as int8 learns its ranges from them: n x c x h x w, normalised."""
    inputs = model_inputs(some_of(images, count), norm)
    assert isinstance(inputs, Tensor)
    return inputs.numpy()
