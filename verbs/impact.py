"""`vitprof.impact`: how much accuracy each module of a model is worth, for the time it takes."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..progress import ProgressOption, shown_progress
from ..results import Result
from .given_table import table_of
from .inputs import Path as PathLike
from .inputs import fetched, spec_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ..models import Spec
    from ..search.impact.impact import Impact
    from ..tables import LatencyTable
    from ..tables.speed import Speed
    from ..training.data.images import Images

_WHOLE = ("top1", "latency_ms")


@dataclass(frozen=True, repr=False)
class ImpactResult(Result):
    """What each removable module of a model is worth, the most worthwhile to remove first.

    images: what accuracies are of; calibration: what gave batch norms their statistics again, if
    anything did.
    """

    spec: Spec
    impacts: tuple[Impact, ...]
    images: Images
    calibration: Images | None
    table: LatencyTable

    @property
    def title(self) -> str:
        whole = self.impacts[0]
        return (
            f"{self.spec.name}: {whole.ms:.4g} ms, top-1 {100 * whole.accuracy:.2f} % of "
            f"{len(self.images)} images of {self.images.name}. Without one module, most worthwhile "
            "first:"
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return a row a module: accuracies from 0 to 1, points of top-1 and milliseconds."""
        return [
            {
                "module": each.name,
                "kind": each.module.kind,
                "points_lost": each.points_lost,
                "ms_saved": each.ms_saved,
                "points_per_ms": each.points_per_ms,
                "top1": each.accuracy,
                "top1_without": each.accuracy_without,
                "latency_ms": each.ms,
                "latency_ms_without": each.ms_without,
            }
            for each in self.impacts
        ]

    def report(self) -> dict[str, Any]:
        return {
            "model": self.spec.name,
            "images": len(self.images),
            "top1": self.impacts[0].accuracy,
            "latency_ms": self.impacts[0].ms,
            "at": self.table.stated_at,
            "modules": [
                {key: value for key, value in row.items() if key not in _WHOLE}
                for row in self.rows()
            ],
        }

    def to_frame(self) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame(self.rows())

    def to_csv(self, path: PathLike) -> None:
        """Write a line a module."""
        from ..atomic_write import write_atomically

        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.rows()[0]), lineterminator="\n")
        writer.writeheader()
        for row in self.rows():
            writer.writerow({k: f"{v:.7g}" if isinstance(v, float) else v for k, v in row.items()})
        write_atomically(Path(path), text.getvalue())

    def figure(self) -> Figure:
        """Draw what removing each module saves and costs, in the order in which they run."""
        from ..search.impact.plot import impact_figure

        return impact_figure(self.impacts, self.spec, len(self.images))

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write impact.csv and impact.png."""
        from ..atomic_write import made_folder
        from ..tables.picture import save_picture

        place = Path(folder)
        made_folder(place)
        self.to_csv(place / "impact.csv")
        save_picture(self.figure(), self.table.setting, place / "impact.png")


def impact(
    model: str | Path | Spec,
    table: PathLike | LatencyTable = "lut.csv",
    *,
    at: Speed | str | None = None,
    data: str | Path,
    checkpoint: str | Path | None = None,
    images: int | None = None,
    calibration_images: int = 512,
    resolution: int | None = None,
    batch: int = 256,
    train_device: str = "auto",
    download: bool = False,
    progress: ProgressOption = False,
) -> ImpactResult:
    """Remove each module of a trained model in turn: points of accuracy lost per ms saved.

    Accuracy is top-1 on the test part of a dataset, in fp32; latency is the table's answer for the
    whole model (Kong et al. 2025, eq. 7).

        worth = vitprof.impact("digits", "lut.csv", data="digits")
        worth.to_frame()[["module", "points_lost", "ms_saved", "points_per_ms"]]
        worth.impacts[0].name
        worth.plot("impact.png")

    Args:
        model: a folder with a model, a name, a spec's JSON file, or a Spec.
        table: a table that covers the model and what is left of it, or its file.
        at: latencies are at this speed of the table's machine: "undisturbed", "typical" or "p90";
            None: the one that the table is stated at.
        data: the images, see `vitprof.train`.
        checkpoint: the model's weights; None: those in its folder.
        images: test on so many images of the test part, drawn at random; None: all.
        calibration_images: of a model with batch norms: images of the training part that give them
            their statistics again once a module is gone; 0 leaves them.
        resolution: scale images to so many pixels a side; None: the model's.
        batch: images at a time.
        train_device: where to compute: "cpu", "cuda", "cuda:1"; "auto" takes a GPU where there is.
        download: fetch an id of Hugging Face that the local cache lacks.
        progress: True for a bar on stderr, or a function (see progress.OnProgress).

    Raises:
        UserError: nothing can be removed from the model, the table does not cover it, or the images
            do not fit.
    """
    from ..models import create_model
    from ..models.removal import removable
    from ..search.impact.impact import has_batch_norms, module_impacts
    from ..training.data.datasets import load_dataset
    from ..training.data.held_out import some_of
    from ..training.fit import check_fits, refuse_texts
    from ..training.model_folder import normalisation_for, weights_or_refuse
    from ..training.torch_device import find_torch_device

    if calibration_images == 1:
        raise UserError(
            "`calibration_images` 1: one image has no variance; give at least 2, or 0 for none."
        )
    device = find_torch_device(train_device)
    fetched(model, download, weights=True)
    spec = spec_of(model)
    refuse_texts(spec, "vitprof impact")
    removable(spec)
    weights = weights_or_refuse(model, checkpoint)
    lookup = table_of(table, at)
    with shown_progress(progress) as on_progress:
        dataset = load_dataset(
            str(data), resolution or getattr(spec, "resolution", None), on_progress
        )
        norm = normalisation_for(weights, dataset)
        made = create_model(model, checkpoint=weights).to(device)
        check_fits(made.spec, dataset.test, norm)
        tested = dataset.test if images is None else some_of(dataset.test, images)
        calibrates = bool(calibration_images) and has_batch_norms(made)
        calibration = some_of(dataset.train, calibration_images) if calibrates else None
        impacts = module_impacts(made, lookup, tested, norm, calibration, on_progress, batch)
    return ImpactResult(spec, tuple(impacts), tested, calibration, lookup)
