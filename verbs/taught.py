"""A verb's options about a teacher: which one, and the weight of its outputs in the loss."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError

if TYPE_CHECKING:
    import torch

    from ..training.data.images import Dataset, Normalisation
    from ..training.distillation import Teaching
    from ..training.plan import TrainingPlan

KINDS = ("soft", "hard")
HOTTEST = 1000.0


def check_alpha(alpha: float | None) -> None:
    """Raise UserError for a weight of a teacher's answers that is none."""
    if alpha is not None and not 0 <= alpha <= 1:
        raise UserError(f"`alpha` {alpha:g} is not a weight; it is from 0 to 1.")


@dataclass(frozen=True)
class Taught:
    """The parameters `teacher`, `distill`, `alpha`, `tau` and `teacher_cache`; None: not given.

    Raises UserError for a value that is wrong, and for values that do not go together.
    """

    teacher: str | Path | None
    distill: str | None
    alpha: float | None
    tau: float | None
    teacher_cache: str | Path | None = None

    def __post_init__(self) -> None:
        for name in ("distill", "alpha", "tau"):
            if getattr(self, name) is not None and self.teacher is None:
                raise UserError(f"`{name}` says how a teacher is listened to; give `teacher`.")
        if self.teacher_cache is not None and self.teacher is None:
            raise UserError("`teacher_cache` keeps a teacher's answers; give `teacher`.")
        if self.distill is not None and self.distill not in KINDS:
            raise UserError(
                f"`distill`: '{self.distill}' is not a way to learn; it is soft or hard."
            )
        check_alpha(self.alpha)
        if self.tau is not None and self.distill != "soft":
            raise UserError("`tau` is the temperature of `distill` soft; add it.")
        if self.tau is not None and not 0 < self.tau < HOTTEST:
            raise UserError(f"`tau` {self.tau:g} is not a temperature; it is above 0.")

    def options(self) -> dict[str, Any]:
        """Return them as JSON values, to be kept beside a run; only those that are given."""
        given = {"distill": self.distill, "alpha": self.alpha, "tau": self.tau}
        own = {name: value for name, value in given.items() if value is not None}
        return {"teacher": str(self.teacher or ""), **own}

    def teaching(
        self, device: torch.device, data: Dataset, norm: Normalisation, plan: TrainingPlan
    ) -> Teaching | None:
        """Return the teacher and how it is listened to; None where there is none."""
        from ..training.distillation import ALPHAS, TAU, Teaching
        from ..training.teachers.kept_answers import read_or_keep

        if self.teacher is None:
            return None
        kind = self.distill or "hard"
        return Teaching(
            read_or_keep(self.teacher, self.teacher_cache, device, data, norm, plan),
            kind,
            ALPHAS[kind] if self.alpha is None else self.alpha,
            TAU if self.tau is None else self.tau,
        )
