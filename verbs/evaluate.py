"""`vitprof.evaluate`: how often a model is right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..notes import note
from ..progress import ProgressOption, shown_progress
from ..results import Result
from .inputs import fetched

if TYPE_CHECKING:
    import pandas as pd

    from ..models import Spec
    from ..training.data.images import Normalisation
    from ..training.data.kept_where import Keep, OnDamaged
    from ..training.data.part import Part
    from ..training.data.view import View
    from ..training.evaluate import Accuracy


@dataclass(frozen=True, repr=False)
class EvaluationResult(Result):
    """How often a model is right on test `images` or `texts` (`what`), normalised by `norm`.

    `view`: how images were scaled and cut; None for texts.
    """

    spec: Spec
    what: str
    accuracy: Accuracy
    norm: Normalisation | None
    view: View | None = None

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
    crop_pct: float | None = None,
    interpolation: str | None = None,
    part: Part = "auto",
    keep: Keep = "auto",
    workers: int | None = None,
    on_damaged: OnDamaged = "refuse",
    sequence_length: int | None = None,
    batch: int = 256,
    train_device: str = "auto",
    download: bool = False,
    progress: ProgressOption = False,
) -> EvaluationResult:
    """Test a model on test images, in fp32 and without augmentation.

    A folder with a test or val part is tested on all of that part, and the rest is not read; a
    folder without parts on all of it. Images are scaled and cut as the model's configuration says
    (timm's `pretrained_cfg`, Hugging Face's preprocessor_config.json). A BERT is tested on all of
    a file of texts, or on the dev file of a folder; for two classes the result has F1 too.

        found = vitprof.evaluate("digits", "digits")
        found.top1, found.top3
        vitprof.evaluate("deit-tiny", "photos.zip", checkpoint="deit_tiny.pth")
        vitprof.evaluate("my-bert", "sst2/dev.tsv", sequence_length=64)

    Args:
        model: a folder with a model, a name, a spec's JSON file, or a Spec.
        data: see `vitprof.train`; of a BERT a file of texts with GLUE's columns, or a folder with
            train and dev files.
        checkpoint: the model's weights.
        resolution: pixels a side of the images that the model sees; None: the model's.
        crop_pct: what share of a scaled image's side is cut out; None: the model's, or 1.
        interpolation: "bicubic", "bilinear", ...; None: the model's, or bicubic.
        part: "auto": the test part where there is one, else all; "all"; or "test": of images
            without parts the fifth of every class that `vitprof.train` keeps for testing.
        keep, workers, on_damaged: how images are read; see `vitprof.train`.
        sequence_length: of a BERT: cut texts to so many tokens, or fill them up.
        batch: images or texts at a time.
        train_device: "cpu", "cuda", "cuda:1"; "auto" takes a GPU where there is one.
        download: fetch an id of Hugging Face that the local cache lacks.
        progress: True for a bar on stderr, or a function (see progress.OnProgress).

    Raises:
        UserError: there are no weights, or model and data do not go together.
    """
    from ..models import create_model, create_spec
    from ..training.data.kept_where import Loading
    from ..training.data.loading import load_test_data_for
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
    loading = Loading(keep, workers, on_damaged)
    view = _view(spec, weights, resolution, crop_pct, interpolation)
    with shown_progress(progress) as on_progress:
        samples, norm = load_test_data_for(
            spec, str(data), weights, view, part, on_progress, loading
        )
        made = create_model(spec if of_texts else model, checkpoint=weights).to(device)
        check_fits(made.spec, samples, norm)
        accuracy = tested(made, samples, norm, batch, on_progress)
    if accuracy.images < len(samples):
        note(f"{len(samples) - accuracy.images} of {len(samples)} images could not be read.")
    return EvaluationResult(
        spec, "texts" if of_texts else "images", accuracy, norm, None if of_texts else view
    )


def _view(
    spec: Any,
    weights: Path,
    resolution: int | None,
    crop_pct: float | None,
    interpolation: str | None,
) -> View:
    """Return how images become what the model sees; of texts it says nothing."""
    from ..training.expected_view import expected_view

    side: int = getattr(spec, "resolution", 1) if resolution is None else resolution
    expected = expected_view(weights, side)
    return replace(
        expected,
        crop_pct=expected.crop_pct if crop_pct is None else crop_pct,
        interpolation=interpolation or expected.interpolation,
    )
