"""One training loop, for training a model, for pruning it and for finetuning what is left.

What a run does follows from its seed alone: the order of the images, their augmentations and what
a model draws are drawn again for every step from (seed, epoch, step). So a run that was killed and
is resumed goes through what it would have gone through, and so does one on several processes
(torchrun).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UserError
from .average import AveragedWeights
from .batches import TrainingBatches
from .data.images import Dataset, Normalisation
from .data.order import seed_of, seeded
from .data.reader import Damaged
from .losses import Loss
from .optimizer import optimizer_of
from .plan import TrainingPlan
from .prepared import prepared, unprepared
from .processes import ONE_PROCESS, Processes
from .schedule import learning_rate_factor

# Apart from the streams of other random numbers of a step: what stochastic depth and patch dropout
# draw.
BRANCHES, PATCHES = 1_001, 1_002
AUTOCAST_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Progress:
    """Where a run stands: steps done, the running mean of the loss, the last learning rate."""

    step: int = 0
    loss: float = math.nan
    learning_rate: float = math.nan


class TrainingRun:
    """A model, its optimizer, and how far they have come; `steps()` goes on from there.

    Between two steps the model may be exchanged (`replace_model`), as pruning does, and the state
    be saved and restored. `after_backward` is called with the model while its gradients are there;
    `after_step` with the model that was changed.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Dataset,
        norm: Normalisation,
        plan: TrainingPlan,
        loss: Loss,
        device: torch.device | None = None,
        processes: Processes = ONE_PROCESS,
    ) -> None:
        processes.check_batch(plan.batch)
        self.plan = plan
        self.data = data
        self.norm = norm
        self.loss = loss
        self.processes = processes
        self.device = device or torch.device("cpu")
        self.progress = Progress()
        self.after_backward: Callable[[nn.Module], None] | None = None
        self.after_step: Callable[[nn.Module], None] | None = None
        # Gradients of fp16 vanish unless the loss is scaled up; a no-op for the others.
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=plan.autocast == "fp16")
        self._batches = TrainingBatches(data, norm, plan, self.device, processes)
        self._coming: Iterator[tuple[Tensor, Tensor]] | None = None
        # The places in the batch of the images that are computed.
        self._part = torch.empty(0, dtype=torch.long)
        self._take(model)

    def _take(self, model: nn.Module) -> None:
        self.model = prepared(
            model.to(self.device).train(),
            self.plan,
            partial(self._draw, BRANCHES),
            partial(self._draw, PATCHES),
        )
        self.optimizer = optimizer_of(self.model, self.plan)
        self.average = AveragedWeights(self.model, self.plan.ema) if self.plan.ema else None

    @property
    def damaged(self) -> Damaged:
        """The images that could not be read and were skipped."""
        return self._batches.damaged

    @property
    def steps_an_epoch(self) -> int:
        return self._batches.order.an_epoch

    @property
    def steps_in_all(self) -> int:
        steps = max(round(self.plan.epochs * self.steps_an_epoch), 1)
        return min(steps, self.plan.limit_batches or steps)

    @property
    def warmup_steps(self) -> int:
        return round(self.plan.warmup * self.steps_in_all)

    def steps(self) -> Iterator[Progress]:
        """Take one step after the other, and pause after each.

        Raises UserError where the loss is not a number any more.
        """
        while self.progress.step < self.steps_in_all:
            yield self._step()
        self._coming = None

    def _step(self) -> Progress:
        step, plan = self.progress.step, self.plan
        floor = plan.final_learning_rate / plan.learning_rate
        factor = learning_rate_factor(step, self.steps_in_all, self.warmup_steps, plan.decay, floor)
        for group in self.optimizer.param_groups:
            group["lr"] = plan.learning_rate * factor * group["factor"]
        if self._coming is None:
            self._coming = self._batches.from_step(step, self.steps_in_all)
        images, targets = next(self._coming)
        # What the model draws (stochastic depth): another number on each process.
        torch.manual_seed(seed_of(plan.seed, step, self.processes.rank))
        value = self.processes.mean(self._gradients(images, targets))
        self._check(value, step)
        self.scaler.unscale_(self.optimizer)
        self.processes.average_gradients(self.model)
        if self.after_backward is not None:
            self.after_backward(self.model)
        if plan.clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), plan.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.after_step is not None:
            self.after_step(self.model)
        if self.average is not None:
            self.average.update(self.model)
        before = self.progress.loss
        smooth = value if math.isnan(before) else 0.98 * before + 0.02 * value
        self.progress = Progress(step + 1, smooth, plan.learning_rate * factor)
        return self.progress

    def _gradients(self, images: Tensor, targets: Tensor) -> float:
        """Leave the gradients of the mean loss over the images; return that loss."""
        self.optimizer.zero_grad(set_to_none=True)
        kind = AUTOCAST_TYPES.get(self.plan.autocast)
        total = 0.0
        members = self.processes.members_of(self.plan.batch)
        parts = zip(
            *(t.tensor_split(self.plan.accumulate) for t in (images, targets, members)), strict=True
        )
        for some, wanted, self._part in parts:
            if not len(some):
                continue
            with torch.autocast(self.device.type, kind, enabled=kind is not None):
                loss = self.loss(self.model, some, wanted) * (len(some) / len(images))
            total += float(loss.detach())
            self.scaler.scale(loss).backward()
        return total

    @torch.compiler.disable
    def _draw(self, stream: int, rows: int, images: int) -> Tensor:
        """Return uniform numbers, rows x images, for the images that are computed now.

        They are drawn for the whole batch, as its augmentations are: what is skipped does not
        depend on how many processes or parts compute it.
        """
        generator = seeded(self.plan.seed, self.progress.step, stream)
        whole = torch.rand(rows, self.plan.batch, generator=generator)
        return whole[:, self._part] if len(self._part) == images else torch.rand(rows, images)

    def _check(self, loss: float, step: int) -> None:
        if not math.isfinite(loss):
            narrow = self.plan.autocast in AUTOCAST_TYPES
            other = ", or `autocast` fp32" if narrow else ""
            raise UserError(
                f"the loss became {loss} at step {step + 1} of {self.steps_in_all}; use a "
                f"smaller `learning_rate`{other}."
            )

    @contextmanager
    def testable(self) -> Iterator[nn.Module]:
        """Yield the model as `result` would return it now, and train the same weights afterwards.

        With the average of its weights, if it has one.
        """
        if self.average is None:
            yield self.model
            return
        weights = {name: w.detach().clone() for name, w in self.model.state_dict().items()}
        self.average.copy_to(self.model)
        try:
            yield self.model
        finally:
            self.model.load_state_dict(weights)

    def result(self) -> nn.Module:
        """Return the model that the run has made: with the average of its weights, if it has one.

        As it was given: without what only training adds.
        """
        if self.average is not None:
            self.average.copy_to(self.model)
        return unprepared(self.model)

    def replace_model(self, model: nn.Module, moved: Callable[[str, Tensor], Tensor]) -> None:
        """Go on with another model.

        `moved` gives what becomes of anything that has a weight's shape, by the weight's name: so
        Adam's averages go on too.
        """
        names: dict[Tensor, str] = {p: name for name, p in self.model.named_parameters()}
        states = {
            names[parameter]: {
                key: moved(names[parameter], value) if value.ndim else value
                for key, value in state.items()
            }
            for parameter, state in self.optimizer.state.items()
        }
        averages = None if self.average is None else self.average.moved(moved)
        self._take(model)
        if self.average is not None and averages is not None:
            self.average.load(averages)
        for name, parameter in self.model.named_parameters():
            if name in states:
                self.optimizer.state[parameter] = states[name]

    def state(self) -> dict[str, Any]:
        """Return all that a later process needs to go on, as tensors and plain values."""
        names: dict[Tensor, str] = {p: name for name, p in self.model.named_parameters()}
        return {
            "step": self.progress.step,
            "loss": self.progress.loss,
            "weights": self.model.state_dict(),
            "optimizer": {names[p]: dict(state) for p, state in self.optimizer.state.items()},
            "scaler": self.scaler.state_dict(),
            "average": {} if self.average is None else self.average.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned; the model has to be of the same spec."""
        self.model.load_state_dict(state["weights"])
        for name, parameter in self.model.named_parameters():
            if name in state["optimizer"]:
                self.optimizer.state[parameter] = {
                    key: value.to(self.device) if value.ndim else value
                    for key, value in state["optimizer"][name].items()
                }
        # A run that an older vitprof began has neither.
        if state.get("scaler"):
            self.scaler.load_state_dict(state["scaler"])
        if self.average is not None and state.get("average"):
            self.average.load(state["average"])
        self.progress = Progress(int(state["step"]), float(state["loss"]))
        self._coming = None
