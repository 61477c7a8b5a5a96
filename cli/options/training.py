"""What the commands import that do not call a verb yet, by its old names.

New homes: options in data.py and train.py; what they are about in training/ (`torch_device`,
`model_folder`, `fit`, `data.datasets`, `data.loading`, `plan`, `saved_run.train_to_end`), progress
in progress.py, the autocast of a device in verbs/autocast.py.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ...progress import shown_progress
from ...training.plan import TrainingPlan as Training
from .data import resolution_option, train_device_option
from .train import fused_attention_option
from .train import training_options as flat_training_options

if TYPE_CHECKING:
    import torch

    from ...training.data.images import Dataset, Normalisation
    from ...training.loop import TrainingRun
    from ...training.saved_run import SavedRun

__all__ = [
    "Training", "data_option", "find_torch_device", "fused_attention_option", "load_data",
    "normalisation_for", "on_device", "resolution_option", "step_bar", "take_all_steps",
    "train_device_option", "training_options", "weights_beside",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])
_NAMES = ("epochs", "batch", "learning_rate", "weight_decay", "augment", "autocast", "seed")

data_option = click.option(
    "--data", "source", required=True,
    help="digits; a folder or zip of class folders, or a folder with train and test of these; or "
    "an .npz with images and labels. Of a BERT: a file of texts with GLUE's columns (.tsv, .csv or "
    ".jsonl), or a folder with train and dev files.",
)  # fmt: skip


def training_options(epochs: float, learning_rate: float) -> Callable[[F], F]:
    """Add the options of training, handed on as one `training`."""

    def add(function: F) -> F:
        @functools.wraps(function)
        def with_training(**given: Any) -> Any:
            return function(training=Training(**{n: given.pop(n) for n in _NAMES}), **given)

        decorated: Any = flat_training_options(epochs, learning_rate)(with_training)
        return decorated

    return add


def on_device(training: Training, device: torch.device) -> Training:
    from ...verbs.autocast import settled

    return settled(training, device)


def find_torch_device(name: str) -> torch.device:
    from ...training.torch_device import find_torch_device as find

    return find(name)


def load_data(source: str, resolution: int | None, quiet: bool) -> Dataset:
    from ...training.data.datasets import load_dataset

    with shown_progress(not quiet) as on_progress:
        return load_dataset(source, resolution, on_progress)


def weights_beside(model: str, checkpoint: Path | None) -> Path | None:
    from ...training.model_folder import weights_of

    return weights_of(model, checkpoint)


def normalisation_for(folder: Path | None, data: Dataset) -> Normalisation:
    from ...training.model_folder import normalisation_for as found

    return found(folder, data)


def take_all_steps(run: TrainingRun, saved: SavedRun, show: Callable[..., None]) -> None:
    from ...training.saved_run import train_to_end

    train_to_end(run, saved, show)


step_bar = shown_progress
