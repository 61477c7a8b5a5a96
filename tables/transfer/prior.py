"""How a device may depart from its sources: blocks by op, size and shape, whole models by blocks.

A device costs some ops relatively more than its sources do, large blocks relatively more than
small ones, and blocks of like dims are off alike. A whole model is off as its blocks are, and by
what blocks measured one by one do not show.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...models import Block, Spec
from .belief import Belief
from .shares import shares_of
from .sources import Sources

# Standard deviations of log latency: of an op, of a context, of e times the MACs or bytes (of all
# blocks, and of an op's own), of blocks of like dims, and of a block by itself.
OP_SD = 0.15
CONTEXT_SD = 0.15
SLOPE_SD = 0.03
OP_SLOPE_SD = 0.05
# What starting a block costs more or less, where blocks take far less than the 10th percentile of
# them; half of it there, and nothing of long ones.
START_SD = 0.3
SHAPE_SD = 0.10
BLOCK_SD = 0.03
# And the share of how far its sources differ there that nothing else tells.
APART_SHARE = 0.5
# Blocks are alike where their dims differ by less than a factor e^0.7 = 2.
ALIKE = 0.7
# Of whole models against the sum of their blocks, by e times the MACs or the blocks, and of one.
WHOLE_SD = 0.10
WHOLE_SLOPE_SD = 0.05
WHOLE_OWN_SD = 0.01
# Of a model whose blocks no table has.
UNKNOWN_MODEL_SD = 0.10
# So many blocks of an op stand for all of them where the table names those that are alike.
INDUCING = 24


def belief_of(sources: Sources) -> Belief:
    """Return what is believed of a device's latencies before any is measured."""
    mean = sources.logs.mean(axis=1)
    departures = sources.logs - mean[:, None]
    departures -= departures.mean(axis=0)
    along = departures / np.sqrt(len(sources.tables))
    blocks = {n: b for n, (b, _) in enumerate(sources.keys) if isinstance(b, Block)}
    models = {n: spec for n, (spec, _) in enumerate(sources.keys) if isinstance(spec, Spec)}
    other, own = np.zeros((len(mean), 0)), np.zeros(len(mean))
    if blocks:
        where = list(blocks)
        contexts = [sources.keys[n][1] for n in where]
        features, own_of_blocks = _of_blocks(
            list(blocks.values()), contexts, mean[where], departures[where]
        )
        other = np.zeros((len(mean), features.shape[1]))
        other[where], own[where] = features, own_of_blocks
    if models:
        other, own = _with_models(list(models), list(models.values()), other, own, sources)
    return Belief(mean, along, other, np.hypot(own, sources.noise_sd))


def _of_blocks(
    blocks: Sequence[Block], of_contexts: Sequence[str], mean: np.ndarray, departures: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the features of blocks (n, r), and what they leave of each block (n,).

    Blocks on which the sources differ more than on others of the op are less sure.
    """
    ops = np.array([block.op for block in blocks])
    contexts = np.array(of_contexts)
    sizes = np.array([_sizes(block, ms) for block, ms in zip(blocks, mean, strict=True)])
    sizes = sizes - sizes.mean(axis=0)
    start = 1 / (1 + np.exp(mean - np.quantile(mean, 0.1)))[:, None]
    columns = [SLOPE_SD * sizes, START_SD * start]
    if len(set(contexts)) > 1:
        columns += [CONTEXT_SD * _one_hot(contexts)]
    columns += [OP_SD * _one_hot(ops)]
    own = np.zeros(len(blocks))
    for op in dict.fromkeys(ops.tolist()):
        where = np.flatnonzero(ops == op)
        inside = sizes[where] - sizes[where].mean(axis=0)
        of_op = np.concatenate([OP_SLOPE_SD * inside, START_SD * start[where]], axis=1)
        columns.append(_placed(of_op, where, len(blocks)))
        dims = np.log([[value for _, value in blocks[n].dims] for n in where.tolist()])
        apart = departures[where] - departures[where].mean(axis=0)
        own[where] = np.hypot(BLOCK_SD, APART_SHARE * np.sqrt((apart**2).mean(axis=1)))
        alike, left = _alike(dims)
        columns.append(_placed(alike, where, len(blocks)))
        own[where] = np.hypot(own[where], left)
    return np.concatenate(columns, axis=1), own


def _sizes(block: Block, log_ms: float) -> tuple[float, float]:
    """Return log MACs and log bytes; of another tool's op, whose are not known, its log ms."""
    if block.definition.counted and block.macs:
        return float(np.log(block.macs)), float(np.log(max(block.bytes(), 1)))
    return log_ms, log_ms


def _one_hot(labels: np.ndarray) -> np.ndarray:
    kinds = np.array(list(dict.fromkeys(labels.tolist())))
    return (labels[:, None] == kinds[None, :]).astype(float)


def _placed(columns: np.ndarray, where: np.ndarray | list[int], count: int) -> np.ndarray:
    whole = np.zeros((count, columns.shape[1]))
    whole[where] = columns
    return whole


def _alike(dims: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return features whose products are SHAPE_SD² e^(-distance² / 2 ALIKE²), and what they leave.

    By a few inducing blocks far from each other (Nyström; Snelson and Ghahramani 2006): linear in
    the blocks.
    """
    chosen = _far_apart(dims, INDUCING)
    near = _kernel(dims, dims[chosen])
    values, vectors = np.linalg.eigh(near[chosen])
    kept = values > 1e-9 * values.max()
    features = near @ vectors[:, kept] / np.sqrt(values[kept])
    left = np.sqrt(np.maximum(SHAPE_SD**2 - (features**2).sum(axis=1), 0.0))
    return features, left


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    squares = ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=-1)
    return SHAPE_SD**2 * np.exp(-squares / (2 * ALIKE**2))


def _far_apart(dims: np.ndarray, count: int) -> list[int]:
    """Return so many rows, each the one farthest from those before; the first is in the middle."""
    chosen = [int(np.argmin(((dims - dims.mean(axis=0)) ** 2).sum(axis=1)))]
    nearest = ((dims - dims[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < min(count, len(dims)) and nearest.max() > 0:
        chosen.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, ((dims - dims[chosen[-1]]) ** 2).sum(axis=1))
    return chosen


def _with_models(
    where: list[int], specs: Sequence[Spec], other: np.ndarray, own: np.ndarray, sources: Sources
) -> tuple[np.ndarray, np.ndarray]:
    """Return features and own deviations with those of whole models filled in."""
    shares = shares_of(specs, sources)
    other, own = other.copy(), own.copy()
    other[where] = shares @ other
    known = shares.sum(axis=1) > 0
    own[where] = np.hypot(WHOLE_OWN_SD, np.sqrt(shares**2 @ own**2))
    own[np.array(where)[~known]] = UNKNOWN_MODEL_SD
    if not any(table.model_rows for table in sources.tables):
        return other, own  # then the new table too answers with sums of blocks
    macs = np.log([max(spec.macs, 1) for spec in specs])
    blocks = np.log([len(spec.blocks()) for spec in specs])
    sizes = np.stack([macs, blocks], axis=1)
    whole = [np.full((len(specs), 1), WHOLE_SD), WHOLE_SLOPE_SD * (sizes - sizes.mean(axis=0))]
    more = _placed(np.concatenate(whole, axis=1), where, len(own))
    return np.concatenate([other, more], axis=1), own
