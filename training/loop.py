"""One training loop, for training a model, for pruning it and for finetuning what is left.

What a run does follows from its seed alone: the order of the images and their augmentations are
drawn anew for every step from (seed, epoch, step). So a run that was killed and is resumed goes
through what it would have gone through, and so does one on several processes (torchrun).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UserError
from .data.augment import augmented
from .data.images import Dataset, Normalisation
from .losses import Loss
from .plan import TrainingPlan
from .processes import ONE_PROCESS, Processes
from .schedule import learning_rate_factor


@dataclass(frozen=True)
class Progress:
    """Where a run stands: steps done, and the running mean of the loss."""

    step: int = 0
    loss: float = math.nan


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
        if plan.batch % processes.count:
            raise UserError(
                f"a batch of {plan.batch} cannot be shared by {processes.count} processes; take a "
                "multiple."
            )
        self.plan = plan
        self.data = data
        self.norm = norm
        self.loss = loss
        self.processes = processes
        self.device = device or torch.device("cpu")
        self.model = model.to(self.device).train()
        self.optimizer = optimizer_of(self.model, plan)
        self.progress = Progress()
        self.after_backward: Callable[[nn.Module], None] | None = None
        self.after_step: Callable[[nn.Module], None] | None = None

    @property
    def steps_an_epoch(self) -> int:
        return max(len(self.data.train) // self.plan.batch, 1)

    @property
    def steps_in_all(self) -> int:
        return max(round(self.plan.epochs * self.steps_an_epoch), 1)

    @property
    def warmup_steps(self) -> int:
        return round(self.plan.warmup * self.steps_in_all)

    def steps(self) -> Iterator[Progress]:
        """Take one step after the other, and pause after each.

        Raises UserError where the loss is no number any more.
        """
        while self.progress.step < self.steps_in_all:
            yield self._step()

    def _step(self) -> Progress:
        step, plan = self.progress.step, self.plan
        factor = learning_rate_factor(step, self.steps_in_all, self.warmup_steps, plan.decay)
        for group in self.optimizer.param_groups:
            group["lr"] = plan.learning_rate * factor
        images, targets = self._batch(step)
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=plan.autocast == "bf16"):
            loss = self.loss(self.model, images, targets)
        value = self.processes.mean(float(loss.detach()))
        if not math.isfinite(value):
            other = ", or `autocast` fp32" if plan.autocast == "bf16" else ""
            raise UserError(
                f"the loss became {value} at step {step + 1} of {self.steps_in_all}; take a "
                f"smaller `learning_rate`{other}."
            )
        loss.backward()
        self.processes.average_gradients(self.model)
        if self.after_backward is not None:
            self.after_backward(self.model)
        if plan.clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), plan.clip)
        self.optimizer.step()
        if self.after_step is not None:
            self.after_step(self.model)
        before = self.progress.loss
        smooth = value if math.isnan(before) else 0.98 * before + 0.02 * value
        self.progress = Progress(step + 1, smooth)
        return self.progress

    def _batch(self, step: int) -> tuple[Tensor, Tensor]:
        epoch, place = divmod(step, self.steps_an_epoch)
        order = torch.randperm(len(self.data.train), generator=_generator(self.plan.seed, epoch))
        chosen = order[place * self.plan.batch : (place + 1) * self.plan.batch].numpy()
        images = self.data.train.take(chosen)
        pixels, targets = augmented(
            torch.from_numpy(images.pixels),
            torch.from_numpy(images.labels),
            len(images.classes),
            self.plan.augmentation,
            self.norm,
            _generator(self.plan.seed, epoch, place),
        )
        # Every process draws the whole batch and takes its share: what is drawn does not depend on
        # how many there are.
        share = self.processes.share_of(len(pixels))
        # oneDNN and cuDNN compute convolutions on this layout: a step of a hybrid takes a fifth
        # less time, and what it computes is the same.
        if pixels.ndim == 4:
            pixels = pixels.contiguous(memory_format=torch.channels_last)
        return pixels[share].to(self.device), targets[share].to(self.device)

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
        self.model = model.to(self.device).train()
        self.optimizer = optimizer_of(self.model, self.plan)
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
        self.progress = Progress(int(state["step"]), float(state["loss"]))


def optimizer_of(model: nn.Module, plan: TrainingPlan) -> torch.optim.AdamW:
    """Return AdamW; weight decay on matrices only, as for every ViT since DeiT."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": plan.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=plan.learning_rate)


def _generator(*numbers: int) -> torch.Generator:
    """Return a generator whose stream belongs to these numbers alone."""
    mixed = 0
    for number in numbers:
        mixed = (mixed * 1_000_003 + number + 1) % (2**63 - 1)
    return torch.Generator().manual_seed(mixed)
