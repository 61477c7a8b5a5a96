"""How much each patch matters in each layer: what later layers and the logits lose without it.

Khaki et al. 2024 (OPTIN), appendix A.9.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...errors import UserError
from ...models import ViTSpec
from ...models.modules.spec_model import spec_of
from ..optin.trajectory import Trajectory, importances, logit_errors, unit_errors
from ..optin.walk import Walk, walk_of

# Variants that run together have about so many numbers in their sequences.
MOST_NUMBERS = 3_000_000


def token_scores(
    model: nn.Module,
    images: Tensor,
    trajectory: Trajectory | None = None,
    on_tokens: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Return the score of every patch of every layer, layers x patches; larger matters more.

    model: of a ViTSpec that merges nothing; images: n x channels x h x w. A patch is taken out of
    the sequence between a layer's attention and its MLP, where merging would take it.
    """
    spec = spec_of(model)
    if not isinstance(spec, ViTSpec) or any(spec.merges) or not all(x.heads for x in spec.layers):
        raise UserError(
            f"{spec.name} has no patches that could be merged layer by layer; it takes a ViT with "
            "attention in every layer, that merges none yet."
        )
    how = trajectory or Trajectory()
    walk = walk_of(model)
    patches, prefix = spec.tokens - spec.prefix, spec.prefix
    found = torch.zeros(2, spec.depth, patches)
    with torch.inference_mode():
        inputs = walk.inputs(images)
        after_attention = _attention_steps(walk)
        for layer, step in enumerate(after_attention):
            x = inputs[step + 1]
            at_once = max(MOST_NUMBERS // x.numel(), 1)
            for chosen in torch.arange(patches).split(at_once):
                kept = [_without(spec.tokens, prefix + int(patch)) for patch in chosen]
                errors = _errors(walk, step + 1, x, kept, inputs, how)
                found[:, layer, chosen] = errors.cpu()
                if on_tokens is not None:
                    on_tokens(layer * patches + int(chosen[-1]) + 1, spec.depth * patches)
    scores = importances(how, {"patches": found.flatten(1)})
    return scores["patches"].reshape(spec.depth, patches)


def _attention_steps(walk: Walk) -> list[int]:
    """Return the place of every layer's attention, after which tokens may go."""
    return [place for place, step in enumerate(walk.steps) if hasattr(step, "attn")]


def _without(tokens: int, place: int) -> Tensor:
    return torch.cat([torch.arange(place), torch.arange(place + 1, tokens)])


def _errors(
    walk: Walk,
    first: int,
    x: Tensor,
    kept: Sequence[Tensor],
    inputs: Sequence[Tensor],
    how: Trajectory,
) -> Tensor:
    count, images = len(kept), len(x)
    layer = walk.layers[first - 1]
    last = max(walk.layers) if how.depth is None else layer + how.depth
    now = torch.cat([x[:, places] for places in kept])
    layers = []
    for step in range(first, len(walk.steps)):
        if walk.normed[step] and layer < walk.layers[step] <= last:
            variants = now.reshape(count, images, *now.shape[1:])
            layers.append(
                torch.stack(
                    [
                        sample_errors(inputs[step][:, places], variant)
                        for places, variant in zip(kept, variants, strict=True)
                    ]
                )
            )
        now = walk.steps[step](now)
    logits = logit_errors(inputs[-1], now.reshape(count, images, -1), how.temperature)
    return unit_errors(how, layers, logits)


def sample_errors(full: Tensor, changed: Tensor) -> Tensor:
    """Return the mean over tokens of ‖M'_k - M_k‖²_F, M_k the cosines between images at token k.

    Both are images x tokens x width (OPTIN, appendix A.9: the relations between samples).
    """
    relations = []
    for features in (full, changed):
        rows = F.normalize(features, dim=-1).transpose(0, 1)
        relations.append(rows @ rows.transpose(1, 2))
    return ((relations[1] - relations[0]) ** 2).sum(dim=(1, 2)).mean()
