"""The data of a model: images or texts, whichever it takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UserError
from ...models import create_spec
from ...notes import note
from ...progress import OnProgress, no_progress
from ..fit import check_fits, refuse_texts, takes_texts
from ..model_folder import normalisation_for, read_normalisation, weights_of
from .datasets import load_dataset, load_test_images
from .images import Dataset, Images, Normalisation
from .kept_where import AUTO, Loading
from .part import Part
from .view import View

if TYPE_CHECKING:
    from ..inputs import AnyDataset
    from .texts import TextDataset, Texts


def load_data_for(
    spec: Any,
    source: str,
    weights: Path,
    resolution: int | None = None,
    on_progress: OnProgress = no_progress,
    loading: Loading = AUTO,
) -> tuple[AnyDataset, Normalisation | None]:
    """Read images or texts, whichever the model takes, and return how images are normalised.

    source: see `load_dataset` and `load_texts`; weights: where the model's weights lie, and its
    tokenizer beside them; resolution: None is the model's.
    """
    if not takes_texts(spec):
        side = resolution or getattr(spec, "resolution", None)
        data = load_dataset(source, side, on_progress, loading=loading)
        return data, normalisation_for(weights, data)
    return _texts(spec, source, weights, on_progress, whole=False), None


def load_test_data_for(
    spec: Any,
    source: str,
    weights: Path,
    view: View,
    part: Part = "auto",
    on_progress: OnProgress = no_progress,
    loading: Loading = AUTO,
) -> tuple[Images | Texts, Normalisation | None]:
    """Read what a model is tested on, and nothing else; return how images are normalised.

    part: see `load_test_images`; of texts it is all of a file, or a folder's dev file. Where
    nothing beside the weights says how images are normalised, it is by those that are read.
    """
    if takes_texts(spec):
        return _texts(spec, source, weights, on_progress, whole=True).test, None
    images = load_test_images(source, view, part, on_progress, loading=loading)
    beside = weights if weights.is_dir() else weights.parent
    norm = read_normalisation(beside)
    if norm is None:
        norm = Normalisation.of(images)
        note(f"nothing beside {weights} says how images are normalised; these are by their own.")
    return images, norm


def _texts(
    spec: Any, source: str, weights: Path, on_progress: OnProgress, whole: bool
) -> TextDataset:
    from .texts import load_texts
    from .tokenizer import TextEncoder

    encoder = TextEncoder.beside(weights if weights.is_dir() else weights.parent)
    return load_texts(source, spec, encoder, on_progress, whole)


def images_for_trained(
    model: str | Path,
    source: str,
    resolution: int | None = None,
    on_progress: OnProgress = no_progress,
    loading: Loading = AUTO,
) -> tuple[Path, Dataset, Normalisation]:
    """Return a trained model's folder, its images, and how they are normalised for it.

    Raises UserError where it is not a folder of a model, takes texts, or does not fit the images.
    """
    folder = weights_of(model)
    if folder is None:
        raise UserError(f"{model} is not a folder with a trained model (vitprof train writes one).")
    spec: Any = create_spec(folder)
    refuse_texts(spec, "quantize and what builds on it")
    data = load_dataset(source, resolution or spec.resolution, on_progress, loading=loading)
    norm = normalisation_for(folder, data)
    check_fits(spec, data.train, norm)
    return folder, data, norm
