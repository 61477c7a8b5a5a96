"""Scoring by several workers of Ray: on this machine or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ...errors import UserError
from .scoring_pieces import Job, Piece, pieces_of, put_together

# Nodes may come and go; what has ended so many workers would end the next one too.
MOST_WORKERS_LOST = 10
# What a worker process was given, by the object's name: fetched once, used for all its pieces.
_AT_HAND: dict[str, Job] = {}

# Called with units done, units in all, and the errors of the pieces that are done, by their keys.
OnPieces = Callable[[int, int, Mapping[str, Mapping[str, Tensor]]], None]


def ray_errors(
    job: Job,
    ray: Any,
    on_pieces: OnPieces | None = None,
    known: Mapping[str, Mapping[str, Tensor]] | None = None,
) -> dict[str, Tensor]:
    """Return the errors of every source, 2 x units each, computed by the workers of `ray`.

    known: pieces that were computed before. A worker takes one processor, or one GPU where the
    model is on one. What a lost worker had in hand is done by another. Raises UserError where one
    piece ends worker after worker.
    """
    pieces = pieces_of(job)
    kept = known or {}
    found = {piece.key: dict(kept[piece.key]) for piece in pieces if piece.key in kept}
    total = sum(source.structure.units for source in job.walk.sources)
    at = ray.put(job)
    on_gpu = next(job.walk.model.parameters()).is_cuda
    work = ray.remote(num_cpus=1, num_gpus=int(on_gpu), max_retries=MOST_WORKERS_LOST)(_done)
    # In a list the reference stays one: Ray would fetch the object for every call.
    waiting = {work.remote([at], piece): piece for piece in pieces if piece.key not in found}
    while waiting:
        # In short waits: Ray does not hear Ctrl-C within one.
        came, _ = ray.wait(list(waiting), num_returns=1, timeout=1.0)
        for one in came:
            found[waiting.pop(one).key] = _answer(ray, one)
            if on_pieces is not None:
                done = sum(piece.units for piece in pieces if piece.key in found)
                on_pieces(round(done), total, found)
    return put_together(job, pieces, found)


def _answer(ray: Any, one: Any) -> dict[str, Tensor]:
    lost = ray.exceptions
    try:
        return ray.get(one)
    except (lost.WorkerCrashedError, lost.NodeDiedError, lost.OutOfMemoryError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"scoring one part of the units ended {MOST_WORKERS_LOST + 1} Ray workers one after "
            f"another ({reason}); what was scored before is kept. Give workers more memory, or "
            "fewer `score_images`."
        ) from None


def _done(holder: list[Any], piece: Piece) -> dict[str, Tensor]:
    """Return a piece's errors: what a worker runs."""
    import ray

    (reference,) = holder
    name = reference.hex()
    if name not in _AT_HAND:
        _AT_HAND.clear()
        _AT_HAND[name] = ray.get(reference)
    errors = piece.errors(_AT_HAND[name])
    return {name: torch.as_tensor(some).cpu() for name, some in errors.items()}
