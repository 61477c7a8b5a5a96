"""`vitprof distill`: a small model that learns from a large one, and what that gains."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ...errors import UserError, did_you_mean
from ..deployed_models import (
    Deployment,
    deployed,
    deployment_options,
    measured_facts,
    model_and_data,
    write_facts,
)
from ..options.text import takes_texts
from ..options.training import (
    Training,
    data_option,
    find_torch_device,
    fused_attention_option,
    on_device,
    resolution_option,
    step_bar,
    take_all_steps,
    train_device_option,
    training_options,
    weights_beside,
)
from ..output import json_option, note, print_json
from ..reports.facts_table import print_facts


@dataclass(frozen=True)
class Preset:
    """A teacher's shape, and the student that it is known to teach."""

    title: str
    embed: int
    layers: int
    student: str


PRESETS = {"vit-b-deit-ti": Preset("a ViT-B (12 layers of 768)", 768, 12, "deit-tiny-distilled")}


@click.command(
    epilog="Example: vitprof distill --teacher digits --student vit-micro-8 --data digits --out "
    "small  |  vitprof distill --teacher vit-b --preset vit-b-deit-ti --data photos --out tiny"
)
@click.option("--teacher", required=True, type=click.Path(path_type=Path),
              help="The folder of a trained model.")  # fmt: skip
@click.option("--student", help="A name, a spec's JSON file, or a folder with a model.")
@click.option("--preset", help="vit-b-deit-ti: a ViT-B teaches a DeiT-Ti with a distillation "
              "token.")  # fmt: skip
@click.option("--checkpoint", type=click.Path(path_type=Path),
              help="The student's weights to start from.")  # fmt: skip
@data_option
@resolution_option
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option("--weight", default=1.0, show_default=True, type=click.FloatRange(0),
              help="Of the teacher's distribution; the label's weighs 1.")  # fmt: skip
@click.option("--temperature", default=3.0, show_default=True,
              type=click.FloatRange(0, min_open=True),
              help="Both distributions are softened by it.")  # fmt: skip
@training_options(epochs=20, learning_rate=1e-3)
@train_device_option
@fused_attention_option
@deployment_options("--run-batch")
@json_option
def distill(
    teacher: Path, student: str | None, preset: str | None, checkpoint: Path | None, source: str,
    resolution: int | None, out: Path, weight: float, temperature: float, training: Training,
    train_device: str, fused_attention: bool, how: Deployment, as_json: bool,
) -> int:  # fmt: skip
    """Train a small model on labels and a large one's answers; measure both side by side.

    The loss is CE(label) + weight · T² · KL(teacher || student). An interrupted run goes on when
    the same command is given again.
    """
    from ...models import create_model
    from ...models.modules.fused_attention import with_fused_attention
    from ...training.distillation import StudentLoss
    from ...training.fit import check_batch
    from ...training.loop import TrainingRun
    from ...training.model_folder import write_model
    from ...training.processes import joined_processes
    from ...training.saved_run import SavedRun

    chosen = _student(student, preset)
    device = find_torch_device(train_device)
    training = on_device(training, device)
    with joined_processes(device) as processes:
        quiet = as_json or not processes.is_first
        folder, data, norm = model_and_data(teacher, source, resolution, quiet)
        check_batch(data, training.batch)
        taught: Any = create_model(folder, checkpoint=folder).to(device).eval()
        _check_preset(preset, taught.spec)
        made: Any = _made(chosen, checkpoint, taught.spec, data, training.seed)
        if made.spec.params >= taught.spec.params:
            note(f"warning: the student has {made.spec.params / 1e6:.3g} M parameters, no fewer "
                 f"than its teacher's {taught.spec.params / 1e6:.3g} M.")  # fmt: skip
        asked = {
            "command": "distill", "teacher": str(teacher), "student": chosen,
            "checkpoint": str(checkpoint or ""), "data": source, "training": vars(training),
            "weight": weight, "temperature": temperature, "fused_attention": fused_attention,
        }  # fmt: skip
        with processes.first_before_others():
            saved = SavedRun(out, asked, writes=processes.is_first)
        run = TrainingRun(
            with_fused_attention(made) if fused_attention else made, data, norm, training,
            StudentLoss(taught, weight, temperature), device, processes,
        )  # fmt: skip
        with step_bar(not quiet) as show:
            take_all_steps(run, saved, show)
            if not processes.is_first:
                return 0
        write_model(run.model, out, norm)
    with step_bar(not as_json) as show:
        files = {
            name: deployed(place, "fp32", out / "onnx" / name, how)
            for name, place in (("teacher", folder), ("student", out))
        }
        facts = measured_facts(files, data, norm, how, show)
    report = write_facts(
        facts, out,
        {"teacher": str(teacher), "student": made.spec.name, "runtime": "onnxruntime",
         "epochs": training.epochs, "weight": weight, "temperature": temperature,
         "smaller": taught.spec.params / made.spec.params},
        how,
    )  # fmt: skip
    saved.finish(report)
    if as_json:
        print_json(report)
    else:
        print_facts(facts)
        for remark in report["remarks"]:
            note(remark)
        teacher_facts, student_facts = facts
        note(f"the student has {_times_smaller(report['smaller'])} parameters and takes "
             f"{student_facts.latency_ms / teacher_facts.latency_ms:.2f} x the time.")  # fmt: skip
        note(f"written: {out}")
    return int(any(one.disturbed for one in facts))


def _times_smaller(ratio: float) -> str:
    return f"{ratio:.1f} x fewer" if ratio >= 1 else f"{1 / ratio:.1f} x the"


def _student(student: str | None, preset: str | None) -> str:
    if (student is None) == (preset is None):
        raise UserError("give --student, or --preset, which names one.")
    if preset is None:
        assert student is not None
        return student
    if preset not in PRESETS:
        raise UserError(f"unknown preset '{preset}'{did_you_mean(preset, PRESETS)}.")
    return PRESETS[preset].student


def _check_preset(preset: str | None, teacher: Any) -> None:
    if preset is None:
        return
    wanted = PRESETS[preset]
    embed, layers = getattr(teacher, "embed", None), len(getattr(teacher, "layers", ()))
    if (embed, layers) != (wanted.embed, wanted.layers):
        raise UserError(
            f"--preset {preset} is of a teacher that is {wanted.title}, and {teacher.name} is not; "
            f"give --student {wanted.student} in its place to have it all the same."
        )


def _made(student: str, checkpoint: Path | None, teacher: Any, data: Any, seed: int) -> Any:
    """Return the student: with weights as it is, without them fitted to the images.

    Raises UserError where it does not tell the teacher's classes apart.
    """
    import torch

    from ...models import create_model, create_spec
    from ...training.fit import fitted_spec

    weights = weights_beside(student, checkpoint)
    spec: Any = create_spec(student)
    if takes_texts(spec):
        raise UserError(f"the student {spec.name} takes texts, and its teacher images.")
    from_file = Path(student).exists()
    if (weights is not None or from_file) and spec.classes != teacher.classes:
        raise UserError(
            f"the student {spec.name} has {spec.classes} classes and its teacher {teacher.name} "
            f"{teacher.classes}; a student learns the classes of its teacher."
        )
    torch.manual_seed(seed)
    if weights is None:
        return create_model(fitted_spec(spec, data.train))
    return create_model(student, checkpoint=weights)
