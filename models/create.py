"""Models and blocks as torch modules, by name or spec; torch is imported when one is made."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import UserError
from ..untrusted.memory import check_memory
from .block import Block
from .families.registry import find_family
from .names import create_spec, is_known
from .spec import Spec

if TYPE_CHECKING:
    from torch import nn

    from .checkpoints import Checkpoint
    from .modules.spec_model import SpecModel

# 40 GB in fp32; above it a spec is taken for a mistake.
LARGEST_MODEL_PARAMS = 10_000_000_000


def create_model(
    name_or_spec: str | os.PathLike[str] | Spec,
    checkpoint: str | os.PathLike[str] | None = None,
) -> SpecModel:
    """Return the model in eval mode, with the checkpoint's weights or else random ones.

    name_or_spec: what `create_spec` takes. A directory's weights are read only where it is the
    `checkpoint` too. checkpoint: a file, or a directory with one, under timm's, facebook's or
    Hugging Face's names. Its origin decides a ViT's `norm_eps` where that is None: that of the
    config.json beside a Hugging Face file, else 1e-12 for Hugging Face's names and 1e-6 for all
    others. Where a known name stands for a model with two classification heads and the checkpoint
    has one, the model has one. `model.spec` is the spec that results.

    Raises UserError for what `create_spec` and `load_weights` refuse, and a model too large to
    be meant.
    """
    from .checkpoints import load_weights, read_checkpoint

    spec = create_spec(name_or_spec)
    family = find_family(spec.family)
    module: type[SpecModel] = family.load("module")
    if spec.params > LARGEST_MODEL_PARAMS:
        raise UserError(
            f"the model '{spec.name}' has {spec.params} parameters, more than "
            f"{LARGEST_MODEL_PARAMS}; correct its dims."
        )
    # With a checkpoint its weights are there beside the model's own.
    copies = 1 if checkpoint is None else 2
    check_memory(4 * spec.params * copies, f"the model '{spec.name}'")
    if checkpoint is None:
        return module(spec).eval()
    weights = read_checkpoint(checkpoint, spec.family)
    adapted: Callable[[Spec, Checkpoint, bool], Spec] | None = family.load("of_checkpoint")
    if adapted is not None:
        spec = adapted(spec, weights, isinstance(name_or_spec, str) and is_known(name_or_spec))
    model = module(spec)
    load_weights(model, weights)
    return model.eval()


def create_block(block: Block) -> nn.Module:
    """Return the torch module of `block` in eval mode with random weights.

    It maps (batch, *block.input_shape) to (batch, *block.output_shape). The weights come from
    torch's global generator, so `torch.manual_seed` fixes them.
    """
    from .modules.create_block import create_block as create

    return create(block)
