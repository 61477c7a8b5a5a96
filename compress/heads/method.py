"""Heads of least norm as one of the methods: level by level down to the targets, without training.

The levels of `head_levels`, each as deep as a target asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ...errors import UserError
from ..methods import Method, option

if TYPE_CHECKING:
    from torch import nn

    from ..any_data import AnyData
    from ..run import PrunedRun, PruningContext
    from ..targets import Target
    from .head_levels import Repair


@dataclass(frozen=True)
class HeadsOptions:
    """How heads are compared, and whether what is left is repaired."""

    norm: Literal["relative", "absolute"] = option(
        "relative", "relative: over the mean of the head's layer"
    )
    reconstruct: int = option(
        512, "images to which last layers are fitted; 0: not fitted", at_least=0
    )


class LeastNormHeads(Method[HeadsOptions]):
    name = "heads"
    help = "attention heads with the smallest norm, without training (Fang et al. 2023)"
    Options = HeadsOptions
    kinds = ("heads",)
    weighs_cost = False

    def for_data(self, options: HeadsOptions, data: AnyData) -> HeadsOptions:
        if options.reconstruct > len(data.train):
            raise UserError(
                f"{options.reconstruct} images are needed, and there are "
                f"{len(data.train)}; use fewer."
            )
        return options

    def run(self, context: PruningContext, options: HeadsOptions) -> PrunedRun:
        from ...training.data.held_out import some_of
        from ...training.inputs import model_inputs
        from ..cutting import with_fixed_scale
        from ..run import PrunedRun
        from .head_levels import repair_by

        base = with_fixed_scale(context.base)
        repair = None
        if options.reconstruct:
            images, norm = context.training.images()
            looked_at = some_of(images.train, options.reconstruct, context.seed)
            inputs: Any = model_inputs(looked_at, norm)
            repair = repair_by(inputs.to(context.training.device), base)
        models: list[nn.Module] = []
        for target in context.goal.targets:
            before = models[-1] if models else base
            models.append(_level(before, target, context, options, repair))
        return PrunedRun(base, models)


def _level(
    model: nn.Module,
    target: Target,
    context: PruningContext,
    options: HeadsOptions,
    repair: Repair | None,
) -> nn.Module:
    """Return the model with as few heads less as meet the target."""
    from .head_levels import head_norms, least, without

    goal = context.goal
    norms = head_norms(model, options.norm == "relative")
    norms = {name: norm for name, norm in norms.items() if name in goal.floors}
    going = least(norms, floors=goal.floors)
    low, high = 0, len(going)  # the fewest are looked for by halves: fewer heads cost no more
    while low < high:
        middle = (low + high) // 2
        tried = without(model, going[:middle])
        from ...models.modules.spec_model import spec_of

        spec = spec_of(tried)
        if float(goal.budget.of([spec])[0]) <= target.cost:
            high = middle
        else:
            low = middle + 1
    smaller = without(model, going[:high])
    if repair is not None and high:
        repair(smaller)
    return smaller


METHOD = LeastNormHeads()
