"""What is pruned: a trained model with its data, how it is read, tested and written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models import Spec, create_model, create_spec
from ..progress import OnProgress
from ..training.inputs import AnyDataset

if TYPE_CHECKING:
    from torch import nn

    from ..training.data.images import Normalisation
    from ..training.data.kept_where import Loading
    from .run import TrainingContext


class Subject(ABC):
    """A trained model of one kind. `spec` is of the part whose cost has to come down.

    kind: "" for what names a class, else a word; what: the kind in words; about: what the report
    says of the unpruned model beside its figures.
    """

    kind = ""
    what: str
    spec: Spec
    about: Mapping[str, Any] = {}
    # Where they lie; None for what is not handed back as it came.
    weights: Path | None = None

    @abstractmethod
    def read(
        self, data: str, loading: Loading, on_progress: OnProgress
    ) -> tuple[Any, Normalisation | None]:
        """Return the data, and how images are normalised; UserError for those that do not fit.

        loading: of images with a class each; UserError where others are to be read in another way.
        """

    @abstractmethod
    def load(self) -> nn.Module:
        """Return the model, in eval mode."""

    def whole(self, base: nn.Module, model: nn.Module) -> nn.Module:
        """Return the whole model with a pruned part in place of `base`'s."""
        return model

    @abstractmethod
    def test(
        self, models: Sequence[nn.Module], where: TrainingContext, on_progress: OnProgress
    ) -> list[dict[str, Any]]:
        """Return the figures of each, the unpruned one first, on the test data."""

    @abstractmethod
    def write(self, whole: nn.Module, spec: Spec, folder: Path, where: TrainingContext) -> None:
        """Write a whole model, with what goes with it."""


class Classifier(Subject):
    """A model that names one class of an image or a text."""

    def __init__(
        self,
        model: str | Path | Spec,
        checkpoint: str | Path | None = None,
        resolution: int | None = None,
        sequence_length: int | None = None,
    ) -> None:
        from ..training.fit import of_length, takes_texts
        from ..training.model_folder import weights_or_refuse

        self.spec = of_length(create_spec(model), sequence_length, resolution)
        self.weights: Path = weights_or_refuse(model, checkpoint, " to prune")
        # A folder of Hugging Face is read with its own config, but for the length of texts.
        self.model = self.spec if takes_texts(self.spec) else model
        self.resolution = resolution
        self.what = f"{self.spec.name}, which names a class"

    def read(
        self, data: str, loading: Loading, on_progress: OnProgress
    ) -> tuple[AnyDataset, Normalisation | None]:
        from ..training.data.loading import load_data_for
        from ..training.fit import check_fits, takes_texts

        if takes_texts(self.spec):
            loading.refuse(self.what)
        found, norm = load_data_for(
            self.spec, data, self.weights, self.resolution, on_progress, loading
        )
        check_fits(self.load().spec, found.train, norm)
        return found, norm

    def load(self) -> nn.Module:
        return create_model(self.model, checkpoint=self.weights)

    def test(
        self, models: Sequence[nn.Module], where: TrainingContext, on_progress: OnProgress
    ) -> list[dict[str, Any]]:
        from ..training.evaluate import evaluate

        data: Any = where.data
        return [
            evaluate(
                model.to(where.device), data.test, where.norm, on_progress=on_progress
            ).as_dict()
            for model in models
        ]

    def write(self, whole: nn.Module, spec: Spec, folder: Path, where: TrainingContext) -> None:
        from ..training.data.texts import TextDataset
        from ..training.data.tokenizer import write_files
        from ..training.model_folder import write_model

        write_model(whole, folder, where.norm)
        if isinstance(where.data, TextDataset):
            write_files(where.data.files, folder)
