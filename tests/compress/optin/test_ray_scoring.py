"""Units scored by the workers of a real Ray cluster: as in one process, and none twice."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch
from vitprof import ray_work
from vitprof.compress.optin import ray_scoring
from vitprof.compress.optin.fast_errors import fast_errors
from vitprof.compress.optin.ray_scoring import ray_errors
from vitprof.compress.optin.scoring_pieces import Job, pieces_of
from vitprof.compress.optin.trajectory_score import Scoring
from vitprof.compress.optin.walk import walk_of
from vitprof.errors import UserError
from vitprof.ray_connection import ray_connection

from ..conftest import VIT, randomised

pytestmark = pytest.mark.slow
IMAGES = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="module")
def job() -> Job:
    return Job(walk_of(randomised(VIT).eval()), IMAGES, Scoring(fast=True))


@pytest.mark.timeout(600)
def test_scores_are_those_of_one_process_though_a_node_is_lost(job: Job, ray_nodes) -> None:
    ray_nodes.add("a", "b")
    kept: dict[str, Any] = {}
    seen: list[int] = []

    def keep(done: int, total: int, found: Any) -> None:
        seen.append(done)
        kept.update(found)
        if len(seen) == 2:
            ray_nodes.kill("a")

    with ray_connection(ray_nodes.address) as ray:
        errors = ray_errors(job, ray, keep)
        expected = fast_errors(job.walk, IMAGES, job.scoring)
        assert list(errors) == list(expected)
        for name, ones in expected.items():
            torch.testing.assert_close(errors[name], ones, rtol=1e-5, atol=1e-9)
        assert seen == sorted(seen)
        assert seen[-1] == sum(s.structure.units for s in job.walk.sources)
        assert set(kept) == {piece.key for piece in pieces_of(job)}

        # What is known is not computed again.
        seen.clear()
        again = ray_errors(job, ray, keep, kept)
    assert not seen
    assert all(torch.equal(again[name], errors[name]) for name in errors)


@pytest.mark.timeout(600)
def test_a_piece_that_ends_every_worker_ends_the_scoring(job: Job, ray_nodes, monkeypatch) -> None:
    def deadly(job: Any, piece: Any) -> None:
        os._exit(1)

    monkeypatch.setattr(ray_work, "MOST_WORKERS_LOST", 1)
    monkeypatch.setattr(ray_scoring, "_scored", deadly)
    ray_nodes.add("c")
    with (
        ray_connection(ray_nodes.address) as ray,
        pytest.raises(UserError, match=r"ended 2 Ray workers .* fewer `score_images`"),
    ):
        ray_errors(job, ray)
