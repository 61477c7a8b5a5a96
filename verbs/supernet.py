"""`vitprof.supernet`: one set of weights for all models of a space, from images."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..atomic_write import made_folder, write_atomically
from ..errors import UserError
from ..notes import note
from ..progress import ProgressOption, shown_progress
from ..results import Result
from .inputs import fetched, space_of
from .taught import Taught

if TYPE_CHECKING:
    import pandas as pd

    from ..models import Spec
    from ..search.supernet.report import SubnetAccuracy
    from ..search.supernet.sharing import Sharing
    from ..spaces.space import SearchSpace
    from ..training.data.kept_where import Keep, OnDamaged

MOST_PARTS = 16


@dataclass(frozen=True, repr=False)
class SupernetResult(Result):
    """A trained supernet in the folder `path`: its `space`, and `spec`, that of the largest model.

    `subnets`: how often the largest, the smallest and one between them are right on the `held_out`
    images. Under torchrun only the first process tests them: in the others there are none.
    """

    space: SearchSpace
    spec: Spec
    path: Path
    images: int
    held_out: int
    epochs: float
    subnets: tuple[SubnetAccuracy, ...]
    sharing: Sharing | None

    @property
    def title(self) -> str:
        return (
            f"{self.space.name}: {self.space.count():,} models, judged by {self.held_out} images "
            "held out"
        )

    def report(self) -> dict[str, Any]:
        return {
            "space": self.space.name,
            "models": self.space.count(),
            "params": self.spec.params,
            "images": self.images,
            "held_out": self.held_out,
            "epochs": self.epochs,
            "subnets": [subnet.as_dict() for subnet in self.subnets],
            "sharing": self.sharing and self.sharing.as_dict(),
            "out": str(self.path),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a row a subnet: its size and accuracies."""
        import pandas as pd

        return pd.DataFrame([subnet.as_dict() for subnet in self.subnets])

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write report.json; the supernet itself is in `path`."""
        place = Path(folder)
        made_folder(place)
        write_atomically(place / "report.json", json.dumps(self.report(), indent=2) + "\n")


def supernet(
    space: str | Path | SearchSpace,
    data: str | Path,
    *,
    out: str | Path,
    checkpoint: str | Path | None = None,
    validation: int | None = None,
    sandwich: int | None = None,
    distill_in_place: bool = False,
    epochs: float = 100.0,
    batch: int = 128,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.05,
    augment: str = "light",
    autocast: str = "auto",
    seed: int = 0,
    train_device: str = "auto",
    teacher: str | Path | None = None,
    distill: str | None = None,
    alpha: float | None = None,
    tau: float | None = None,
    teacher_cache: str | Path | None = None,
    part: str | None = None,
    keep: Keep = "auto",
    workers: int | None = None,
    on_damaged: OnDamaged = "refuse",
    fresh: bool = False,
    download: bool = False,
    progress: ProgressOption = False,
) -> SupernetResult:
    """Train a supernet: the largest model of a space, whose weights all its models share.

    An interrupted run goes on when the same call is made again. Started by torchrun, all processes
    train one supernet.

        net = vitprof.supernet("space.toml", "digits", out="supernet", epochs=40, augment="none")
        net.to_frame()[["which", "params", "top1"]]
        found = vitprof.search_models(supernet="supernet", data="digits", tables="lut.csv",
                                      max_latency="0.1ms")

    Args:
        space: a search space's name, its .toml or .json file, or as such.
        data: "digits"; a folder or zip of class folders; an .npz with images and labels.
        out: folder to write: the largest model's, and supernet.json.
        checkpoint: weights of the largest model to start from.
        validation: training images to hold out, for a search to judge by; None: a tenth, 10 a class
            at least.
        sandwich: train the largest, the smallest and so many random subnets in every step, in place
            of one random subnet.
        distill_in_place: with `sandwich`: all others learn the largest's answers.
        epochs, batch, learning_rate, weight_decay, augment, autocast, seed, train_device: see
            `vitprof.train`.
        teacher: a model whose answers count beside the labels, as in `vitprof.train`.
        distill, alpha, tau: how they count, as in `vitprof.train` (Kong et al. 2025, eq. 10, 11).
        teacher_cache: folder to keep its answers in, as in `vitprof.train`.
        part: "1/3": of the space only the first of three parts, from narrow models to wide ones,
            each of which overlaps with the next (there, section 5.2).
        keep, workers, on_damaged: how images are read, as for `vitprof.train`.
        fresh: start again where `out` holds a run.
        download: fetch a teacher that is an id of Hugging Face and not in the local cache.
        progress: True for a bar on stderr, or a function (see progress.OnProgress).

    Raises:
        UserError: the images or weights do not fit the space, `out` holds something else, or the
            loss is not a number.
    """
    if distill_in_place and sandwich is None:
        raise UserError(
            "`distill_in_place` needs a largest subnet in every step; add `sandwich` N."
        )
    taught = Taught(teacher, distill, alpha, tau, teacher_cache)
    from ..search.supernet.folder import write_supernet
    from ..search.supernet.loss import SupernetLoss
    from ..search.supernet.onednn_cache import keep_primitives
    from ..search.supernet.recalibration import calibration_images
    from ..search.supernet.report import judged
    from ..search.supernet.sharing import sharing
    from ..search.supernet.start import started
    from ..search.supernet.supernet import Supernet
    from ..training.data_reading import loading_of, read_from
    from ..training.loop import TrainingRun
    from ..training.plan import TrainingPlan
    from ..training.processes import joined_processes
    from ..training.saved_run import SavedRun, train_to_end
    from ..training.torch_device import find_torch_device
    from .autocast import settled

    keep_primitives()
    fetched(teacher, download, weights=True)
    device = find_torch_device(train_device)
    plan = settled(
        TrainingPlan(epochs, batch, learning_rate, weight_decay, augment, autocast, seed), device
    )
    loading = loading_of(plan, keep, workers, on_damaged)
    weights = None if checkpoint is None else Path(checkpoint)
    with (
        joined_processes(device) as processes,
        shown_progress(progress if processes.is_first else False) as on_progress,
    ):
        searched = _part_of(space_of(space), part)
        start = started(searched, str(data), validation, weights, plan, on_progress, loading)
        norm = start.norm
        options = {
            "checkpoint": str(checkpoint or ""),
            "sandwich": sandwich,
            "distill_in_place": distill_in_place,
            "training": asdict(plan),
            **taught.options(),
        }
        asked = {
            "command": "supernet",
            "space": start.space.to_dict(),
            "data": str(data),
            "read_from": read_from(start.data),
            "validation": len(start.held_out),
            **options,
        }
        teaching = taught.teaching(device, start.data, norm, plan)
        with processes.first_before_others():
            saved = SavedRun(Path(out), asked, writes=processes.is_first, fresh=fresh)
        if checkpoint is not None and processes.is_first:
            note("note: the checkpoint may have been trained on images that are held out here.")
        net = Supernet(start.model)
        loss = SupernetLoss(
            start.space, lambda: run.progress.step, seed, sandwich, distill_in_place, teaching
        )
        run = TrainingRun(net, start.data, norm, plan, loss, device, processes)
        train_to_end(run, saved, on_progress)
        subnets: list[SubnetAccuracy] = []
        if processes.is_first:
            calibration = calibration_images(start.data.train, seed=start.seed)
            subnets = judged(
                net.eval(), start.space, start.held_out, calibration, norm, start.seed, on_progress
            )
        result = SupernetResult(
            start.space,
            net.spec,
            Path(out),
            len(start.data.train),
            len(start.held_out),
            epochs,
            tuple(subnets),
            sharing(start.space),
        )
        if processes.is_first:
            # Before the others leave: torchrun ends all where one of them fails on its way out.
            write_supernet(net, Path(out), norm, start.record(options))
            saved.finish(result.report())
    return result


def _part_of(space: SearchSpace, part: str | None) -> SearchSpace:
    """Return the part of the space that "1/3" names, or the whole of it."""
    if part is None:
        return space
    which, _, count = part.partition("/")
    fine = which.isdecimal() and count.isdecimal()
    if not (fine and 1 <= int(which) <= int(count) <= MOST_PARTS):
        raise UserError(
            f"`part`: '{part}' is not a part of a space; write it as 1/3, at most "
            f"{MOST_PARTS} parts."
        )
    return space.part(int(which), int(count))
