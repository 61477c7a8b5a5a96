"""`vitprof train`: a model's weights, from images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..options.text import refuse_texts
from ..options.training import (
    Training,
    data_option,
    find_torch_device,
    fused_attention_option,
    load_data,
    normalisation_for,
    on_device,
    resolution_option,
    step_bar,
    take_all_steps,
    train_device_option,
    training_options,
    weights_beside,
)
from ..output import json_option, print_json


@click.command(
    epilog="Example: vitprof train --model vit-micro-8 --data digits --out digits  |  "
    "torchrun --nproc-per-node 4 -m vitprof train --model deit-tiny --data photos.zip --out deit"
)
@click.option("--model", required=True,
              help="A name, a spec's JSON file, or a folder with a model.")  # fmt: skip
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Weights to start from.")
@data_option
@resolution_option
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@training_options(epochs=20, learning_rate=1e-3)
@train_device_option
@fused_attention_option
@click.option("--teacher", type=click.Path(path_type=Path),
              help="Folder of a model whose answers count as labels too.")  # fmt: skip
@json_option
def train(
    model: str, checkpoint: Path | None, source: str, resolution: int | None, out: Path,
    training: Training, train_device: str, fused_attention: bool, teacher: Path | None,
    as_json: bool,
) -> int:  # fmt: skip
    """Train a model, from the beginning or from a checkpoint, and say how often it is right.

    An interrupted run goes on when the same command is given again.
    """
    from ...models import create_model, create_spec
    from ...models.modules.fused_attention import with_fused_attention
    from ...training.distillation import DistillationLoss
    from ...training.evaluate import evaluate
    from ...training.fit import check_batch, check_fits, fitted_spec, read_teacher
    from ...training.loop import TrainingRun
    from ...training.model_folder import write_model
    from ...training.processes import joined_processes
    from ...training.saved_run import SavedRun

    device = find_torch_device(train_device)
    training = on_device(training, device)
    with joined_processes(device) as processes:
        spec: Any = create_spec(model)
        refuse_texts(spec, "vitprof train")
        data = load_data(source, resolution or spec.resolution, as_json or not processes.is_first)
        check_batch(data, training.batch)
        weights = weights_beside(model, checkpoint)
        if weights is None:
            import torch

            torch.manual_seed(training.seed)
            spec = fitted_spec(spec, data.train)
        made = create_model(spec, checkpoint=weights)
        norm = normalisation_for(weights, data)
        check_fits(made.spec, data.train, norm)
        asked = {
            "command": "train", "model": model, "checkpoint": str(checkpoint or ""),
            "data": source, "training": vars(training), "teacher": str(teacher or ""),
            "fused_attention": fused_attention,
        }  # fmt: skip
        with processes.first_before_others():
            saved = SavedRun(out, asked, writes=processes.is_first)
        taught = None if teacher is None else read_teacher(teacher, device, data, norm)
        run = TrainingRun(
            with_fused_attention(made) if fused_attention else made, data, norm, training,
            DistillationLoss(teacher=taught), device, processes,
        )  # fmt: skip
        with step_bar(processes.is_first and not as_json) as show:
            take_all_steps(run, saved, show)
            if not processes.is_first:
                return 0
            found = evaluate(
                run.model, data.test, norm, on_progress=show
            )  # fmt: skip
        # Before the others leave: torchrun ends all where one of them fails on its way out.
        write_model(run.model, out, norm)
        report = {
            "model": spec.name,
            "images": len(data.train),
            "test_images": found.images,
            "epochs": training.epochs,
            **found.as_dict(),
            "out": str(out),
        }
        saved.finish(report)
    if as_json:
        print_json(report)
    else:
        click.echo(f"{found.in_words()} of {found.images} test images; written: {out}")
    return 0
