"""The options of NViT."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..methods import option


@dataclass(frozen=True)
class NViTOptions:
    """How a model shrinks while it is trained, and what training minimises."""

    prune_epochs: float = option(1.0, "epochs of pruning, before finetuning", above=0)
    prune_every: int = option(10, "training steps between two removals", at_least=1)
    prune_learning_rate: float = option(2e-4, "learning rate during pruning", above=0)
    prune_warmup: float = option(
        0.05, "share of the pruning steps over which the learning rate rises", at_least=0
    )
    alpha: float | Literal["auto"] = option(
        "auto",
        "weight of L_full, the divergence from the unpruned model's logits at the temperature "
        "`tau` (Yang et al. 2023, eq. 9, without a factor tau²); L_CNN weighs 1; 0: none; "
        "auto: tau², so that its gradients have the same size for every tau",
        at_least=0,
    )
    tau: float = option(3.0, "temperature of L_full", above=0)
    teacher: Path | None = option(  # noqa: RUF009
        None,
        "a teacher. L_CNN is then the cross entropy with the labels plus that with the teacher's "
        "top class (eq. 8): a folder, an id of Hugging Face, an .onnx file, timm:NAME@FILE or "
        "torchvision:NAME@FILE",
    )
    teacher_cache: Path | None = option(  # noqa: RUF009
        None,
        "with `augment` none: a folder that keeps the teacher's outputs, so that it runs once "
        "for each image",
    )
    eta: float | Literal["auto"] = option(
        "auto",
        "η of eq. 7, the weight of saved latency against importance. 0: latency has no "
        "influence. auto: the smallest value at which a group is removed",
        at_least=0,
    )
    allocation: Literal["global", "uniform"] = option(
        "global", "all structures compete, or all shrink by the same factor"
    )
    no_head_alignment: bool = option(False, "prune QK and V dims in each head separately")
    sparsity: Literal["dense", "2:4"] = option(
        "dense", "2:4 sets 2 of every 4 weights to 0 after pruning, and keeps them 0"
    )

    @property
    def weight(self) -> float:
        """The α of the objective; `auto` is τ² (Hinton et al. 2015, section 2)."""
        return self.tau**2 if isinstance(self.alpha, str) else self.alpha

    @property
    def fixed_eta(self) -> float | None:
        """The η of eq. 7, None for the smallest that takes a group."""
        return None if isinstance(self.eta, str) else self.eta
