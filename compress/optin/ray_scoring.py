"""Scoring by several workers of Ray: on this machine or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from ...ray_work import RayWork
from .scoring_pieces import Job, Piece, pieces_of, put_together

# Called with units done, units in all, and the errors of the pieces that are done, by their keys.
OnPieces = Callable[[int, int, Mapping[str, Mapping[str, Tensor]]], None]


def ray_errors(
    job: Job,
    ray: Any,
    on_pieces: OnPieces | None = None,
    known: Mapping[str, Mapping[str, Tensor]] | None = None,
) -> dict[str, Tensor]:
    """Return the errors of every source, 2 x units each, computed by the workers of `ray`.

    known: pieces that were computed before. Raises UserError where one piece ends worker after
    worker.
    """
    pieces = pieces_of(job)
    kept = known or {}
    found = {piece.key: dict(kept[piece.key]) for piece in pieces if piece.key in kept}
    total = sum(source.structure.units for source in job.walk.sources)
    left = [piece for piece in pieces if piece.key not in found]
    work = RayWork(ray, _scored, job, next(job.walk.model.parameters()).is_cuda)
    remedy = "Give workers more memory, or fewer `score_images`"
    for place, errors in work.answers(left, "scoring one part of the units", remedy):
        found[left[place].key] = errors
        if on_pieces is not None:
            done = sum(piece.units for piece in pieces if piece.key in found)
            on_pieces(round(done), total, found)
    return put_together(job, pieces, found)


def _scored(job: Job, piece: Piece) -> dict[str, Tensor]:
    return {name: errors.cpu() for name, errors in piece.errors(job).items()}
