"""Whether a model and a dataset go together, and what to do where they do not yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..errors import UserError
from ..models import Spec
from .data.images import Images, Normalisation
from .data.texts import Texts
from .inputs import AnyDataset


def fitted_spec(spec: Any, images: Images) -> Spec:
    """Return the spec with the images' size, classes and channels, for weights yet to come."""
    return replace(
        spec,
        classes=len(images.classes),
        in_channels=images.channels,
        resolution=images.resolution,
    )


def check_fits(spec: Any, images: Images | Texts, norm: Normalisation | None) -> None:
    """Raise UserError, saying which, where a model cannot take the images or name their classes.

    Texts were read for their model, and fit.
    """
    if isinstance(images, Texts) or norm is None:
        return
    pairs: Sequence[tuple[str, int, int, str]] = (
        ("channels", images.channels, spec.in_channels, "give images of that many"),
        ("pixels of a side", images.resolution, spec.resolution, "give --resolution"),
        ("classes", len(images.classes), spec.classes, "train it on these first (vitprof train)"),
    )
    for what, given, wanted, remedy in pairs:
        if given != wanted:
            raise UserError(
                f"{images.name} has {given} {what} and {spec.name} takes {wanted}; {remedy}."
            )
    if len(norm.mean) != images.channels:
        raise UserError(
            f"the model's normalisation is for {len(norm.mean)} channels and {images.name} has "
            f"{images.channels}."
        )


def check_batch(data: AnyDataset, batch: int) -> None:
    """Raise UserError where not even one whole batch can be had."""
    if batch > len(data.train):
        raise UserError(
            f"a batch of {batch} is more than the {len(data.train)} images of {data.train.name}; "
            "take a smaller --batch."
        )
