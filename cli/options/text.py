"""What the commands need of models of texts: their length, their tokenizer and their data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UserError
from .training import load_data, normalisation_for, step_bar

if TYPE_CHECKING:
    from ...models import Spec
    from ...training.data.images import Normalisation
    from ...training.inputs import AnyDataset

sequence_length_option = click.option(
    "--sequence-length", type=click.IntRange(1),
    help="Of a BERT: cut texts to this many tokens, or fill them up (default: the model's, 128 of "
    "a Hugging Face folder).",
)  # fmt: skip


def takes_texts(spec: Spec) -> bool:
    return spec.family == "bert"


def refuse_texts(spec: Spec, command: str, remedy: str = "") -> None:
    """Raise UserError where the model takes texts, and the command only images."""
    if takes_texts(spec):
        raise UserError(
            f"{spec.name} is a model of texts, and {command} takes models of images{remedy}."
        )


def of_length(spec: Any, sequence_length: int | None, resolution: int | None) -> Any:
    """Return the spec with texts of that length.

    Raises UserError for a length of images, a resolution of texts, and one that the model's
    positions do not reach.
    """
    if not takes_texts(spec):
        if sequence_length is not None:
            raise UserError(
                f"--sequence-length is for models of texts, and {spec.name} takes images."
            )
        return spec
    if resolution is not None:
        raise UserError(f"--resolution is for models of images, and {spec.name} takes texts.")
    if sequence_length is None:
        return spec
    if sequence_length > spec.positions:
        raise UserError(
            f"--sequence-length {sequence_length} is more than the {spec.positions} positions that "
            f"{spec.name} has."
        )
    return replace(spec, tokens=sequence_length)


def load_data_of(
    spec: Any, source: str, weights: Path, resolution: int | None, quiet: bool, whole: bool = False
) -> tuple[AnyDataset, Normalisation | None]:
    """Read images or texts, whichever the model takes, and return how images are normalised.

    weights: where the model's weights lie, and its tokenizer beside them. whole: test on all of a
    file of texts.
    """
    if not takes_texts(spec):
        data = load_data(source, resolution or getattr(spec, "resolution", None), quiet)
        return data, normalisation_for(weights, data)
    from ...training.data.texts import load_texts
    from ...training.data.tokenizer import TextEncoder

    encoder = TextEncoder.beside(weights if weights.is_dir() else weights.parent)
    with step_bar(not quiet) as show:
        texts = load_texts(
            source, spec, encoder,
            lambda done, total: show(f"reading {source}", done, total, "texts"), whole,
        )  # fmt: skip
    return texts, None
