"""Global latency-aware pruning (Yang et al. 2023, NViT): one run, a model for every target.

First the model is trained on while groups of units leave it, a few at a time, until the smallest
target is met; on the way a snapshot is taken wherever a target is passed. Then every snapshot is
finetuned by itself.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from ...errors import UserError
from ...models import Spec, create_model
from ...training.data.images import Dataset, Normalisation
from ...training.inputs import AnyDataset
from ...training.loop import TrainingPlan, TrainingRun
from ...training.losses import Loss
from ...training.processes import ONE_PROCESS, Processes
from ...training.saved_run import SavedRun
from ..budget import Budget
from ..cutting import with_fixed_scale
from ..groups import Groups
from ..targets import Target, amount, check_reachable, floors_of
from .importance import Importance, Score
from .pruner import Allocation, Pruner
from .redistribution import Sensitivity, sensitivities
from .selection import Chooser

PRUNED, FINETUNED = "pruned", "finetuned"


@dataclass(frozen=True)
class PruningPlan:
    """How a model is made smaller.

    prune_epochs: how long, until the last target; every: training steps between two removals;
    learning_rate: during that time, the same all along. eta: of eq. 7, None for the smallest that
    takes a group. aligned: head alignment. only: see `Pruner`.
    """

    prune_epochs: float = 1.0
    every: int = 10
    learning_rate: float = 2e-4
    score: Score = "hessian"
    eta: float | None = None
    allocation: Allocation = "global"
    aligned: bool = True
    groups: Groups = field(default_factory=Groups)
    only: tuple[str, ...] = ()


@dataclass(frozen=True)
class Work:
    """What pruning works with: the data, the objective, where, and on how many processes.

    norm: of images; texts have none. sparsify: sets weights to 0, in place, that stay 0 through
    finetuning (2:4), if any.
    """

    data: AnyDataset
    norm: Normalisation | None
    objective: Loss
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    processes: Processes = ONE_PROCESS
    sparsify: Callable[[nn.Module], object] | None = None

    def images(self) -> tuple[Dataset, Normalisation]:
        """Return data and normalisation to train with; UserError for texts."""
        if not isinstance(self.data, Dataset) or self.norm is None:
            raise UserError("pruning while training takes images; texts go with --method optin.")
        return self.data, self.norm


# Called with what goes on ("pruning", "finetuning 0.5x"), steps done, steps in all, and words.
OnStep = Callable[[str, int, int, str], None]


class NViTRun:
    """Pruning one model to several targets: `prune`, then `finetune` for each of them.

    Both go on from what `saved` holds. budget: what targets are in; ranking: what groups are
    compared by (eq. 7).
    """

    def __init__(
        self,
        model: nn.Module,
        work: Work,
        targets: Sequence[Target],
        budget: Budget,
        ranking: Budget,
        plan: PruningPlan,
        training: TrainingPlan,
        saved: SavedRun,
    ) -> None:
        self.model = with_fixed_scale(model)
        self.work, self.plan, self.training, self.saved = work, plan, training, saved
        self.targets = sorted(targets, key=lambda target: -target.cost)
        self.budget, self.ranking = budget, ranking
        self.sensitivities: list[Sensitivity] = []
        self.floors = floors_of(self.spec, budget.table, plan.groups, plan.only)
        check_reachable(self.spec, self.targets, budget, self.floors)

    @property
    def spec(self) -> Spec:
        """The unpruned model's."""
        return self.model.spec  # type: ignore[return-value]

    def prune(self, on_step: OnStep | None = None) -> None:
        """Train and shrink until the last target is met; a model is saved for each."""
        state = self.saved.load()
        if state is not None and state["phase"] != "pruning":
            self.sensitivities = [Sensitivity(**each) for each in state["sensitivities"]]
            return
        # A copy: the unpruned model is what the results are compared with.
        model = (
            copy.deepcopy(self.model)
            if state is None
            else create_model(Spec.from_dict(state["pruner"]["spec"]))
        )
        run = TrainingRun(
            model,
            *self.work.images(),
            replace(
                self.training,
                epochs=self.plan.prune_epochs,
                learning_rate=self.plan.learning_rate,
                decay=False,
            ),
            self.work.objective,
            self.work.device,
            self.work.processes,
        )
        pruner = self._pruner(run)
        if state is not None:
            run.restore(state["run"])
            pruner.restore(state["pruner"])
            self.sensitivities = [Sensitivity(**each) for each in state["sensitivities"]]
        every = min(self.plan.every, run.steps_in_all)
        removals = run.steps_in_all // every
        for progress in run.steps():
            nth, rest = divmod(progress.step, every)
            if rest == 0 and 1 <= nth <= removals:
                if not self.sensitivities:
                    self.sensitivities = self._sensitivities(pruner)
                self._shrink(pruner, (nth - 1) / removals, nth / removals)
            if on_step is not None:
                words = f"loss {progress.loss:.3f}, {self._words(pruner.cost)}"
                on_step("pruning", progress.step, run.steps_in_all, words)
            if self.saved.is_due():
                self.saved.save(self._state("pruning", run, pruner))
        self.saved.save(self._state("pruned"))

    def _pruner(self, run: TrainingRun) -> Pruner:
        plan = self.plan
        chooser = Chooser(
            plan.groups,
            self.budget.of,
            self.ranking.of,
            float(self.ranking.of([self.spec])[0]),
            plan.eta,
            self.floors,
        )
        importance = Importance(plan.score, self.training.seed)
        ends = [target.cost for target in self.targets]
        return Pruner(run, importance, chooser, plan.allocation, plan.aligned, plan.only, ends)

    def _shrink(self, pruner: Pruner, since: float, until: float) -> None:
        """Go down to where the cost should be at a share `until` of the way; stop at targets.

        The cost falls by the same factor from removal to removal, so that as a share of what is
        left each takes as much as the others.
        """
        full, last = float(self.budget.of([self.spec])[0]), self.targets[-1].cost
        above, goal = (full * (last / full) ** share for share in (since, until))
        for target in self.targets:
            is_last = target is self.targets[-1] and until >= 1
            if goal <= target.cost < above or is_last:
                pruner.shrink_to(target.cost, exactly=True)
                self.saved.save_model(f"{PRUNED}-{target.text}", pruner.run.model, self.work.norm)
        if until < 1:
            pruner.shrink_to(goal)

    def finetune(self, target: Target, on_step: OnStep | None = None) -> nn.Module:
        """Return the target's model, finetuned; on the way it is saved."""
        self.work.processes.wait()  # the first one may still be writing what the others read
        done = self.saved.load_model(f"{FINETUNED}-{target.text}")
        if done is not None:
            return done
        model = self.saved.load_model(f"{PRUNED}-{target.text}")
        assert model is not None, "prune comes first"
        if self.work.sparsify is not None:
            self.work.sparsify(model)
        zeros = {name: weight == 0 for name, weight in model.named_parameters() if weight.ndim > 1}
        run = TrainingRun(
            model,
            *self.work.images(),
            self.training,
            self.work.objective,
            self.work.device,
            self.work.processes,
        )
        state = self.saved.load()
        if state is not None and state["phase"] == f"finetuning {target.text}":
            run.restore(state["run"])
        if self.work.sparsify is not None or not self.plan.aligned:
            run.after_step = holding(zeros)
        if self.training.epochs > 0:
            for progress in run.steps():
                if on_step is not None:
                    words = f"loss {progress.loss:.3f}"
                    on_step(f"finetuning {target.text}", progress.step, run.steps_in_all, words)
                if self.saved.is_due():
                    self.saved.save(self._state(f"finetuning {target.text}", run))
        self.saved.save_model(f"{FINETUNED}-{target.text}", run.model, self.work.norm)
        return run.model.eval()

    def _sensitivities(self, pruner: Pruner) -> list[Sensitivity]:
        if not self.plan.aligned:
            return []
        latency = Budget(self.budget.table)
        return sensitivities(
            self.spec, pruner.importance.of, latency, self.plan.groups.sizes, self.floors
        )

    def _state(
        self, phase: str, run: TrainingRun | None = None, pruner: Pruner | None = None
    ) -> dict[str, Any]:
        return {
            "phase": phase,
            "run": None if run is None else run.state(),
            "pruner": None if pruner is None else pruner.state(),
            "sensitivities": [vars(each) for each in self.sensitivities],
        }

    def _words(self, cost: float) -> str:
        full = float(self.budget.of([self.spec])[0])
        return f"{amount(cost, self.budget.unit)} ({cost / full:.2f}x)"


def holding(zeros: dict[str, torch.Tensor]) -> Callable[[nn.Module], None]:
    """Return what sets the weights flagged to 0, in place."""

    def hold(model: nn.Module) -> None:
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if name in zeros:
                    weight.masked_fill_(zeros[name].to(weight.device), 0.0)

    return hold
