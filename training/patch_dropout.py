"""Patch dropout: in training every image leaves out some of its patches (Liu et al. 2023)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..models.families.vit.model import VisionTransformer

# From numbers of patches and of images to so many numbers, uniform from 0 to 1.
Draw = Callable[[int, int], Tensor]


def with_patch_dropout(model: nn.Module, share: float, draw: Draw | None = None) -> nn.Module:
    """Return the model, which leaves out this share of the patches while it is in train mode.

    Before the first layer, after positions were added; class and distillation tokens stay. Other
    patches for every image and step, n·share of n, rounded, but at least one stays (Liu et al.
    2023, PatchDropout, section 3). With half of the patches a step takes about half as long. Only
    hooks are added: weights' names stay, and eval mode is as before. Called again it puts the new
    share in place of the old one; 0 takes the hooks away.

    draw: (patches, images) -> that many uniform numbers; None: torch's global generator of the CPU.

    Raises UserError for a share that is none, and for a model that is not a ViT or merges tokens.
    """
    if not 0 <= share < 1:
        raise UserError(
            f"the share of patches to leave out is {share:g}; it has to be from 0 to below 1."
        )
    refused = _refused(model)
    if refused:
        raise UserError(f"patch dropout is for a plain ViT, not for {refused}; train without it.")
    assert isinstance(model, VisionTransformer)
    without_patch_dropout(model)
    if share:
        patches = model.spec.tokens - model.spec.prefix
        drawn = _Drawn(patches, max(patches - round(patches * share), 1), draw or torch.rand)
        model.patch_embed.register_forward_pre_hook(drawn)
        model.blocks[0].register_forward_pre_hook(_Dropout(drawn, model.spec.prefix))
    return model


def _refused(model: nn.Module) -> str:
    """Return what a model is whose patches cannot be left out; "" for one whose can."""
    if not isinstance(model, VisionTransformer):
        spec = getattr(model, "spec", None)
        return type(model).__name__ if spec is None else f"the family '{spec.family}'"
    if any(model.spec.merges):
        return "a ViT that merges tokens"
    return "" if len(model.blocks) else "a ViT without layers"


def without_patch_dropout(model: nn.Module) -> None:
    """Take the hooks away from any model that has it."""
    for module in model.modules():
        hooks = module._forward_pre_hooks
        for key in [key for key, hook in hooks.items() if isinstance(hook, _Drawn | _Dropout)]:
            del hooks[key]


class _Drawn:
    """Which patches stay in this forward pass, (images, kept).

    Drawn before the model's first layer, as stochastic depth draws: torch.compile has to leave its
    graph for it, and does so in one place.
    """

    def __init__(self, patches: int, kept: int, draw: Draw) -> None:
        self.patches, self.kept, self.draw = patches, kept, draw
        self.places: Tensor | None = None

    def __call__(self, stem: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if stem.training:
            numbers = self.draw(self.patches, len(inputs[0]))
            self.places = numbers.argsort(dim=0)[: self.kept].T.to(inputs[0].device)


class _Dropout:
    """Gives the first layer fewer patches: (batch, tokens, embed) -> (batch, fewer, embed)."""

    def __init__(self, drawn: _Drawn, prefix: int) -> None:
        self.drawn, self.prefix = drawn, prefix

    def __call__(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if not layer.training:
            return None
        x, places = inputs[0], self.drawn.places
        assert places is not None, "the model's first layer ran before"
        front = torch.arange(self.prefix, device=x.device).expand(len(x), -1)
        chosen = torch.cat([front, places + self.prefix], dim=1)
        return (x.gather(1, chosen[:, :, None].expand(-1, -1, x.shape[2])),)
