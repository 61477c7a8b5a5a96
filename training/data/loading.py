"""The data of a model: images or texts, whichever it takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...progress import OnProgress, no_progress
from ..fit import takes_texts
from ..model_folder import normalisation_for
from .datasets import load_dataset

if TYPE_CHECKING:
    from ..inputs import AnyDataset
    from .images import Normalisation


def load_data_for(
    spec: Any,
    source: str,
    weights: Path,
    resolution: int | None = None,
    on_progress: OnProgress = no_progress,
    whole: bool = False,
) -> tuple[AnyDataset, Normalisation | None]:
    """Read images or texts, whichever the model takes, and return how images are normalised.

    source: see `load_dataset` and `load_texts`; weights: where the model's weights lie, and its
    tokenizer beside them; resolution: None is the model's; whole: test on all of a file of texts.
    """
    if not takes_texts(spec):
        data = load_dataset(source, resolution or getattr(spec, "resolution", None), on_progress)
        return data, normalisation_for(weights, data)
    from .texts import load_texts
    from .tokenizer import TextEncoder

    encoder = TextEncoder.beside(weights if weights.is_dir() else weights.parent)
    return load_texts(source, spec, encoder, on_progress, whole), None
