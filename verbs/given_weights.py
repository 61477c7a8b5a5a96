"""A model's name and a file of weights, given where a trained model's folder is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..temporary_folder import TemporaryFolder


@contextmanager
def trained_folder(model: str | Path, checkpoint: str | Path | None) -> Iterator[str | Path]:
    """Yield a trained model's folder: `model` itself, or one made of it and of `checkpoint`.

    The made one lies in a temporary folder, which goes with the block. Raises UserError where the
    weights are not the model's.
    """
    if checkpoint is None:
        yield model
        return
    from ..models import create_model
    from ..training.model_folder import write_model

    with TemporaryFolder() as folder:
        place = Path(folder) / "model"
        write_model(create_model(model, checkpoint=checkpoint), place, None)
        yield place
