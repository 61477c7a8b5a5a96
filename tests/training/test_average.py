"""The average of weights is the closed form, and goes where a model goes."""

from __future__ import annotations

import torch
from torch import nn
from vitprof.training.average import AveragedWeights


def test_it_is_the_geometric_sum() -> None:
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(1.0)
    average = AveragedWeights(model, 0.9)
    wanted = 1.0
    for value in (2.0, -1.0, 5.0):
        with torch.no_grad():
            model.weight.fill_(value)
        average.update(model)
        wanted = 0.9 * wanted + 0.1 * value
    average.copy_to(model)
    torch.testing.assert_close(model.weight.item(), wanted)


def test_counters_are_the_latest() -> None:
    model = nn.BatchNorm1d(2)
    average = AveragedWeights(model, 0.5)
    model(torch.randn(4, 2))
    model(torch.randn(4, 2))
    average.update(model)
    assert average.state()["num_batches_tracked"] == 2


def test_it_goes_on_from_its_state_and_is_cut_with_the_model() -> None:
    model = nn.Linear(3, 2)
    average = AveragedWeights(model, 0.5)
    cut = average.moved(lambda name, weight: weight[:1])
    smaller = AveragedWeights(nn.Linear(3, 1), 0.5)
    smaller.load(cut)
    assert torch.equal(smaller.state()["weight"], model.weight[:1])
