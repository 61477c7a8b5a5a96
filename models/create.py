"""Models and blocks as torch modules, by name or spec; torch is imported when one is made."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

from ..errors import UserError
from .block import Block
from .families.registry import FAMILIES
from .families.vit.spec import ViTSpec
from .names import create_spec, spec_names
from .spec import Spec

if TYPE_CHECKING:
    from torch import nn

    from .checkpoints import Checkpoint

# 40 GB in fp32; above it a spec is taken for a mistake.
LARGEST_MODEL_PARAMS = 10_000_000_000


def create_model(
    name_or_spec: str | os.PathLike[str] | Spec,
    checkpoint: str | os.PathLike[str] | None = None,
) -> nn.Module:
    """Return the model in eval mode, with the checkpoint's weights or else random ones.

    name_or_spec: what `create_spec` takes. A directory's weights are read only where it is the
    `checkpoint` too. checkpoint: a file, or a directory with one, under timm's, facebook's or
    Hugging Face's names. Its origin decides the spec's `norm_eps` where that is None: that of the
    config.json beside a Hugging Face file, else 1e-12 for Hugging Face's names and 1e-6 for all
    others. Where a known name stands for a model with two classification heads and the checkpoint
    has one, the model has one. `model.spec` is the spec that results.

    Raises UserError for what `create_spec` and `load_weights` refuse, and a model too large to
    be meant.
    """
    from .checkpoints import load_weights, read_checkpoint

    spec = create_spec(name_or_spec)
    family = FAMILIES[spec.family]
    if spec.params > LARGEST_MODEL_PARAMS:
        raise UserError(
            f"the model '{spec.name}' has {spec.params} parameters, more than "
            f"{LARGEST_MODEL_PARAMS}; correct its dims."
        )
    if checkpoint is None:
        return family.create_model(spec).eval()
    weights = read_checkpoint(checkpoint, family.renamed)
    if isinstance(spec, ViTSpec):
        if isinstance(name_or_spec, str) and name_or_spec in spec_names():
            spec = _with_heads_of(weights, spec)
        if spec.norm_eps is None:
            spec = dataclasses.replace(spec, norm_eps=weights.norm_eps)
    model = family.create_model(spec)
    load_weights(model, weights)
    return model.eval()


def create_block(block: Block) -> nn.Module:
    """Return the torch module of `block` in eval mode with random weights.

    It maps (batch, *block.input_shape) to (batch, *block.output_shape). The weights come from
    torch's global generator, so `torch.manual_seed` fixes them.
    """
    from .modules.create_block import create_block as create

    return create(block)


def _with_heads_of(checkpoint: Checkpoint, spec: ViTSpec) -> ViTSpec:
    one_head = "dist_token" in checkpoint.weights and "head_dist.weight" not in checkpoint.weights
    return dataclasses.replace(spec, distillation_head=False) if one_head else spec
