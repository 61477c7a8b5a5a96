"""Subnets judged by the workers of a real Ray cluster: as in series, and none twice."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from vitprof import ray_work
from vitprof.errors import UserError
from vitprof.models import create_model
from vitprof.ray_connection import ray_connection
from vitprof.search.evaluators.ray_evaluator import RayEvaluator
from vitprof.search.evaluators.subnet_evaluator import SubnetEvaluator
from vitprof.search.supernet.supernet import Supernet

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def judge(tiny_vit, digits) -> SubnetEvaluator:
    torch.manual_seed(0)
    model = create_model(tiny_vit.supernet_spec())
    with torch.no_grad():
        for parameter in model.parameters():  # so that subnets differ in what they get right
            parameter.add_(0.2 * torch.randn_like(parameter))
    return SubnetEvaluator(
        tiny_vit, Supernet(model).eval(), digits.test, digits.normalisation, digits.train
    )


@pytest.mark.timeout(600)
def test_the_search_goes_on_where_a_node_is_lost(judge, tiny_vit, ray_nodes) -> None:
    population = np.unique(tiny_vit.sample(np.random.default_rng(0), 60), axis=0)
    in_series = dict(judge.evaluate(population))
    assert len(set(in_series.values())) > 5
    ray_nodes.add("a", "b")
    with ray_connection(ray_nodes.address) as ray:
        found: list[tuple[int, float]] = []
        for answer in RayEvaluator(judge, ray).evaluate(population):
            found.append(answer)
            if len(found) == 3:
                ray_nodes.kill("a")
    assert len(found) == len(population)
    assert dict(found) == in_series


@pytest.mark.timeout(600)
def test_a_subnet_that_ends_every_worker_ends_the_search(
    judge, tiny_vit, ray_nodes, monkeypatch
) -> None:
    class Deadly(SubnetEvaluator):
        def accuracy(self, candidate: np.ndarray) -> float:
            os._exit(1)

    monkeypatch.setattr(ray_work, "MOST_WORKERS_LOST", 1)
    deadly = Deadly(judge.space, judge.supernet, judge.images, judge.norm, judge.calibration)
    ray_nodes.add("c")
    with (
        ray_connection(ray_nodes.address) as ray,
        pytest.raises(UserError, match="ended 2 Ray workers one after another"),
    ):
        list(RayEvaluator(deadly, ray).evaluate(tiny_vit.smallest()[None]))
