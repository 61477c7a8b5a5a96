"""The data of a model: images or texts, whichever it takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UserError
from ...models import create_spec
from ...progress import OnProgress, no_progress
from ..fit import check_fits, refuse_texts, takes_texts
from ..model_folder import normalisation_for, weights_of
from .datasets import load_dataset

if TYPE_CHECKING:
    from ..inputs import AnyDataset
    from .images import Dataset, Normalisation


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


def images_for_trained(
    model: str | Path,
    source: str,
    resolution: int | None = None,
    on_progress: OnProgress = no_progress,
) -> tuple[Path, Dataset, Normalisation]:
    """Return a trained model's folder, its images, and how they are normalised for it.

    Raises UserError where it is no folder of a model, takes texts, or does not fit the images.
    """
    folder = weights_of(model)
    if folder is None:
        raise UserError(f"{model} is no folder with a trained model (vitprof train writes one).")
    spec: Any = create_spec(folder)
    refuse_texts(spec, "quantize and what builds on it")
    data = load_dataset(source, resolution or spec.resolution, on_progress)
    norm = normalisation_for(folder, data)
    check_fits(spec, data.train, norm)
    return folder, data, norm
