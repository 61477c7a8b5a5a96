"""NViT (Yang et al. 2023) as one of the methods: pruned while it is trained, then finetuned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...training.plan import TrainingPlan
from ..methods import Method, option

if TYPE_CHECKING:
    from ...models import Spec
    from ...models.structures.structure import Kind
    from ..run import PrunedRun, PruningContext


@dataclass(frozen=True)
class NViTOptions:
    """How a model shrinks while it is trained, and what training minimises."""

    prune_epochs: float = option(1.0, "how long it shrinks, before finetuning", above=0)
    prune_every: int = option(10, "training steps between two removals", at_least=1)
    prune_learning_rate: float = option(2e-4, "while it shrinks", above=0)
    alpha: float = option(
        1.0, "weight of the distillation from the unpruned model; 0: none", at_least=0
    )
    tau: float = option(3.0, "its temperature", above=0)
    teacher: Path | None = option(  # noqa: RUF009
        None, "folder of a model whose answers count as labels too"
    )
    eta: float | Literal["auto"] = option(
        "auto",
        "what a share of latency is worth in shares of importance; 0: nothing; auto: the least "
        "that lets a group go",
        at_least=0,
    )
    allocation: Literal["global", "uniform"] = option(
        "global", "all structures compete, or all shrink alike"
    )
    no_head_alignment: bool = option(False, "take QK and V dims from each head by itself")
    sparsity: Literal["dense", "2:4"] = option(
        "dense", "2:4 sets 2 of 4 weights to 0 after pruning, and keeps them so"
    )

    @property
    def fixed_eta(self) -> float | None:
        """The η of eq. 7, None for the smallest that takes a group."""
        return None if isinstance(self.eta, str) else self.eta


class NViT(Method[NViTOptions]):
    name = "nvit"
    help = "while it is trained, then finetuned (Yang et al. 2023)"
    Options = NViTOptions
    scores = ("hessian", "taylor", "magnitude", "random")
    kinds = ("embed", "heads", "qk", "v", "mlp")
    training = TrainingPlan(epochs=10, learning_rate=5e-4, augment="light", autocast="auto")

    def check(self, options: NViTOptions, spec: Spec) -> None:
        from ...training.fit import refuse_texts

        refuse_texts(spec, "`method` nvit", "; take `method` optin")

    def group_sizes(self, options: NViTOptions) -> Mapping[Kind, int]:
        # Sparse kernels want multiples of 16 inputs, and the projection has heads x V of them.
        return {"v": 16} if options.sparsity == "2:4" else {}

    def run(self, context: PruningContext, options: NViTOptions) -> PrunedRun:
        from ...training.distillation import DistillationLoss
        from ...training.fit import read_teacher
        from ..run import PrunedRun
        from .nvit import NViTRun, leftovers

        teacher = None
        if options.teacher is not None:
            teacher = read_teacher(
                options.teacher, context.training.device, *context.training.images()
            )
        full = context.base if options.alpha else None
        run = NViTRun(context, options, DistillationLoss(teacher, full, options.alpha, options.tau))
        run.prune()
        return PrunedRun(
            run.model,
            [run.finetune(target) for target in context.goal.targets],
            run.sensitivities,
            two_four=options.sparsity == "2:4",
            leftovers=leftovers(context.goal.targets),
        )


METHOD = NViT()
