"""OPTIN (Khaki et al. 2024) as one of the methods: scored once, chosen, cut; nothing is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...errors import UserError
from ...option_fields import changed_options
from ..methods import Method
from .options import OptinOptions

if TYPE_CHECKING:
    from torch import nn

    from ...models import Spec
    from ..any_data import AnyData
    from ..budget import Budget
    from ..run import PrunedRun, PruningContext
    from ..subject import Subject
    from ..targets import Target

# Options about tokens, and about heads, of which a CNN has none.
_OF_TRANSFORMERS = {
    "merge_tokens": "tokens",
    "merge_only": "tokens",
    "schedule": "tokens",
    "random_merging": "tokens",
    "order": "heads",
}
# Options of trajectory scores alone.
_OF_TRAJECTORIES = (
    "scoring",
    "logits_weight",
    "aggregation",
    "trajectory_depth",
    "units_at_once",
    "score_workers",
    "ray",
)


class Optin(Method[OptinOptions]):
    name = "optin"
    help = "in one shot, without training (Khaki et al. 2024)"
    Options = OptinOptions
    scores = ("trajectory", "joint", "taylor", "magnitude", "random")
    kinds = ("heads", "mlp", "channels")

    def variant(self, subject: Subject) -> Method[Any]:
        if not subject.kind:
            return self
        from ..segmentation.method import SEGMENTATION

        return SEGMENTATION

    def check(self, options: OptinOptions, spec: Spec) -> None:
        from ...models.families.registry import find_family
        from ...models.structures.prunable import prunable_of
        from ...training.fit import refuse_texts
        from .optin import check_merges

        changed = changed_options(options)
        if options.parts == "units":
            for name in ("random_merging", "schedule"):
                if name in changed:
                    raise UserError(f"`{name}` goes with `merge_tokens` or `merge_only`.")
        else:
            refuse_texts(spec, "`merge_only`" if options.merge_only else "`merge_tokens`")
        if prunable_of(spec).steps is not None:
            title = find_family(spec.family).title
            for name, what in _OF_TRANSFORMERS.items():
                if name in changed:
                    raise UserError(
                        f"`{name}` is for transformers: {spec.name} is a {title} and has no {what}."
                    )
        if options.parts != "units":
            is_fixed = isinstance(options.schedule_of(spec), tuple)
            if is_fixed and not options.merge_only:
                raise UserError(f"`schedule` {options.schedule} goes with `merge_only`.")
            check_merges(spec)

    def for_data(self, options: OptinOptions, data: AnyData) -> OptinOptions:
        from .sample import check_enough

        check_enough(data, max(options.score_images, options.reconstruct))
        return options

    def check_score(self, score: str, options: OptinOptions, spec: Spec, data: AnyData) -> None:
        from ...models.structures.prunable import prunable_of
        from .sample import check_enough

        if score != "joint" or options.parts == "tokens":
            return
        if prunable_of(spec).steps is not None:
            raise UserError(
                f"`score` joint fits linear layers, and {spec.name} has convolutions; use another."
            )
        if not options.reconstruct:
            raise UserError("`score` joint fits last layers; `reconstruct` cannot be 0.")
        changed = changed_options(options)
        for name in _OF_TRAJECTORIES:
            if name in changed:
                raise UserError(f"`{name}` goes with `score` trajectory.")
        # Images that are fitted to do not judge.
        check_enough(data, options.score_images + options.reconstruct)

    def own_target(self, options: OptinOptions, spec: Spec, budget: Budget) -> Target | None:
        """Return what a schedule of numbers comes to."""
        from ..targets import Target

        schedule = options.schedule_of(spec)
        if not isinstance(schedule, tuple):
            return None
        merging: Any = replace(spec, merges=schedule)  # type: ignore[call-arg]
        written = options.schedule.replace(",", "-")
        return Target(f"merging-{written}", float(budget.of([merging])[0]))

    def goes_by_units(self, options: OptinOptions) -> bool:
        return options.parts == "units"

    def asked(self, options: OptinOptions, goal: Mapping[str, Any]) -> dict[str, Any]:
        """Return what scores depend on: one scoring serves all targets."""
        return options.asked()

    def run(self, context: PruningContext, options: OptinOptions) -> PrunedRun:
        from ..run import PrunedRun
        from .optin import OptinRun

        if context.training.processes.count > 1:
            raise UserError("`method` optin scores in one process; start it without torchrun.")
        run = OptinRun(context, options)
        run.score()
        models = [run.cut(target) for target in context.goal.targets]
        merged = models if options.random_merging else []
        figures = [_merged_at_random(model, context) for model in merged]
        return PrunedRun(run.model, models, run.sensitivities, run.remarks, figures)


def _merged_at_random(model: nn.Module, context: PruningContext) -> dict[str, float | None]:
    """Return the accuracy with as many tokens merged, but at random."""
    from ...models.modules.spec_model import spec_of
    from ...training.evaluate import evaluate
    from ..merging.random_merging import merging_at_random

    if not any(getattr(spec_of(model), "merges", ())):
        return {}
    data, norm = context.training.images()
    random = merging_at_random(model).to(context.training.device)
    return {"random_merging_top1": evaluate(random, data.test, norm).top(1)}


METHOD = Optin()
