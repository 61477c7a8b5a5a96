"""Stochastic depth: in training every image skips some residual branches (Huang et al. 2016)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..models.families.autovit.conv import MBConv
from ..models.families.autovit.hybrid import HybridLayer
from ..models.families.efficientvit.residual import Residual
from ..models.modules.merging_layer import MergingLayer
from ..models.modules.spec_model import SpecModel
from ..models.modules.vision_transformer_layer import TransformerLayer

# From numbers of branches and of images to so many numbers, uniform from 0 to 1.
Draw = Callable[[int, int], Tensor]


def with_stochastic_depth(model: nn.Module, rate: float, draw: Draw | None = None) -> nn.Module:
    """Return the model, which skips residual branches while it is in train mode.

    Of the L layers of a model, l = 0 .. L - 1, a branch of layer l is skipped by an image with the
    probability p = rate·l / (L - 1), and is divided by 1 - p where it is not, so that its mean
    stays (Huang et al. 2016, eq. 2 to 4, with the division in training instead of the product in
    testing; Touvron et al. 2021 (DeiT), table 9: rate 0.1). The branches of a layer are skipped
    each by itself. Only hooks are added: the weights' names stay, and eval mode is as before.
    Called again it puts the new rate in place of the old one; 0 takes the hooks away. A smaller
    model that is made of this one begins without.

    What is skipped is drawn when the model's first layer runs, for all branches at once: a forward
    pass that is repeated for checkpointed layers skips the same. draw: (branches, images) -> that
    many uniform numbers; None: torch's global generator of the CPU.

    Raises UserError for a rate that is none, and a model without such branches.
    """
    if not 0 <= rate < 1:
        raise UserError(
            f"the rate of stochastic depth is {rate:g}; it has to be from 0 to below 1."
        )
    layers = _layers(model)
    stem = _stem(model)
    if stem is None or not any(layers):
        spec = getattr(model, "spec", None)
        what = f"the family '{spec.family}'" if spec is not None else type(model).__name__
        raise UserError(
            f"stochastic depth is not defined for {what}, whose residual branches are not those "
            "of a ViT, Swin, EfficientViT or AutoViT; train without it."
        )
    _take_away(model)
    rates = [p for p, layer in zip(_rising(rate, len(layers)), layers, strict=True) for _ in layer]
    branches = [branch for layer in layers for branch in layer]
    dropped = [(p, branch) for p, branch in zip(rates, branches, strict=True) if p]
    if dropped:
        masks = _Masks([p for p, _ in dropped], draw or _uniform)
        stem.register_forward_pre_hook(masks)
        for place, (_, branch) in enumerate(dropped):
            branch.register_forward_hook(_Skip(masks, place))
    return model


def depth_rates(model: nn.Module) -> dict[str, float]:
    """Return the probability of being skipped by the name of the branch; those of 0 are absent."""
    return {
        name: hook.masks.rates[hook.place]
        for name, module in model.named_modules()
        for hook in module._forward_hooks.values()
        if isinstance(hook, _Skip)
    }


class _Masks:
    """What each branch is multiplied by in this forward pass: 0 or 1 / (1 - p) for every image."""

    def __init__(self, rates: Sequence[float], draw: Draw) -> None:
        self.rates = tuple(rates)
        self.draw = draw
        self.factors: Tensor | None = None

    def __call__(self, stem: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if not stem.training:
            return
        images = inputs[0]
        rates = torch.tensor(self.rates)[:, None]
        drawn = self.draw(len(self.rates), len(images)).to(rates)
        self.factors = ((drawn >= rates) / (1 - rates)).to(images.device)


class _Skip:
    """Multiplies what a branch gives, (images or a multiple, ...), by its factor for each image."""

    def __init__(self, masks: _Masks, place: int) -> None:
        self.masks, self.place = masks, place

    def __call__(self, branch: nn.Module, inputs: object, output: Tensor) -> Tensor:
        if not branch.training:
            return output
        assert self.masks.factors is not None, "the model's first layer ran before"
        factor = self.masks.factors[self.place]
        # An AutoViT's layers run on several sequences of an image, one after another.
        factor = factor.repeat_interleave(len(output) // len(factor))
        return output * factor.to(output.dtype).reshape(-1, *[1] * (output.ndim - 1))


def _uniform(branches: int, images: int) -> Tensor:
    return torch.rand(branches, images)


def _rising(rate: float, layers: int) -> list[float]:
    """Return rates from 0 to `rate`, one a layer; one layer alone has 0."""
    return [rate * place / max(layers - 1, 1) for place in range(layers)]


def _stem(model: nn.Module) -> nn.Module | None:
    """Return the module that sees the images first; None for a model that is none of ours."""
    if not isinstance(model, SpecModel):
        return None
    found = getattr(model, "patch_embed", None)
    blocks = getattr(model, "blocks", None)
    if found is None and isinstance(blocks, nn.Sequential) and len(blocks):
        found = blocks[0]
    return found if isinstance(found, nn.Module) else None


def _layers(model: nn.Module) -> list[list[nn.Module]]:
    """Return the residual branches of each layer, as modules that give them, in running order."""
    layers: dict[str, list[nn.Module]] = {}
    for name, module in model.named_modules():
        if isinstance(module, Residual):
            # A layer of EfficientViT is the residuals that stand beside each other.
            layers.setdefault(name.rpartition(".")[0], []).append(module.m)
        elif isinstance(module, TransformerLayer | HybridLayer):
            attn: nn.Module | None = module.attn
            if isinstance(module, MergingLayer) and module.attn is not None:
                attn = module.attn.proj  # a merging layer does not call its attention as a module
            layers[name] = [branch for branch in (attn, module.mlp) if branch is not None]
        elif isinstance(module, MBConv) and module.has_residual:
            layers[name] = [module.project]
    return list(layers.values())


def _take_away(model: nn.Module) -> None:
    for module in model.modules():
        for hooks, kind in ((module._forward_hooks, _Skip), (module._forward_pre_hooks, _Masks)):
            for key in [key for key, hook in hooks.items() if isinstance(hook, kind)]:
                del hooks[key]
