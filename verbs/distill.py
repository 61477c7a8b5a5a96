"""`vitprof.distill`: a small model that learns from a large one, and what that gains."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError, did_you_mean
from ..notes import warn
from ..profiler.deployed.result import DeployedModels
from ..progress import ProgressOption, shown_progress
from .handed_back import hand_back, is_foreign
from .inputs import fetched
from .student_learning import StudentLearning

if TYPE_CHECKING:
    from torch import nn

    from ..models import Spec
    from ..training.data.images import Dataset
    from ..training.data.kept_where import Keep, OnDamaged


@dataclass(frozen=True)
class Preset:
    """A teacher's shape, and the student that it is known to teach."""

    title: str
    embed: int
    layers: int
    student: str


PRESETS = {"vit-b-deit-ti": Preset("a ViT-B (12 layers of 768)", 768, 12, "deit-tiny-distilled")}


@dataclass(frozen=True, repr=False)
class DistillResult(DeployedModels):
    """Teacher and student side by side; the student, of `spec`, lies in the folder `out`.

    loader: the lines of its load.py, where the teacher's or its own weights came from elsewhere.
    Under torchrun only the first process measures: in the others there are no facts.
    """

    spec: Spec
    teacher: str
    epochs: float
    learning: StudentLearning
    smaller: float
    loader: str | None = None

    @property
    def weight(self) -> float | None:
        """Of the teacher's distribution; None where `distill` was given in its place."""
        return self.learning.options().get("weight")

    @property
    def temperature(self) -> float | None:
        """What softens both distributions; None where none is softened."""
        return self.learning.options().get("temperature")

    def about(self) -> dict[str, Any]:
        return {
            "teacher": self.teacher,
            "student": self.spec.name,
            "runtime": self.runtime,
            "epochs": self.epochs,
            **self.learning.options(),
            "smaller": self.smaller,
            **({} if self.loader is None else {"loader": self.loader}),
        }


def distill(
    teacher: str | Path,
    data: str | Path,
    *,
    out: str | Path,
    student: str | Path | Spec | None = None,
    preset: str | None = None,
    checkpoint: str | Path | None = None,
    resolution: int | None = None,
    weight: float | None = None,
    temperature: float | None = None,
    distill: str | None = None,
    alpha: float | None = None,
    epochs: float = 20.0,
    batch: int = 128,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.05,
    augment: str = "light",
    autocast: str = "auto",
    seed: int = 0,
    train_device: str = "auto",
    fused_attention: bool = False,
    run_batch: int = 1,
    threads: int = 1,
    test_images: int | None = None,
    sessions: int = 5,
    keep: Keep = "auto",
    workers: int | None = None,
    on_damaged: OnDamaged = "refuse",
    fresh: bool = False,
    download: bool = False,
    progress: ProgressOption = False,
) -> DistillResult:
    """Train a small model on labels and a large one's answers; measure both side by side.

    The loss is CE(label) + weight · T² · KL(teacher || student), or one of AutoViT's by `distill`.
    An interrupted run goes on when the same call is made again.

        pair = vitprof.distill("digits", "digits", student="vit-micro-8", out="small")
        pair.to_frame()[["name", "params", "latency_ms", "top1"]]
        pair.smaller
        vitprof.evaluate("small", "digits")

    Args:
        teacher: the folder of a trained model.
        data, out, resolution: as in `vitprof.train`.
        student: a name, a spec's JSON file, a Spec, or a folder with a model.
        preset: "vit-b-deit-ti" in place of a student: a ViT-B teaches a DeiT-Ti with a distillation
            token.
        checkpoint: the student's weights to start from.
        weight: of T² · KL(teacher || student), the cross entropy weighing 1; None: 1.
        temperature: T, which softens both distributions; None: 3.
        distill: "soft" or "hard": the losses of `vitprof.train` with a teacher in place of that
            (Kong et al. 2025, eq. 10 and 11), with `alpha` and the `temperature` of "soft".
        epochs, batch, learning_rate, weight_decay, augment, autocast, seed, train_device,
            fused_attention, keep, workers, on_damaged, fresh, download, progress: as in
            `vitprof.train`.
        run_batch: images a run that is measured.
        threads, test_images, sessions: as in `vitprof.quantize`.

    Raises:
        UserError: teacher, student and images do not go together, or `out` holds something else.
    """
    from ..models import create_model
    from ..models.modules.fused_attention import with_fused_attention
    from ..profiler.deployed.comparison import Comparison
    from ..training.data.loading import images_for_trained
    from ..training.data_reading import loading_of, read_from
    from ..training.fit import check_batch
    from ..training.loop import TrainingRun
    from ..training.model_folder import weights_of, write_model
    from ..training.plan import TrainingPlan
    from ..training.processes import joined_processes
    from ..training.saved_run import SavedRun, train_to_end
    from ..training.torch_device import find_torch_device
    from .autocast import settled

    facts, loader = [], None
    chosen = _fetched_student(teacher, _chosen(student, preset), download)
    learning = StudentLearning(weight, temperature, distill, alpha)
    if run_batch < 1:
        raise UserError(f"`run_batch` is {run_batch}; it has to be 1 or more.")
    comparison = Comparison(run_batch, threads, test_images, sessions)
    device = find_torch_device(train_device)
    plan = settled(
        TrainingPlan(epochs, batch, learning_rate, weight_decay, augment, autocast, seed), device
    )
    target = Path(out)
    comparison.check_free()
    with joined_processes(device) as processes:
        shown = progress if processes.is_first else False
        with shown_progress(shown) as on_progress:
            folder, images, norm = images_for_trained(
                teacher,
                str(data),
                resolution,
                on_progress,
                loading_of(plan, keep, workers, on_damaged),
            )
        check_batch(images, batch)
        taught: Any = create_model(folder, checkpoint=folder).to(device).eval()
        _check_preset(preset, taught.spec)
        made: Any = _student(chosen, checkpoint, taught.spec, images, seed)
        _warn_of_size(made.spec, taught.spec)
        asked = {
            "command": "distill",
            "teacher": teacher,
            "student": chosen,
            "checkpoint": checkpoint or "",
            "data": data,
            "read_from": read_from(images),
            "training": plan,
            **learning.options(),
            "fused_attention": fused_attention,
        }
        with processes.first_before_others():
            saved = SavedRun(target, asked, writes=processes.is_first, fresh=fresh)
        run = TrainingRun(
            with_fused_attention(made) if fused_attention else made,
            images,
            norm,
            plan,
            learning.loss(taught),
            device,
            processes,
        )
        with shown_progress(shown) as on_progress:
            train_to_end(run, saved, on_progress)
        if processes.is_first:
            write_model(run.model, target, norm)
            loader = _handed_back(run.model, target, folder, weights_of(chosen, checkpoint))
    if processes.is_first:
        with shown_progress(shown) as on_progress:
            files = {
                name: comparison.write(place, "fp32", target / "onnx" / name)
                for name, place in (("teacher", folder), ("student", target))
            }
            facts = comparison.measure(files, images, norm, on_progress)
    result = DistillResult(
        tuple(facts),
        "onnxruntime",
        target,
        made.spec,
        str(teacher),
        epochs,
        learning,
        taught.spec.params / made.spec.params,
        loader,
    )
    if processes.is_first:
        result.save(target)
        saved.finish(result.report())
    return result


def _chosen(student: str | Path | Spec | None, preset: str | None) -> str | Path | Spec:
    if preset is not None and student is None:
        if preset not in PRESETS:
            raise UserError(f"unknown preset '{preset}'{did_you_mean(preset, PRESETS)}.")
        return PRESETS[preset].student
    if student is None or preset is not None:
        raise UserError("give `student`, or `preset`, which names one.")
    return student


def _handed_back(model: nn.Module, folder: Path, teacher: Path, weights: Path | None) -> str | None:
    """Return the loader where the teacher's weights or the student's came from elsewhere."""
    if not (is_foreign(teacher) or is_foreign(weights)):
        return None
    return hand_back(model, folder, weights)


def _fetched_student(
    teacher: str | Path, student: str | Path | Spec, download: bool
) -> str | Path | Spec:
    """Return the student, once ids of Hugging Face are in the local cache."""
    fetched([teacher, student], download, weights=True)
    return student


def _check_preset(preset: str | None, teacher: Any) -> None:
    if preset is None:
        return
    known = PRESETS[preset]
    embed, layers = getattr(teacher, "embed", None), len(getattr(teacher, "layers", ()))
    if (embed, layers) != (known.embed, known.layers):
        raise UserError(
            f"`preset` {preset} is of a teacher that is {known.title}, and {teacher.name} is not; "
            f"give `student` {known.student} to use it anyway."
        )


def _warn_of_size(student: Any, teacher: Any) -> None:
    if student.params >= teacher.params:
        warn(
            f"warning: the student has {student.params / 1e6:.3g} M parameters, no fewer than its "
            f"teacher's {teacher.params / 1e6:.3g} M."
        )


def _student(
    student: str | Path | Spec,
    checkpoint: str | Path | None,
    teacher: Any,
    images: Dataset,
    seed: int,
) -> nn.Module:
    """Return the student: with weights as it is, without them fitted to the images.

    Raises UserError where it does not tell the teacher's classes apart.
    """
    import torch

    from ..models import create_model, create_spec
    from ..training.fit import fitted_spec, takes_texts
    from ..training.model_folder import weights_of

    weights = weights_of(student, checkpoint)
    spec: Any = create_spec(student)
    if takes_texts(spec):
        raise UserError(f"the student {spec.name} takes texts, and its teacher images.")
    from_file = isinstance(student, str | Path) and Path(student).exists()
    if (weights is not None or from_file) and spec.classes != teacher.classes:
        raise UserError(
            f"the student {spec.name} has {spec.classes} classes and its teacher {teacher.name} "
            f"{teacher.classes}; a student learns the classes of its teacher."
        )
    torch.manual_seed(seed)
    if weights is None:
        return create_model(fitted_spec(spec, images.train))
    return create_model(student, checkpoint=weights)
