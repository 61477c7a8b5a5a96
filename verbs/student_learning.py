"""A verb's options about a student's loss, and the loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from .taught import KINDS, check_alpha

if TYPE_CHECKING:
    from torch import nn

    from ..training.losses import Loss


@dataclass(frozen=True)
class StudentLearning:
    """The parameters `weight`, `temperature`, `distill` and `alpha`; None where not given.

    Without `distill` the loss is CE + weight · T² · KL (Efficient Vision Transformers: Once-Train
    Optimization, section III.D.2), with it one of Kong et al. 2025 (AutoViT), eq. 10 and 11. Raises
    UserError for a value that is wrong, and for values that do not go together.
    """

    weight: float | None = None
    temperature: float | None = None
    distill: str | None = None
    alpha: float | None = None

    def __post_init__(self) -> None:
        if self.distill is not None and self.distill not in KINDS:
            raise UserError(
                f"`distill`: '{self.distill}' is not a way to learn; it is soft or hard."
            )
        if self.distill is None and self.alpha is not None:
            raise UserError("`alpha` is a weight of `distill` soft and hard; add one of them.")
        if self.distill is not None and self.weight is not None:
            raise UserError(f"`distill` {self.distill} has `alpha` in place of `weight`.")
        if self.distill == "hard" and self.temperature is not None:
            raise UserError("`temperature` has no effect on `distill` hard; omit it.")
        if self.weight is not None and not self.weight >= 0:
            raise UserError(f"`weight` is {self.weight:g}; it has to be 0 or more.")
        if self.temperature is not None and not self.temperature > 0:
            raise UserError(f"`temperature` is {self.temperature:g}; it has to be above 0.")
        check_alpha(self.alpha)

    def options(self) -> dict[str, Any]:
        """Return what the loss is made of, as JSON values."""
        from ..training.distillation import ALPHAS, TAU

        temperature = TAU if self.temperature is None else self.temperature
        if self.distill is None:
            weight = 1.0 if self.weight is None else self.weight
            return {"weight": weight, "temperature": temperature}
        alpha = ALPHAS[self.distill] if self.alpha is None else self.alpha
        soft = {"temperature": temperature} if self.distill == "soft" else {}
        return {"distill": self.distill, "alpha": alpha, **soft}

    def loss(self, teacher: nn.Module) -> Loss:
        from ..training.distillation import TAU, DistillationLoss, StudentLoss, Teaching

        made = self.options()
        if self.distill is None:
            return StudentLoss(teacher, made["weight"], made["temperature"])
        tau = made.get("temperature", TAU)
        return DistillationLoss(Teaching(teacher, self.distill, made["alpha"], tau))
