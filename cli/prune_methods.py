"""The methods of `vitprof prune`: from options to a run that is done, and its models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from .options.prune import NViTOptions, OptinOptions
from .output import note

if TYPE_CHECKING:
    import torch
    from torch import nn

    from ..compress.budget import Budget
    from ..compress.groups import Groups
    from ..compress.nvit.nvit import OnStep
    from ..compress.run import PruningRun
    from ..compress.targets import Target
    from ..models import Spec
    from ..training.data.images import Normalisation
    from ..training.inputs import AnyDataset
    from ..training.processes import Processes
    from ..training.saved_run import SavedRun
    from .options.training import Training


@dataclass(frozen=True)
class Job:
    """What every method works on."""

    model: str | Spec
    weights: Path
    data: AnyDataset
    norm: Normalisation | None
    targets: Sequence[Target]
    goal: Budget
    ranking: Budget
    groups: Groups
    only: tuple[str, ...]
    score: str
    training: Training
    device: torch.device
    processes: Processes


Done = tuple["PruningRun", "list[nn.Module]"]


def by_nvit(job: Job, options: NViTOptions, saved: SavedRun, show: OnStep) -> Done:
    """Prune while training, then finetune (Yang et al. 2023)."""
    from ..compress.nvit.nvit import NViTRun, PruningPlan, Work
    from ..models import create_model
    from ..training.distillation import DistillationLoss
    from ..training.fit import read_teacher

    full = create_model(job.model, checkpoint=job.weights).to(job.device).eval()
    teacher = options.teacher
    taught = None if teacher is None else read_teacher(teacher, job.device, job.data, job.norm)
    score: Any = job.score
    plan = PruningPlan(
        options.prune_epochs, options.prune_every, options.prune_learning_rate, score,
        eta_of(options.eta), options.allocation, not options.no_head_alignment, job.groups,
        job.only,
    )  # fmt: skip
    objective = DistillationLoss(
        taught, full if options.alpha else None, options.alpha, options.tau
    )
    run = NViTRun(
        create_model(job.model, checkpoint=job.weights),
        Work(
            job.data, job.norm, objective, job.device, job.processes,
            _two_four if options.sparsity == "2:4" else None,
        ),
        job.targets,
        job.goal,
        job.ranking,
        plan,
        job.training,
        saved,
    )  # fmt: skip
    run.prune(show)
    return run, [run.finetune(target, show) for target in job.targets]


def by_optin(job: Job, options: OptinOptions, saved: SavedRun, show: OnStep) -> Done:
    """Score once, choose and cut; nothing is trained (Khaki et al. 2024)."""
    from ..compress.merging.token_schedule import parse_schedule
    from ..compress.nvit.nvit import Work
    from ..compress.optin.channels import LOGITS_WEIGHT
    from ..compress.optin.optin import OneShotPlan, OptinRun
    from ..compress.optin.trajectory_score import Scoring
    from ..models import create_model
    from ..models.structures.prunable import prunable_of
    from ..training.distillation import DistillationLoss

    if job.processes.count > 1:
        raise UserError("--method optin scores in one process; start it without torchrun.")
    model = create_model(job.model, checkpoint=job.weights)
    spec: Any = model.spec
    trajectory = options.trajectory(LOGITS_WEIGHT if prunable_of(spec).steps else None)
    score: Any = job.score
    run = OptinRun(
        model,
        Work(job.data, job.norm, DistillationLoss(), job.device),
        job.targets,
        job.goal,
        job.ranking,
        OneShotPlan(
            score, Scoring(trajectory, options.units_at_once), options.score_images,
            options.order, options.reconstruct, job.groups, job.only, job.training.seed,
            parts_of(options), parse_schedule(options.schedule, spec),
        ),
        saved,
    )  # fmt: skip
    run.score(show)
    models = [run.cut(target) for target in job.targets]
    for remark in run.remarks:
        note(f"{remark}.")
    return run, models


def parts_of(options: OptinOptions) -> Any:
    """Return what goes: units, tokens, or both."""
    if options.tokens_only:
        return "tokens"
    return "both" if options.tokens else "units"


def eta_of(text: str) -> float | None:
    """Return what --eta says; UserError for what is neither auto nor a number from 0 on."""
    if text == "auto":
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise UserError(f"--eta {text} is neither auto nor a number from 0 on.")
    return value


def _two_four(model: nn.Module) -> None:
    from ..backends.two_four import prune_two_four

    prune_two_four(model)
