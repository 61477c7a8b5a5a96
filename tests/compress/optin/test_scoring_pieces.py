"""Pieces of the scoring, done apart in any order, come to what one process finds."""

from __future__ import annotations

import random

import pytest
import torch
from vitprof.compress.optin.fast_errors import fast_errors
from vitprof.compress.optin.scoring_pieces import Job, SomeUnits, pieces_of, put_together
from vitprof.compress.optin.trajectory_score import Scoring, trajectory_errors
from vitprof.compress.optin.walk import walk_of
from vitprof.models import Spec

from ..conftest import VGG, VIT, randomised

IMAGES = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("fast", [False, True], ids=["full", "fast"])
@pytest.mark.parametrize("spec", [VIT, VGG], ids=lambda spec: spec.family)
def test_pieces_come_to_the_whole(spec: Spec, fast: bool, monkeypatch) -> None:
    monkeypatch.setattr("vitprof.compress.optin.scoring_pieces.MOST_UNITS", 24)
    scoring = Scoring(fast=fast)
    job = Job(walk_of(randomised(spec).eval()), IMAGES, scoring)
    pieces = pieces_of(job)
    shuffled = random.Random(0).sample(pieces, len(pieces))
    found = put_together(job, pieces, {piece.key: piece.errors(job) for piece in shuffled})
    errors_of = fast_errors if fast else trajectory_errors
    whole = errors_of(job.walk, IMAGES, scoring)
    assert list(found) == list(whole)
    for name, errors in whole.items():
        torch.testing.assert_close(found[name], errors, rtol=1e-5, atol=1e-9)


def test_predicted_errors_are_equal_to_the_last_bit() -> None:
    job = Job(walk_of(randomised(VIT).eval(), ("mlp",)), IMAGES, Scoring(fast=True))
    pieces = pieces_of(job)
    found = put_together(job, pieces, {piece.key: piece.errors(job) for piece in pieces[::-1]})
    for name, errors in fast_errors(job.walk, IMAGES, job.scoring).items():
        assert torch.equal(found[name], errors)


def test_every_unit_is_in_one_piece_and_keys_differ() -> None:
    job = Job(walk_of(randomised(VIT).eval()), IMAGES, Scoring())
    pieces = pieces_of(job)
    assert len({piece.key for piece in pieces}) == len(pieces)
    units = [
        (p.place, n) for p in pieces if isinstance(p, SomeUnits) for n in range(p.first, p.last)
    ]
    expected = [
        (place, n) for place, s in enumerate(job.walk.sources) for n in range(s.structure.units)
    ]
    assert sorted(units) == expected
    assert sum(piece.units for piece in pieces) == len(expected)
