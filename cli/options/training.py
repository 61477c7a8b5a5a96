"""Options of the commands that train: which model, on what, how long, and where."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ...errors import UserError
from ..output import console, note

if TYPE_CHECKING:
    import torch

    from ...training.data.images import Dataset, Normalisation
    from ...training.loop import TrainingPlan, TrainingRun
    from ...training.saved_run import SavedRun

F = TypeVar("F", bound=Callable[..., Any])

data_option = click.option(
    "--data", "source", required=True,
    help="digits; a folder or zip of class folders, or a folder with train and test of these; or "
    "an .npz with images and labels. Of a BERT: a file of texts with GLUE's columns (.tsv, .csv or "
    ".jsonl), or a folder with train and dev files.",
)  # fmt: skip
resolution_option = click.option(
    "--resolution", type=click.IntRange(1, 4096),
    help="Scale images to this many pixels a side (default: the model's).",
)  # fmt: skip
fused_attention_option = click.option(
    "--fused-attention", is_flag=True,
    help="Train with PyTorch's fused attention (flash where it has it); vitprof bench-attention "
    "says whether it pays.",
)  # fmt: skip
train_device_option = click.option(
    "--train-device", default="auto", show_default=True,
    help="Where to compute: cpu, cuda, cuda:1; auto takes a GPU where there is one.",
)  # fmt: skip


@dataclass(frozen=True)
class Training:
    """What the command line says about training."""

    epochs: float
    batch: int
    learning_rate: float
    weight_decay: float
    augment: str
    precision: str
    seed: int

    def on(self, device: torch.device) -> Training:
        """Return the same with the precision that suits this device, where that is left open."""
        return replace(self, precision=suited_precision(device, self.precision))

    def plan(self) -> TrainingPlan:
        from ...training.data.augment import AUGMENTATIONS
        from ...training.loop import TrainingPlan

        return TrainingPlan(
            epochs=self.epochs,
            batch=self.batch,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            precision=self.precision,
            seed=self.seed,
            augmentation=AUGMENTATIONS[self.augment],
        )


def training_options(epochs: float, learning_rate: float) -> Callable[[F], F]:
    """Add --epochs, --batch, --learning-rate and the others, as `training`, with these defaults."""

    def add(function: F) -> F:
        @functools.wraps(function)
        def with_training(**given: Any) -> Any:
            names = list(Training.__dataclass_fields__)
            return function(training=Training(**{n: given.pop(n) for n in names}), **given)

        decorated: Any = with_training
        for option in (
            click.option("--seed", default=0, show_default=True, help="Seed of everything drawn."),
            click.option(
                "--precision", default="auto", show_default=True,
                type=click.Choice(("auto", "bf16", "fp32")),
                help="bf16 is autocast; auto takes it where the device computes in it.",
            ),
            click.option(
                "--augment", default="light", show_default=True,
                type=click.Choice(("none", "light", "deit")),
                help="light: crop, flip, label smoothing; deit adds mixup, cutmix and erasing.",
            ),
            click.option("--weight-decay", default=0.05, show_default=True,
                         type=click.FloatRange(0), help="AdamW's."),
            click.option("--learning-rate", default=learning_rate, show_default=True,
                         type=click.FloatRange(0, min_open=True),
                         help="AdamW's, at its peak; then down a cosine."),
            click.option("--batch", default=128, show_default=True, type=click.IntRange(1, 65536),
                         help="Images a step, over all processes."),
            click.option("--epochs", default=epochs, show_default=True, type=click.FloatRange(0),
                         help="How often every image is seen."),
        ):  # fmt: skip
            decorated = option(decorated)
        return decorated

    return add


def find_torch_device(name: str) -> torch.device:
    """Return the device that a name stands for; UserError where there is none of that name."""
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0][:120]
        raise UserError(
            f"--train-device {name} cannot be used here ({reason}); take cpu or auto."
        ) from None
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"--train-device {name}: training runs on cpu or cuda.")
    return device


def suited_precision(device: torch.device, asked: str) -> str:
    """Return what was asked for; for "auto" bf16 where the device computes in it, else fp32.

    bf16 by autocast on a device without it (a CPU before AMX, a T4) is slower than fp32.
    """
    import torch

    from ...backends.machine.cpu_info import has_bf16_products

    if asked != "auto":
        return asked
    on_gpu = device.type == "cuda"
    there = torch.cuda.is_bf16_supported(False) if on_gpu else has_bf16_products()
    return "bf16" if there else "fp32"


def load_data(source: str, resolution: int | None, quiet: bool) -> Dataset:
    """Read the dataset with a progress bar."""
    from ...training.data.datasets import load_dataset

    with step_bar(not quiet) as show:
        return load_dataset(
            source, resolution, lambda done, total: show(f"reading {source}", done, total, "images")
        )


def weights_beside(model: str, checkpoint: Path | None) -> Path | None:
    """Return the checkpoint, or the folder that is the model, where it holds weights."""
    folder = Path(model)
    if checkpoint is None and folder.is_dir():
        return folder
    return checkpoint


def normalisation_for(folder: Path | None, data: Dataset) -> Normalisation:
    """Return the normalisation that comes with the weights, else that of the training images."""
    from ...training.model_folder import read_normalisation

    beside = folder if folder is None or folder.is_dir() else folder.parent
    return (beside and read_normalisation(beside)) or data.normalisation


def go_on(run: TrainingRun, saved: SavedRun) -> None:
    """Let a run go on where the one in its folder stopped, if one did, and say so."""
    state = saved.load()
    if state is not None:
        run.restore(state)
        note(f"going on after step {run.progress.step} of {run.steps_in_all}.")


def take_all_steps(run: TrainingRun, saved: SavedRun, show: Callable[..., None]) -> None:
    """Train to the end (not at all for 0 epochs), showing and saving the way."""
    if not run.plan.epochs:
        return
    for progress in run.steps():
        show("training", progress.step, run.steps_in_all, f"loss {progress.loss:.3f}")
        if saved.is_due():
            saved.save(run.state())


@contextmanager
def step_bar(enabled: bool = True) -> Iterator[Callable[[str, int, int, str], None]]:
    """Show what goes on, steps done and the time left on stderr; a new bar for each phase."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[words]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeLeft(),
    )
    progress = Progress(*columns, console=console(stderr=True), disable=not enabled)
    tasks: dict[str, Any] = {}

    def update(what: str, done: int, total: int, words: str) -> None:
        if what not in tasks:
            progress.start()
            tasks[what] = progress.add_task(what, total=total, words=words)
        progress.update(tasks[what], completed=done, total=total, words=words)

    try:
        yield update
    finally:
        if tasks:
            progress.stop()
