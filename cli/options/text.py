"""What the commands import that do not call a verb yet, by its old names: now in training/."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...progress import shown_progress
from .data import sequence_length_option

if TYPE_CHECKING:
    from ...models import Spec
    from ...training.data.images import Normalisation
    from ...training.inputs import AnyDataset

__all__ = ["load_data_of", "of_length", "refuse_texts", "sequence_length_option", "takes_texts"]


def takes_texts(spec: Spec) -> bool:
    from ...training.fit import takes_texts as found

    return found(spec)


def refuse_texts(spec: Spec, command: str, remedy: str = "") -> None:
    from ...training.fit import refuse_texts as refuse

    refuse(spec, command, remedy)


def of_length(spec: Any, sequence_length: int | None, resolution: int | None) -> Any:
    from ...training.fit import of_length as found

    return found(spec, sequence_length, resolution)


def load_data_of(
    spec: Any, source: str, weights: Path, resolution: int | None, quiet: bool, whole: bool = False
) -> tuple[AnyDataset, Normalisation | None]:
    from ...training.data.loading import load_data_for

    with shown_progress(not quiet) as on_progress:
        return load_data_for(spec, source, weights, resolution, on_progress, whole)
