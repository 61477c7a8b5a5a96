"""The walk through a Mask2Former: its Swin layer by layer, then all the rest as one step.

A chain hands one tensor from step to step, but the decoders take the output of every stage. The
walk keeps the others aside: where a run starts behind a stage, that stage's output is the unpruned
model's, as nothing before the start has changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from ...models.families.swin.merging import TokenMerging
from ...models.families.swin.model import SwinTransformer
from ...models.structures.structure import Kind
from ..optin.walk import Walk, walk_of
from .mask2former import given_features

# Images that the decoders take at once; each layer keeps a mask for every query.
TOGETHER = 8


@dataclass
class StageOutputs:
    """Tokens that left each stage but the last: of the unpruned pass, and of the run under way."""

    unpruned: list[Tensor] = field(default_factory=list)
    of_run: dict[int, Tensor] = field(default_factory=dict)

    def taken(self, batch: int) -> list[Tensor]:
        """Return every stage's tokens for `batch` images and end the run.

        The variants of a model come one after another, each with all images.
        """
        found = [
            self.of_run[stage]
            if stage in self.of_run
            else kept.repeat(batch // len(kept), *(1,) * (kept.ndim - 1))
            for stage, kept in enumerate(self.unpruned)
        ]
        self.of_run.clear()
        return found


class Leaving(nn.Module):
    """The merging behind a stage, which notes what goes into it."""

    def __init__(self, merging: TokenMerging, stage: int, outputs: StageOutputs) -> None:
        super().__init__()
        self.merging, self.stage, self.outputs = merging, stage, outputs

    def forward(self, x: Tensor) -> Tensor:
        self.outputs.of_run[self.stage] = x
        return self.merging(x)


class Decoding(nn.Module):
    """The last step: norms of the stages' outputs, pixel decoder and transformer decoder.

    (batch, tokens, embed) of the last stage → class logits (batch, queries, labels + 1). With
    `runs` False the decoders are left out, and what is returned is zeros.
    """

    def __init__(self, model: Any, outputs: StageOutputs, runs: bool = True) -> None:
        super().__init__()
        self.model, self.outputs, self.runs = model, outputs, runs

    def forward(self, x: Tensor) -> Tensor:
        stages = [*self.outputs.taken(len(x)), x]
        if not self.runs:
            return x.new_zeros(len(x), 1)
        parts = zip(*(tokens.split(TOGETHER) for tokens in stages), strict=True)
        return torch.cat([decoded(self.model, part).class_queries_logits for part in parts])


def decoded(model: Any, stages: Sequence[Tensor]) -> Any:
    """Return what a Mask2Former answers to the tokens (batch, tokens, embed) of its Swin's stages.

    With `class_queries_logits` (batch, queries, labels + 1) and `masks_queries_logits` (batch,
    queries, height, width).
    """
    norms = model.model.pixel_level_module.encoder.hidden_states_norms
    maps = []
    for number, tokens in enumerate(stages):
        normed = norms[f"stage{number + 1}"](tokens)
        side = int(tokens.shape[1] ** 0.5)
        maps.append(normed.transpose(1, 2).reshape(len(tokens), -1, side, side).contiguous())
    # Of the images themselves, the decoders ask for the size alone.
    images = stages[0].new_zeros(1, 1, 1, 1).expand(len(stages[0]), 3, 1, 1)
    with given_features(model, tuple(maps)):
        return model(images)


def segmentation_walk(
    model: Any,
    swin: SwinTransformer,
    images: Tensor,
    only: tuple[str, ...] = (),
    decoders: bool = True,
) -> Walk:
    """Return the walk through a Mask2Former and the Swin that stands for its backbone.

    The sources are the Swin's hidden neurons (`only`: of structures whose names begin so); the walk
    is of these images alone (n x channels x h x w). `decoders`: see `Decoding`.
    """
    kinds: tuple[Kind, ...] = ("mlp",)
    walk = walk_of(swin, kinds, only)
    outputs = StageOutputs()
    steps: list[nn.Module] = []
    stage = 0
    for step in walk.steps:
        if isinstance(step, TokenMerging):
            step, stage = Leaving(step, stage, outputs), stage + 1  # noqa: PLW2901
        steps.append(step)
    with torch.inference_mode():
        x = images
        for step in steps:
            x = step(x)
    outputs.unpruned = [outputs.of_run[number] for number in range(stage)]
    outputs.of_run.clear()
    steps.append(Decoding(model, outputs, decoders))
    return replace(
        walk, steps=steps, layers=[*walk.layers, max(walk.layers) + 1], normed=[*walk.normed, True]
    )
