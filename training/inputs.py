"""What a model takes, made of labelled data of either kind: images or texts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ..models.modules.words import Words
from .data.augment import normalised
from .data.held_out import some_of
from .data.images import Dataset, Images, Normalisation
from .data.reader import NO_IMAGE, Draw, read_batches
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
    return normalised(torch.from_numpy(samples.array()), norm)


def tested_batches(
    samples: Images | Texts, norm: Normalisation | None, batch: int
) -> Iterator[tuple[Tensor | Words, Tensor, int]]:
    """Give what a model takes and the labels, `batch` at a time, in order.

    And how many samples that was, those included that could not be read and are skipped: such are
    of images on disk alone, which several processes read.
    """
    stored = samples.stored if isinstance(samples, Images) else None
    starts = range(0, len(samples), batch)
    if stored is None:
        for start in starts:
            part = samples.take(range(start, min(start + batch, len(samples))))
            yield model_inputs(part, norm), torch.from_numpy(part.labels), len(part)
        return
    assert norm is not None, "images are normalised"
    labels = torch.from_numpy(samples.labels)
    draws = [[Draw(place) for place in range(s, min(s + batch, len(samples)))] for s in starts]
    for found in read_batches(stored, lambda: iter(draws)):
        there = found.places != NO_IMAGE
        if there.any():
            pixels, places = found.pixels[there], found.places[there]
            yield normalised(pixels, norm), labels[places], len(found.places)


def calibration_inputs(images: Images, norm: Normalisation, count: int) -> np.ndarray:
    """Return so many images as int8 learns its ranges from them: n x c x h x w, normalised."""
    inputs = model_inputs(some_of(images, count), norm)
    assert isinstance(inputs, Tensor)
    return inputs.numpy()
