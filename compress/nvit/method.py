"""NViT (Yang et al. 2023) as one of the methods: pruned while it is trained, then finetuned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from ...errors import UserError
from ...training.plan import TrainingPlan
from ..methods import Method
from .options import NViTOptions
from .recipe import NVIT

if TYPE_CHECKING:
    from ...models import Spec
    from ...models.structures.structure import Kind
    from ..method_recipe import MethodRecipe
    from ..run import PrunedRun, PruningContext


class NViT(Method[NViTOptions]):
    name = "nvit"
    help = "during training, then finetuned (Yang et al. 2023)"
    Options = NViTOptions
    scores = ("hessian", "taylor", "magnitude", "random")
    kinds = ("embed", "heads", "qk", "v", "mlp")
    training = TrainingPlan(epochs=10, learning_rate=5e-4, augment="light", autocast="auto")
    recipes: ClassVar[Mapping[str, MethodRecipe]] = {"nvit": NVIT}

    def check(self, options: NViTOptions, spec: Spec) -> None:
        from ...training.fit import refuse_texts

        refuse_texts(spec, "`method` nvit", "; use `method` optin")
        if options.prune_warmup > 1:
            raise UserError(f"`prune_warmup` is {options.prune_warmup:g}; it is a share, up to 1.")
        if options.teacher_cache is not None and options.teacher is None:
            raise UserError("`teacher_cache` keeps a teacher's answers; give `teacher`.")

    def group_sizes(self, options: NViTOptions) -> Mapping[Kind, int]:
        # Sparse kernels want multiples of 16 inputs, and the projection has heads x V of them.
        return {"v": 16} if options.sparsity == "2:4" else {}

    def run(self, context: PruningContext, options: NViTOptions) -> PrunedRun:
        from ...training.teachers.kept_answers import read_or_keep
        from ..run import PrunedRun
        from .nvit import NViTRun, leftovers
        from .objective import NViTObjective

        teacher = None
        if options.teacher is not None:
            assert context.plan is not None, "it trains"
            work = context.training
            teacher = read_or_keep(
                options.teacher, options.teacher_cache, work.device, *work.images(), context.plan
            )
        objective = NViTObjective(teacher, context.base, options.weight, options.tau)
        run = NViTRun(context, options, objective)
        run.prune()
        models = [run.finetune(target) for target in context.goal.targets]
        skipped = f"{run.skipped} times an image that could not be read was skipped"
        return PrunedRun(
            run.model,
            models,
            run.sensitivities,
            (skipped,) if run.skipped else (),
            two_four=options.sparsity == "2:4",
            leftovers=leftovers(context.goal.targets),
        )


METHOD = NViT()
