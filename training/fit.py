"""Whether a model and a dataset go together, and what to do where they do not yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..models import Spec
from ..models.families.registry import find_family
from .data.images import Images, Normalisation
from .data.texts import Texts

if TYPE_CHECKING:
    from .inputs import AnyDataset


def takes_texts(spec: Spec) -> bool:
    return find_family(spec.family).takes == "texts"


def refuse_texts(spec: Spec, verb: str, remedy: str = "") -> None:
    """Raise UserError where the model takes texts, and the verb only images."""
    if takes_texts(spec):
        raise UserError(
            f"{spec.name} is a model of texts, and {verb} takes models of images{remedy}."
        )


def of_length(spec: Any, sequence_length: int | None, resolution: int | None = None) -> Any:
    """Return the spec with texts of that length.

    Raises UserError for a length of images, a resolution of texts, and one that the model's
    positions do not reach.
    """
    if not takes_texts(spec):
        if sequence_length is not None:
            raise UserError(
                f"`sequence_length` is for models of texts, and {spec.name} takes images."
            )
        return spec
    if resolution is not None:
        raise UserError(f"`resolution` is for models of images, and {spec.name} takes texts.")
    if sequence_length is None:
        return spec
    if sequence_length > spec.positions:
        raise UserError(
            f"`sequence_length` {sequence_length} is more than the {spec.positions} positions that "
            f"{spec.name} has."
        )
    return replace(spec, tokens=sequence_length)


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
        ("pixels of a side", images.resolution, spec.resolution, "give `resolution`"),
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
            "take a smaller `batch`."
        )
