"""The scores against what their definitions say, written out."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from vitprof.compress.cutting import prunable_of
from vitprof.compress.nvit.importance import MOMENTUM, Importance
from vitprof.errors import UserError

from ..conftest import SWIN, VIT, randomised


def with_gradients(spec, seed: int) -> nn.Module:
    model = randomised(spec, 0)
    torch.manual_seed(seed)
    images = torch.randn(4, spec.in_channels, spec.resolution, spec.resolution)
    model.zero_grad()
    model(images).logsumexp(dim=-1).sum().backward()
    return model


def by_gates(spec, seed: int) -> dict[str, torch.Tensor]:
    """Return the derivative of the loss by a gate on each unit's weights (eq. 4), by autograd."""
    model = randomised(spec, 0)
    torch.manual_seed(seed)
    images = torch.randn(4, spec.in_channels, spec.resolution, spec.resolution)
    found = {}
    for structure in prunable_of(spec).structures(spec, True):
        gate = torch.ones(structure.units, requires_grad=True)
        weights = dict(model.named_parameters())
        for part in structure.parts:
            weight = weights[part.weight].detach()
            factor = torch.ones(weight.shape[part.axis])
            spread = gate[:, None].expand(-1, part.index.shape[1]).reshape(-1)
            factor = factor.index_put((part.index.reshape(-1),), spread)
            shape = [1] * weight.ndim
            shape[part.axis] = -1
            weights[part.weight] = weight * factor.reshape(shape)
        loss = torch.func.functional_call(model, weights, images).logsumexp(dim=-1).sum()
        found[structure.name] = torch.autograd.grad(loss, gate)[0]
    return found


@pytest.mark.parametrize("spec", [VIT, SWIN], ids=["vit", "swin"])
def test_hessian_is_the_square_of_the_gates_derivative(spec) -> None:
    importance = Importance("hessian")
    structures = prunable_of(spec).structures(spec, True)
    importance.observe(structures, with_gradients(spec, 5))
    for name, derivative in by_gates(spec, 5).items():
        torch.testing.assert_close(importance.of[name], derivative**2, rtol=2e-3, atol=1e-5)


def test_batches_are_averaged_with_momentum() -> None:
    structures = prunable_of(VIT).structures(VIT, True)
    first, second, both = Importance(), Importance(), Importance()
    first.observe(structures, with_gradients(VIT, 1))
    second.observe(structures, with_gradients(VIT, 2))
    for seed in (1, 2):
        both.observe(structures, with_gradients(VIT, seed))
    for name in both.of:
        expected = MOMENTUM * first.of[name] + (1 - MOMENTUM) * second.of[name]
        torch.testing.assert_close(both.of[name], expected)


def test_magnitude_and_taylor_are_sums_of_squares() -> None:
    model = with_gradients(VIT, 1)
    structures = prunable_of(VIT).structures(VIT, True)
    mlp = next(s for s in structures if s.name == "layers.1.mlp")
    weights = dict(model.named_parameters())
    rows = [
        weights["blocks.1.mlp.fc1.weight"],
        weights["blocks.1.mlp.fc1.bias"][:, None],
        weights["blocks.1.mlp.fc2.weight"].T,
    ]
    magnitude, taylor = Importance("magnitude"), Importance("taylor")
    magnitude.observe([mlp], model)
    taylor.observe([mlp], model)
    squares = sum((row.detach() ** 2).sum(dim=1) for row in rows)
    grads = [
        weights["blocks.1.mlp.fc1.weight"].grad,
        weights["blocks.1.mlp.fc1.bias"].grad[:, None],
        weights["blocks.1.mlp.fc2.weight"].grad.T,
    ]
    products = sum(
        ((row.detach() * grad) ** 2).sum(dim=1) for row, grad in zip(rows, grads, strict=True)
    )
    torch.testing.assert_close(magnitude.of["layers.1.mlp"], squares)
    torch.testing.assert_close(taylor.of["layers.1.mlp"], products)


def test_random_scores_stay_and_follow_the_seed() -> None:
    structures = prunable_of(VIT).structures(VIT, True)
    model = randomised(VIT)
    first, again, other = Importance("random", 1), Importance("random", 1), Importance("random", 2)
    for scores in (first, again, other, again):
        scores.observe(structures, model)
    assert all(torch.equal(first.of[name], again.of[name]) for name in first.of)
    assert not torch.equal(first.of["embed"], other.of["embed"])


def test_a_weight_that_the_loss_does_not_reach_is_named() -> None:
    structures = prunable_of(VIT).structures(VIT, True)
    with pytest.raises(UserError, match="'cls_token' has no gradient"):
        Importance().observe(structures, randomised(VIT))


def test_a_group_is_scored_as_one_set_of_weights() -> None:
    """Eq. 6 of a group: the square of the sum over all of it, averaged over batches."""
    structures = prunable_of(VIT).structures(VIT, True)
    mlp = next(s for s in structures if s.name == "layers.1.mlp")
    importance = Importance("hessian")
    squares = []
    for seed in (1, 2, 3):
        model = with_gradients(VIT, seed)
        importance.observe([mlp], model)
        weights = dict(model.named_parameters())
        products = weights["blocks.1.mlp.fc1.weight"] * weights["blocks.1.mlp.fc1.weight"].grad
        sums = products.sum(dim=1)
        bias = weights["blocks.1.mlp.fc1.bias"]
        sums = sums + bias * bias.grad
        products = weights["blocks.1.mlp.fc2.weight"] * weights["blocks.1.mlp.fc2.weight"].grad
        sums = sums + products.sum(dim=0)
        squares.append(float(sums[[3, 5, 8]].sum() ** 2))
    expected = MOMENTUM**2 * squares[0] + (1 - MOMENTUM) * (MOMENTUM * squares[1] + squares[2])
    found = importance.of_group("layers.1.mlp", torch.tensor([3, 5, 8]))
    assert found == pytest.approx(expected, rel=1e-4)
    importance.keep({"layers.1.mlp": torch.tensor([3, 5, 8])})
    assert importance.of_group("layers.1.mlp", torch.tensor([0, 1, 2])) == pytest.approx(found)
