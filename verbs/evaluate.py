"""`vitprof.evaluate`: how often a model is right."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..progress import ProgressOption, shown_progress
from ..results import Result
from .inputs import fetched

if TYPE_CHECKING:
    import pandas as pd

    from ..models import Spec
    from ..training.data.images import Normalisation
    from ..training.evaluate import Accuracy


@dataclass(frozen=True, repr=False)
class EvaluationResult(Result):
    """How often a model is right on test `images` or `texts` (`what`), normalised by `norm`."""

    spec: Spec
    what: str
    accuracy: Accuracy
    norm: Normalisation | None

    @property
    def title(self) -> str:
        return f"{self.spec.name}: {self.accuracy.in_words()} of {self.count} test {self.what}"

    @property
    def count(self) -> int:
        """How many images or texts were tested."""
        return self.accuracy.images

    @property
    def top1(self) -> float:
        """Share whose class is the likeliest one."""
        return self.accuracy.correct[1] / self.accuracy.images

    @property
    def top3(self) -> float | None:
        """Share whose class is among the three likeliest; None for 3 classes and fewer."""
        return self.accuracy.top(3)

    def report(self) -> dict[str, Any]:
        return {"model": self.spec.name, self.what: self.count, **self.accuracy.as_dict()}

    def to_frame(self) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame([self.report()])


def evaluate(
    model: str | Path | Spec,
    data: str | Path,
    *,
    checkpoint: str | Path | None = None,
    resolution: int | None = None,
    sequence_length: int | None = None,
    batch: int = 256,
    train_device: str = "auto",
    download: bool = False,
    progress: ProgressOption = False,
) -> EvaluationResult:
    """Test a model on the test part of a dataset, in fp32 and without augmentation.

    A BERT is tested on all of a file of texts, or on the dev file of a folder; of two classes F1 is
    told too.

        found = vitprof.evaluate("digits", "digits")
        found.top1, found.top3
        vitprof.evaluate("deit-tiny", "photos.zip", checkpoint="deit_tiny.pth")
        vitprof.evaluate("my-bert", "sst2/dev.tsv", sequence_length=64)

    Args:
        model: a folder with a model, a name, a spec's JSON file, or a Spec.
        data: see `vitprof.train`; of a BERT a file of texts with GLUE's columns, or a folder with
            train and dev files.
        checkpoint: the model's weights.
        resolution: scale images to so many pixels a side; None: the model's.
        sequence_length: of a BERT: cut texts to so many tokens, or fill them up.
        batch: images or texts at a time.
        train_device: "cpu", "cuda", "cuda:1"; "auto" takes a GPU where there is one.
        download: fetch an id of Hugging Face that the local cache lacks.
        progress: True for a bar on stderr, or a function (see progress.OnProgress).

    Raises:
        UserError: there are no weights, or model and data do not go together.
    """
    from ..models import create_model, create_spec
    from ..training.data.loading import load_data_for
    from ..training.evaluate import evaluate as tested
    from ..training.fit import check_fits, of_length, takes_texts
    from ..training.model_folder import weights_or_refuse
    from ..training.torch_device import find_torch_device

    if batch < 1:
        raise UserError(f"`batch` is {batch}; it has to be 1 or more.")
    device = find_torch_device(train_device)
    fetched(model, download, weights=True)
    spec = of_length(create_spec(model), sequence_length, resolution)
    weights = weights_or_refuse(model, checkpoint)
    of_texts = takes_texts(spec)
    with shown_progress(progress) as on_progress:
        samples, norm = load_data_for(spec, str(data), weights, resolution, on_progress, whole=True)
        made = create_model(spec if of_texts else model, checkpoint=weights).to(device)
        check_fits(made.spec, samples.test, norm)
        accuracy = tested(made, samples.test, norm, batch, on_progress)
    return EvaluationResult(spec, "texts" if of_texts else "images", accuracy, norm)
