"""`vitprof.train`: a model's weights, from images."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..atomic_write import made_folder, write_atomically
from ..errors import UserError, did_you_mean
from ..progress import ProgressOption, shown_progress
from ..results import Curve, Result
from .inputs import fetched
from .taught import Taught

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import nn

    from ..models import Spec
    from ..training.data.images import Images, Normalisation
    from ..training.data.kept_where import Keep, OnDamaged
    from ..training.data.texts import Texts
    from ..training.evaluate import Accuracy
    from ..training.history import HistoryRow

# How a model begins that has no weights yet.
INITS = ("default", "mimetic")


@dataclass(frozen=True, repr=False)
class TrainResult(Result):
    """A trained model: its folder `path`, its `spec`, and how often it is right.

    `losses` has the running mean of the loss after each step, and `rows` the history of loss,
    learning rate and accuracy; `damaged` is how often an image was skipped that could not be read.
    Under torchrun only the first process tests the model: in the
    others `accuracy` is None.
    """

    spec: Spec
    path: Path
    images: int
    epochs: float
    losses: tuple[float, ...]
    steps_an_epoch: int
    accuracy: Accuracy | None
    damaged: int = 0
    rows: tuple[HistoryRow, ...] = ()

    @property
    def title(self) -> str:
        if self.accuracy is None:
            return f"{self.spec.name}: trained; the first process tests it"
        return f"{self.spec.name}: {self.accuracy.in_words()} of {self.accuracy.images} test images"

    @property
    def top1(self) -> float:
        """Share of the test images that it is right on; NaN where this process did not test."""
        return self._top(1)

    @property
    def top3(self) -> float:
        """The same for the three classes it finds likeliest; NaN for 3 classes and fewer."""
        return self._top(3)

    def _top(self, k: int) -> float:
        found = None if self.accuracy is None else self.accuracy.top(k)
        return math.nan if found is None else found

    @property
    def history(self) -> pd.DataFrame:
        """The rows of history.csv: stage, step, epoch, learning_rate, loss and top1."""
        from ..training.history import history_frame

        return history_frame(self.rows)

    def report(self) -> dict[str, Any]:
        tested = self.accuracy
        return {
            "model": self.spec.name,
            "images": self.images,
            "test_images": 0 if tested is None else tested.images,
            "epochs": self.epochs,
            **({"damaged": self.damaged} if self.damaged else {}),
            **({} if tested is None else tested.as_dict()),
            "out": str(self.path),
        }

    def to_frame(self) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame([self.report()])

    def curves(self) -> Sequence[Curve]:
        from ..training.history import history_curves

        return history_curves(self.rows)

    def figure(self) -> Figure:
        """Draw the loss over the epochs, and the accuracy if it was tested on the way."""
        from ..training.history import history_figure

        tested = self.accuracy
        share = "" if tested is None else f": top-1 {100 * self.top1:.2f} %"
        return history_figure(self.rows, f"{self.spec.name}{share}")

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write report.json and history.csv."""
        from ..training.history import HISTORY, History

        place = Path(folder)
        made_folder(place)
        write_atomically(place / "report.json", json.dumps(self.report(), indent=2) + "\n")
        write_atomically(place / HISTORY, History(self.rows).to_csv())


def first_model(spec: Spec, weights: Path | None, init: str, seed: int) -> nn.Module:
    """Return the model that a training begins with.

    init: one of INITS, where no weights are given. Raises UserError for another one, and where it
    would replace weights.
    """
    import torch

    from ..models import create_model
    from ..training.mimetic import with_mimetic_weights

    if init not in INITS:
        raise UserError(f"`init` '{init}' is unknown{did_you_mean(init, INITS)}.")
    if weights is not None and init != "default":
        raise UserError(f"`init` {init} is for a model without weights, and it has some already.")
    torch.manual_seed(seed)
    made = create_model(spec, checkpoint=weights)
    return with_mimetic_weights(made) if init == "mimetic" else made


def _check_test_every(epochs: float | None) -> None:
    if epochs is not None and not 0 < epochs < math.inf:
        raise UserError(f"`test_every` is {epochs:g}; it has to be above 0.")


def _top1(images: Images | Texts, norm: Normalisation | None, model: nn.Module) -> float:
    """Return the share of the images that a model is right on, from 0 to 1."""
    from ..training.evaluate import evaluate

    found = evaluate(model, images, norm)
    return found.correct[1] / found.images


def train(
    model: str | Path | Spec,
    data: str | Path,
    *,
    out: str | Path,
    checkpoint: str | Path | None = None,
    resolution: int | None = None,
    init: str = "default",
    keep: Keep = "auto",
    workers: int | None = None,
    on_damaged: OnDamaged = "refuse",
    recipe: str = "small",
    train_device: str = "auto",
    fused_attention: bool = False,
    teacher: str | Path | None = None,
    distill: str | None = None,
    alpha: float | None = None,
    tau: float | None = None,
    teacher_cache: str | Path | None = None,
    test_every: float | None = None,
    fresh: bool = False,
    download: bool = False,
    progress: ProgressOption = False,
    **options: Any,
) -> TrainResult:
    """Train a model, from the beginning or from a checkpoint, and test it.

    An interrupted run goes on when the same call is made again; what is drawn follows from `seed`
    alone, so the result is the same. Started by torchrun, all processes train one model.

        run = vitprof.train("vit-micro-8", "digits", out="digits", epochs=40, augment="none")
        run.top1, run.top3
        run.plot("loss.png")
        vitprof.evaluate("digits", "digits")

    Args:
        model: a name, a spec's JSON file, a Spec, or a folder with a model to start from.
        data: "digits"; a folder or zip of class folders; tar shards; a data set of Hugging Face on
            disk; a folder with train and test (or val) of these; an .npz with images and labels.
        out: folder to write: spec.json, model.safetensors, report.json, history.csv.
        checkpoint: weights to start from.
        init: where there are no weights yet: "default", or "mimetic" (Trockman & Kolter 2023), from
            which a ViT learns more out of few images.
        resolution: scale images to so many pixels a side; None: the model's.
        keep: images are in "memory", or read from "disk" as they come; "auto": in memory where they
            take at most 4 GiB. workers: processes that read from disk; None: the cores but one, at
            most 8. on_damaged: "refuse" or "skip" images on disk that cannot be read.
        recipe: the options where they are not given: "small", "deit" or "nvit-finetune".
        options: fields of `vitprof.training.plan.TrainingPlan`: epochs, batch (images a step, over
            all processes), learning_rate, weight_decay, augment ("none", "light", "deit",
            "randaugment"), autocast ("auto", "bf16", "fp16", "fp32"), seed, warmup, clip,
            final_learning_rate, repeats, stochastic_depth, patch_dropout, layer_decay, accumulate,
            ema, optimizer ("adamw", "muon"), compile, checkpointing, mixup, cutmix, erase,
            smoothing, rand_augment, limit_batches.
        train_device: "cpu", "cuda", "cuda:1"; "auto" takes a GPU where there is one.
        fused_attention: train with PyTorch's fused attention.
        teacher: a model whose answers count beside the labels: a folder (ours, timm's or Hugging
            Face's), an id of Hugging Face, an .onnx file, "timm:NAME@FILE" or
            "torchvision:NAME@FILE" with a file of weights. It is given images as it expects them.
        distill: how: "soft", (1 - α)·CE + α·τ²·KL(teacher || model) (Kong et al. 2025, eq. 10), or
            "hard", (1 - α)·CE + α·CE with the classes it names (eq. 11, the default).
        alpha: α, from 0 to 1; None: 0.1 for soft and 0.5 for hard, DeiT's.
        tau: τ, the temperature of "soft"; None: 3.
        teacher_cache: folder to keep its answers in, so that it is asked about an image once; with
            `augment` "none".
        test_every: test the model every so many epochs (0.5), besides at the end. The accuracy is
            shown and kept in history.csv; it has no influence on the training.
        fresh: start again where `out` holds a run.
        download: fetch an id of Hugging Face that the local cache lacks.
        progress: True for a bar on stderr, or a function (see progress.OnProgress).

    Raises:
        UserError: what was given is wrong, `out` holds something else, or the loss is not a number.
    """
    from ..models import create_spec
    from ..models.modules.fused_attention import with_fused_attention
    from ..training.data.datasets import load_dataset
    from ..training.data_reading import loading_of, read_from, ready_data
    from ..training.distillation import DistillationLoss
    from ..training.evaluate import evaluate
    from ..training.fit import check_fits, fitted_spec, refuse_texts
    from ..training.loop import TrainingRun
    from ..training.model_folder import normalisation_for, weights_of, write_model
    from ..training.processes import joined_processes
    from ..training.recipes import plan_of
    from ..training.saved_run import SavedRun, train_to_end
    from ..training.torch_device import find_torch_device
    from .autocast import settled

    _check_test_every(test_every)
    taught = Taught(teacher, distill, alpha, tau, teacher_cache)
    device = find_torch_device(train_device)
    plan = settled(plan_of(recipe, options), device)
    loading = loading_of(plan, keep, workers, on_damaged)
    fetched([model, teacher], download, weights=True)
    folder = Path(out)
    with joined_processes(device) as processes:
        shown = progress if processes.is_first else False
        spec: Any = create_spec(model)
        refuse_texts(spec, "vitprof train")
        with shown_progress(shown) as on_progress:
            images = load_dataset(
                str(data), resolution or spec.resolution, on_progress, loading=loading
            )
        images = ready_data(images, plan, says=processes.is_first)
        weights = weights_of(model, checkpoint)
        if weights is None:
            spec = fitted_spec(spec, images.train)
        made = first_model(spec, weights, init, plan.seed)
        norm = normalisation_for(weights, images)
        check_fits(made.spec, images.train, norm)
        asked = {
            "command": "train",
            "model": model,
            "checkpoint": checkpoint or "",
            "init": init if init != "default" else "",
            "data": data,
            "read_from": read_from(images),
            "training": plan,
            **taught.options(),
            "fused_attention": fused_attention,
        }
        with processes.first_before_others():
            saved = SavedRun(folder, asked, writes=processes.is_first, fresh=fresh)
        teaching = taught.teaching(device, images, norm, plan)
        run = TrainingRun(
            with_fused_attention(made) if fused_attention else made,
            images,
            norm,
            plan,
            DistillationLoss(teaching),
            device,
            processes,
        )
        with shown_progress(shown) as on_progress:
            losses = train_to_end(
                run,
                saved,
                on_progress,
                # The other processes wait for the first one at their next step.
                partial(_top1, images.test, norm) if processes.is_first else None,
                test_every,
            )
            trained = run.result()
            accuracy = (
                evaluate(trained, images.test, norm, on_progress=on_progress)
                if processes.is_first
                else None
            )
        if accuracy is not None:
            saved.history.tested("training", accuracy.correct[1] / accuracy.images)
        result = TrainResult(
            spec,
            folder,
            len(images.train),
            plan.epochs,
            tuple(losses),
            run.steps_an_epoch,
            accuracy,
            run.damaged.count,
            tuple(saved.history.rows),
        )
        if processes.is_first:
            # Before the others leave: torchrun ends all where one fails on its way out.
            write_model(trained, folder, norm)
            saved.finish(result.report())
    return result
