"""The references: what tells the machine's speed while a table is measured.

A machine's speed is not one number. Blocks by themselves have their weights in a core's own cache
and follow its clock; an MLP of DeiT-B does too, and being long is read exactly: a block of 3 ms is
noisier than what it should correct (docs/results/reference_block.md). Whole models whose blocks are
MLPs follow it as well. But a model that uses each weight a few times, as convolutional ones do,
wavers with the memory, twice as much as that MLP (docs/families.md): such models are followed by
one of them.
"""

from __future__ import annotations

import math

from ...models import Block, Spec
from ...models.families.foreign.spec import ForeignSpec
from ...tables.references import Reference, References
from ..plan import Plan, Subject

# 19 MB of weights in fp32, and about 18 ms on one core of a server CPU.
TOKENS = 197
STANDARD = Block.of("mlp", embed=768, mlp=3072, tokens=TOKENS)


def standard_reference(batch: int = 1) -> Block:
    """Return STANDARD, its tokens shared out among a batch: the same for every model."""
    return Block.of("mlp", **{**STANDARD.as_dict(), "tokens": max(1, round(TOKENS / batch))})


def choose_references(plan: Plan, batch: int = 1) -> References:
    """Return what is to tell the machine's speed while a plan is measured.

    Where the plan has MLPs, blocks and models have the same: the MLP most like STANDARD; of small
    models, whose MLPs have far fewer weights, the one with most. Where none is like it, STANDARD
    itself, its tokens shared out among the batch: an MLP of many tokens and few weights, as the
    first stages of a Swin have, mostly moves data about and wavers by itself, and so do other ops.
    Whole models of a plan without MLPs have the one of them whose run is nearest.
    """
    subjects = [point.subject for point in plan.points]
    if not subjects:
        return References()
    mlps = [one for one in subjects if isinstance(one, Block) and one.op == STANDARD.op]
    alike = [one for one in mlps if _is_like_standard(one, batch)]
    if alike:
        chosen = min(alike, key=lambda one: _unlike(one, batch))
        return References(chosen, chosen)
    if mlps and 2 * max(one.params for one in mlps) < STANDARD.params:
        chosen = max(mlps, key=lambda one: (one.params, one.macs))
        return References(chosen, chosen)
    standard = standard_reference(batch)
    # A foreign model is known by its parts once the table is read: it could not be run again.
    models = [one for one in subjects if isinstance(one, Spec) and not isinstance(one, ForeignSpec)]
    if mlps or not models:
        return References(standard, standard)
    return References(standard, min(models, key=lambda one: abs(batch * one.macs - STANDARD.macs)))


def _unlike(mlp: Block, batch: int) -> float:
    """Return how far an MLP's run is from STANDARD's, in MACs and in weights: 0 for the same."""
    macs, params = batch * mlp.macs / STANDARD.macs, mlp.params / STANDARD.params
    return abs(math.log(macs)) + abs(math.log(params))


def _is_like_standard(mlp: Block, batch: int) -> bool:
    """Tell whether both are within a factor of two."""
    macs, params = batch * mlp.macs / STANDARD.macs, mlp.params / STANDARD.params
    return 0.5 <= macs <= 2 and 0.5 <= params <= 2


def subject_of(reference: Reference) -> Subject:
    """Return what is compiled and run to read a reference."""
    return (reference,) if isinstance(reference, Block) else reference
