"""Global latency-aware pruning (Yang et al. 2023, NViT): one run, a model for every target.

First the model is trained on while groups of units leave it, a few at a time, until the smallest
target is met; on the way a snapshot is taken wherever a target is passed. Then every snapshot is
finetuned by itself.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ...models import Spec, create_model
from ...training.loop import TrainingRun
from ...training.losses import Loss
from ...training.plan import TrainingPlan
from ..budget import Budget
from ..cutting import with_fixed_scale
from ..run import PruningContext
from ..targets import Target, amount
from .importance import Importance
from .pruner import Pruner
from .redistribution import Sensitivity, sensitivities
from .selection import Chooser

if TYPE_CHECKING:
    from .options import NViTOptions

PRUNED, FINETUNED = "pruned", "finetuned"


class NViTRun:
    """Pruning one model to several targets: `prune`, then `finetune` for each of them.

    Both go on from what the context's `saved` holds. objective: what training minimises.
    """

    def __init__(self, context: PruningContext, options: NViTOptions, objective: Loss) -> None:
        self.context, self.options, self.objective = context, options, objective
        self.goal, self.saved = context.goal, context.saved
        self.model = with_fixed_scale(context.base)
        assert context.plan is not None, "it trains"
        self.training = context.plan
        self.sparsify = context.two_four if options.sparsity == "2:4" else None
        self.sensitivities: list[Sensitivity] = []
        # Images that could not be read, of all phases that this process went through.
        self.skipped = 0

    @property
    def spec(self) -> Spec:
        """The unpruned model's."""
        return self.model.spec  # type: ignore[return-value]

    @property
    def aligned(self) -> bool:
        return not self.options.no_head_alignment

    def prune(self) -> None:
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
        shrinking = replace(
            self.training,
            epochs=self.options.prune_epochs,
            learning_rate=self.options.prune_learning_rate,
            final_learning_rate=0.0,
            warmup=self.options.prune_warmup,
            decay=False,
        )
        run = self._training_of(model, shrinking)
        pruner = self._pruner(run)
        if state is not None:
            run.restore(state["run"])
            pruner.restore(state["pruner"])
            self.sensitivities = [Sensitivity(**each) for each in state["sensitivities"]]
        every = min(self.options.prune_every, run.steps_in_all)
        removals = run.steps_in_all // every
        for progress in run.steps():
            nth, rest = divmod(progress.step, every)
            if rest == 0 and 1 <= nth <= removals:
                if not self.sensitivities:
                    self.sensitivities = self._sensitivities(pruner)
                self._shrink(pruner, (nth - 1) / removals, nth / removals)
            self.saved.history.add("pruning", progress, run.steps_in_all, run.steps_an_epoch)
            words = f"loss {progress.loss:.3f}, {self._words(pruner.cost)}"
            self.context.on_progress("pruning", progress.step, run.steps_in_all, words)
            if self.saved.is_due():
                self.saved.save(self._state("pruning", run, pruner))
        self.skipped += run.damaged.count
        self.saved.save(self._state("pruned"))

    def _training_of(self, model: nn.Module, plan: TrainingPlan) -> TrainingRun:
        work = self.context.training
        return TrainingRun(model, *work.images(), plan, self.objective, work.device, work.processes)

    def _pruner(self, run: TrainingRun) -> Pruner:
        options, goal, ranking = self.options, self.goal, self.context.ranking
        score: Any = self.context.score
        chooser = Chooser(
            goal.groups,
            goal.budget.of,
            ranking.of,
            float(ranking.of([self.spec])[0]),
            options.fixed_eta,
            goal.floors,
        )
        importance = Importance(score, self.context.seed)
        ends = [target.cost for target in goal.targets]
        return Pruner(run, importance, chooser, options.allocation, self.aligned, goal.only, ends)

    def _shrink(self, pruner: Pruner, since: float, until: float) -> None:
        """Go down to where the cost should be at a share `until` of the way; stop at targets.

        The cost falls by the same factor from removal to removal, so that as a share of what is
        left each takes as much as the others.
        """
        full, last = self.goal.full, self.goal.targets[-1].cost
        above, goal = (full * (last / full) ** share for share in (since, until))
        for target in self.goal.targets:
            is_last = target is self.goal.targets[-1] and until >= 1
            if goal <= target.cost < above or is_last:
                pruner.shrink_to(target.cost, exactly=True)
                self.saved.save_model(
                    f"{PRUNED}-{target.text}", pruner.run.model, self.context.training.norm
                )
        if until < 1:
            pruner.shrink_to(goal)

    def finetune(self, target: Target) -> nn.Module:
        """Return the target's model, finetuned; on the way it is saved."""
        # The first process may still be writing what the others read.
        self.context.training.processes.wait()
        done = self.saved.load_model(f"{FINETUNED}-{target.text}")
        if done is not None:
            return done
        model = self.saved.load_model(f"{PRUNED}-{target.text}")
        assert model is not None, "prune comes first"
        if self.sparsify is not None:
            self.sparsify(model)
        zeros = {name: weight == 0 for name, weight in model.named_parameters() if weight.ndim > 1}
        run = self._training_of(model, self.training)
        state = self.saved.load()
        if state is not None and state["phase"] == f"finetuning {target.text}":
            run.restore(state["run"])
        if self.sparsify is not None or not self.aligned:
            run.after_step = holding(zeros)
        if self.training.epochs > 0:
            stage = f"finetuning {target.text}"
            for progress in run.steps():
                self.saved.history.add(stage, progress, run.steps_in_all, run.steps_an_epoch)
                words = f"loss {progress.loss:.3f}"
                self.context.on_progress(stage, progress.step, run.steps_in_all, words)
                if self.saved.is_due():
                    self.saved.save(self._state(stage, run))
            # The history's last rows are kept before the state is needed no more.
            self.saved.save(self._state(stage, run))
        self.skipped += run.damaged.count
        model = run.result().eval()
        self._keep(f"{FINETUNED}-{target.text}", model)
        return model

    def _keep(self, name: str, model: nn.Module) -> None:
        self.saved.save_model(name, model, self.context.training.norm)

    def _sensitivities(self, pruner: Pruner) -> list[Sensitivity]:
        if not self.aligned:
            return []
        latency = Budget(self.goal.budget.table)
        return sensitivities(
            self.spec, pruner.importance.of, latency, self.goal.groups.sizes, self.goal.floors
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
        return f"{amount(cost, self.goal.budget.unit)} ({cost / self.goal.full:.2f}x)"


def leftovers(targets: Sequence[Target]) -> list[str]:
    """Return the folders that only a run needs that is not finished."""
    return [f"{what}-{target.text}" for target in targets for what in (PRUNED, FINETUNED)]


def holding(zeros: dict[str, torch.Tensor]) -> Callable[[nn.Module], None]:
    """Return what sets the weights flagged to 0, in place."""

    def hold(model: nn.Module) -> None:
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if name in zeros:
                    weight.masked_fill_(zeros[name].to(weight.device), 0.0)

    return hold
