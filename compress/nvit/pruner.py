"""A model that is trained and becomes smaller on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ...models import Spec
from ...models.structures.structure import Structure, take
from ...training.loop import TrainingRun
from ..cutting import cut, hold_at_zero, prunable_of, smaller_model
from .importance import Importance
from .selection import Chooser
from .uniform import Alike, uniformly

Allocation = Literal["global", "uniform"]


@dataclass
class Pruner:
    """Takes groups of units out of a TrainingRun's model, and keeps the books.

    chooser: which groups go; allocation: all widths compete ("global"), or all shrink alike;
    aligned: QK and V are the same in every head of a layer; ends: the costs that it comes to rest
    at, if they are known. `only` names the structures that may
    shrink by what their names begin with ("stages.2."), all if empty.
    """

    run: TrainingRun
    importance: Importance
    chooser: Chooser
    allocation: Allocation = "global"
    aligned: bool = True
    only: tuple[str, ...] = ()
    ends: Sequence[float] = ()
    structures: list[Structure] = field(default_factory=list)
    gone: dict[str, Tensor] = field(default_factory=dict)
    cost: float = 0.0

    def __post_init__(self) -> None:
        self._list()
        self.full = {s.name: s.width_without(self.gone[s.name]) for s in self.structures}
        self.cost = float(self.chooser.cost_of([self.spec])[0])
        self.run.after_backward = self.observe
        self.run.after_step = self.hold

    @property
    def spec(self) -> Spec:
        return self.run.model.spec  # type: ignore[return-value]

    def _list(self) -> None:
        found = prunable_of(self.spec).structures(self.spec, self.aligned)
        self.structures = [s for s in found if not self.only or s.name.startswith(self.only)]
        self.gone = {
            s.name: self.gone.get(s.name, torch.zeros(s.units, dtype=torch.bool))
            for s in self.structures
        }

    def observe(self, model: nn.Module) -> None:
        """Score the units by the gradients that are there."""
        self.importance.observe(self.structures, model)

    def hold(self, model: nn.Module) -> None:
        """Keep at zero what is gone but could not be taken out."""
        hold_at_zero(model, self.structures, self.gone)

    def shrink_to(self, target: float, exactly: bool = False) -> None:
        """Take groups out until the model costs at most `target`, and go on with what is left."""
        if self.cost <= target:
            return
        spec, prunable = self.spec, prunable_of(self.spec)

        def spec_of(widths: Mapping[str, int]) -> Spec:
            return prunable.with_units(spec, widths)

        if self.allocation == "uniform":
            alike = Alike(self.chooser, spec_of, self.structures, self.full)
            gone = uniformly(alike, self.importance.of, target, self.ends)
        else:
            gone, _ = self.chooser.choose(
                spec_of, self.structures, self.importance, self.gone, target, exactly
            )
        self._take_out(gone)

    def _take_out(self, gone: Mapping[str, Tensor]) -> None:
        model = self.run.model
        hold_at_zero(model, self.structures, gone)
        shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
        result = cut(self.spec, self.structures, gone, shapes)
        self.run.replace_model(
            smaller_model(model, result),
            lambda name, tensor: take(tensor, result.left.get(name, {})),
        )
        self.importance.keep(result.units)
        self.gone = result.gone
        self._list()
        self.cost = float(self.chooser.cost_of([self.spec])[0])

    def state(self) -> dict[str, Any]:
        """Return what a later process needs beside the run's own state."""
        return {
            "spec": self.spec.to_dict(),
            "gone": dict(self.gone),
            "importance": self.importance.state(),
            "full": dict(self.full),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned; the run's model has to be of its spec already."""
        self.gone = dict(state["gone"])
        self.importance.restore(state["importance"])
        self.full = dict(state["full"])
        self._list()
        self.cost = float(self.chooser.cost_of([self.spec])[0])
