"""What training adds to a model while it lasts: skipped branches, less memory, compiling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from ..errors import UserError
from .patch_dropout import with_patch_dropout, without_patch_dropout
from .stochastic_depth import Draw, depth_rates, with_stochastic_depth

if TYPE_CHECKING:
    from .plan import TrainingPlan


def prepared(
    model: nn.Module,
    plan: TrainingPlan,
    draw: Draw | None = None,
    draw_patches: Draw | None = None,
) -> nn.Module:
    """Return the model as it is trained by a plan: the same object, its weights' names as before.

    draw: where stochastic depth has its random numbers from; see `with_stochastic_depth`.
    draw_patches: the same for patch dropout.
    Raises UserError where the plan asks for what its family has not.
    """
    if plan.stochastic_depth:
        with_stochastic_depth(model, plan.stochastic_depth, draw)
    if plan.patch_dropout:
        with_patch_dropout(model, plan.patch_dropout, draw_patches)
    if plan.checkpointing:
        _checkpoint_blocks(model)
    if plan.compile:
        _compile(model)
    return model


def unprepared(model: nn.Module) -> nn.Module:
    """Take away what `prepared` added; return the same object."""
    if depth_rates(model):
        with_stochastic_depth(model, 0)
    without_patch_dropout(model)
    for module in model.modules():
        for name in ("forward", "forward_heads"):
            module.__dict__.pop(name, None)
    model._compiled_call_impl = None
    return model


def _checkpoint_blocks(model: nn.Module) -> None:
    """Compute the activations of every block again on the way back, in place of keeping them.

    Chen et al. 2016. A block is what a list or sequence of the model holds, the outermost ones.
    """
    blocks = _outermost_blocks(model)
    if not blocks:
        raise UserError("`checkpointing`: the model has no list of blocks.")
    for block in blocks:
        if "forward" in block.__dict__:
            continue
        inner = block.forward

        def forward(*inputs: Any, _inner: Any = inner, _block: nn.Module = block) -> Any:
            if not (_block.training and torch.is_grad_enabled()):
                return _inner(*inputs)
            return checkpoint(_inner, *inputs, use_reentrant=False)

        block.forward = forward


def _outermost_blocks(model: nn.Module) -> list[nn.Module]:
    found: list[nn.Module] = []
    inside: list[str] = []
    for name, module in model.named_modules():
        if any(name.startswith(f"{outer}.") for outer in inside):
            continue
        if isinstance(module, nn.ModuleList | nn.Sequential) and len(module) > 1 and name:
            inside.append(name)
            found.extend(module)
    return found


def _compile(model: nn.Module) -> None:
    """Let torch.compile make the model's forward pass, whichever of its two a loss calls.

    Stochastic depth and patch dropout are hooks. Compiled code is shared by all models of a class,
    and by default nothing checks that their hooks are the same: a second training in a process
    would go through those of the first.
    """
    import torch._dynamo

    torch._dynamo.config.skip_nnmodule_hook_guards = False
    model.compile()
    heads = getattr(model, "forward_heads", None)
    if heads is not None and "forward_heads" not in model.__dict__:
        model.forward_heads = torch.compile(heads)  # type: ignore[assignment]
