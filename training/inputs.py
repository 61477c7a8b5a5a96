"""What a model takes, made of labelled data of either kind: images or texts."""

from __future__ import annotations

import torch
from torch import Tensor

from ..models.modules.words import Words
from .data.augment import normalised
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
