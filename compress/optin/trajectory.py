"""How far a change in a layer is felt in all later ones (Khaki et al. 2024, OPTIN, section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from ...errors import UserError

Aggregation = Literal["sum", "mean"]
# The rows that the authors' code takes of all tokens of all images. Errors here are of all rows and
# counted as if of so many, so that what `weight` means does not change with the batch.
ROWS = 768


@dataclass(frozen=True)
class Trajectory:
    """What eq. 3 adds up: I = Σ over later layers of L_MD + λ · L_KD.

    weight: λ, the share of L_KD beside L_MD (`importances`); temperature: of L_KD; aggregation: of
    the layers' errors; depth: how many later layers count (None: all). Raises UserError for a value
    out of range.
    """

    weight: float = 0.1
    temperature: float = 4.0
    aggregation: Aggregation = "sum"
    depth: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.weight < float("inf"):
            raise UserError(f"the weight of the logits, {self.weight}, has to be 0 or more.")
        if not 0 < self.temperature < float("inf"):
            raise UserError(f"the temperature {self.temperature} has to be above 0.")
        if self.depth is not None and self.depth < 0:
            raise UserError(f"a trajectory of {self.depth} layers cannot be; use 0 or more.")


class Manifold:
    """The relations between all tokens of all images in one layer of the unpruned model.

    features: images x tokens x width, or any shape whose last axis is the width. counted: the same
    without the width, False for tokens that only fill a sequence up; None where there are none.
    """

    def __init__(self, features: Tensor, counted: Tensor | None = None) -> None:
        self.counted = None if counted is None else counted.reshape(-1)
        self.rows = _unit_rows(self._counted(features.reshape(-1, features.shape[-1])))
        self.gram = self.rows.T @ self.rows

    def errors(self, features: Tensor) -> Tensor:
        """Return L_MD of each of n variants (n x the shape above): OPTIN eq. 2, one number each.

        ‖M(F') - M(F)‖²_F with M = ψψᵀ, ψ the rows of length 1. With Δ = ψ' - ψ the difference is
        ψΔᵀ + Δψᵀ + ΔΔᵀ, and its norm follows from the small matrices A = ψᵀψ, B = ψᵀΔ and C = ΔᵀΔ:
        2·tr(BB) + 2·tr(AC) + 4·tr(BC) + ‖C‖². No rows x rows matrix is made, and nothing large
        cancels.
        """
        count, width = len(features), features.shape[-1]
        changed = _unit_rows(self._counted(features.reshape(count, -1, width))) - self.rows
        b = self.rows.T @ changed
        c = changed.transpose(1, 2) @ changed
        squares = (b * b.transpose(1, 2)).sum(dim=(1, 2)) + (self.gram * c).sum(dim=(1, 2))
        mixed = (b * c).sum(dim=(1, 2))  # C is symmetric
        total = 2 * squares + 4 * mixed + (c * c).sum(dim=(1, 2))
        return total.clamp_min(0) * (ROWS / len(self.rows)) ** 2

    def drawn_change(
        self, features: Tensor, counted: Tensor | None, draw: torch.Generator
    ) -> Tensor:
        """Return a random linear function of ψ whose change squared is L_MD on average.

        features: of the unpruned model, some of the images; counted: as above, of these. It is
        √2 · Σ over rows of ⟨ψ, A^½ε⟩ with normal ε, and the mean of its change squared is 2·tr(AC):
        all that `errors` has of the second order in Δ but 2·tr(BB), in which the changes of
        different tokens cancel. Without that each image can be squared by itself.
        """
        rows = features.reshape(-1, features.shape[-1])
        rows = _unit_rows(rows if counted is None else rows[counted.reshape(-1)])
        drawn = normal(rows, draw) @ self.root.T
        return 2**0.5 * ROWS / len(self.rows) * (drawn * rows).sum()

    @cached_property
    def root(self) -> Tensor:
        """A matrix R with RRᵀ = A."""
        values, vectors = torch.linalg.eigh(self.gram.double())
        return (vectors * values.clamp_min(0).sqrt()).to(self.gram.dtype)

    def _counted(self, rows: Tensor) -> Tensor:
        return rows if self.counted is None else rows[..., self.counted, :]


def normal(like: Tensor, draw: torch.Generator) -> Tensor:
    """Return normal random numbers of the tensor's shape, on its device."""
    return torch.randn(like.shape, generator=draw, device=like.device, dtype=like.dtype)


def _unit_rows(rows: Tensor) -> Tensor:
    return F.normalize(rows, dim=-1)


def logit_errors(full: Tensor, logits: Tensor, temperature: float) -> Tensor:
    """Return L_KD of each of n variants: KL(full || variant) at the temperature, times its square.

    full: images x classes, or images x queries x classes; logits: n x that shape. The mean is over
    images and queries (Hinton et al. 2015, section 2). In doubles: most units change the logits so
    little that in floats the divergence would be rounding errors alone.
    """
    target = F.log_softmax(full.double() / temperature, dim=-1)
    found = F.log_softmax(logits.double() / temperature, dim=-1)
    divergence = (target.exp() * (target - found)).sum(dim=-1)
    errors = temperature**2 * divergence.flatten(1).mean(dim=1)
    return errors.clamp_min(0).to(logits.dtype)


def drawn_logit_change(
    logits: Tensor, answers: int, temperature: float, draw: torch.Generator
) -> Tensor:
    """Return a random linear function of the logits whose change squared is L_KD on average.

    logits: of the unpruned model, some of the images; answers: rows of logits of all images. To
    second order in δ, L_KD is δᵀ(diag p - ppᵀ)δ / 2 a row, with p the softmax at the temperature.
    """
    p = F.softmax(logits.detach() / temperature, dim=-1)
    drawn = p.sqrt() * normal(p, draw)
    drawn = drawn - p * drawn.sum(dim=-1, keepdim=True)
    return (0.5 / answers) ** 0.5 * (drawn * logits).sum()


def unit_errors(trajectory: Trajectory, layers: list[Tensor], logits: Tensor) -> Tensor:
    """Return both errors of n variants, 2 x n: of the later layers together, and of the logits."""
    total = torch.zeros_like(logits)
    for errors in layers:
        total = total + errors
    if trajectory.aggregation == "mean" and layers:
        total = total / len(layers)
    return torch.stack([total, logits])


def importances(trajectory: Trajectory, errors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return OPTIN eq. 3 of all units from their errors, 2 x units a structure.

    L_KD is brought to the scale of L_MD first (`logits_scale`), so that λ is the share that the
    logits have beside the layers in a usual unit's score.
    """
    weight = trajectory.weight * logits_scale(errors)
    return {name: each[0] + weight * each[1] for name, each in errors.items()}


def logits_scale(errors: Mapping[str, Tensor]) -> float:
    """Return the geometric mean of L_MD / L_KD over all units; 1 where no layers count.

    L_MD grows with the square of the number of rows and L_KD does not, so that a λ between the two
    as they are says nothing: A.2 asks for 10 to 100 times as much of L_MD, and it comes to 10⁵ and
    more by itself. The authors' code scales L_KD unit by unit instead, to within a power of ten of
    L_MD, by which most of what L_KD tells between units is lost.
    """
    if not errors:
        return 1.0
    layers, logits = torch.cat(list(errors.values()), dim=1).double()
    both = (layers > 0) & (logits > 0)
    return float((layers[both] / logits[both]).log().mean().exp()) if both.any() else 1.0
