"""Mimetic initial weights, against the products that the paper gives."""

from __future__ import annotations

import math

import pytest
import torch
from vitprof.errors import UserError
from vitprof.models import ViTSpec, create_model
from vitprof.training.mimetic import with_mimetic_weights

SPEC = ViTSpec.uniform(192, 2, 3, resolution=32, patch=4, classes=10, name="vit-32")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return with_mimetic_weights(create_model(SPEC))


def test_queries_by_keys_resemble_the_identity(model) -> None:
    """What is kept of 0.7 Z + 0.7 I: its 64 largest singular values of 192."""
    attention = model.blocks[1].attn
    queries, keys, _ = attention.qkv.weight.split(192)
    for q, k in zip(queries.split(64), keys.split(64), strict=True):
        product = q.T @ k
        kept = torch.linalg.svdvals(product.detach())
        assert int((kept > 1e-4).sum()) == 64
        # A matrix of 0.7 (Z + I) has its singular values between 0 and 0.7 (1 + 2).
        assert 0.7 < float(kept[63]) < float(kept[0]) < 0.7 * 3
        diagonal = product.detach().diagonal()
        assert float(diagonal.mean()) > 5 * float(product.std())


def test_values_by_projection_are_the_whole_product(model) -> None:
    """0.4 Z - 0.4 I, of full rank: its mean diagonal and its other values' deviation."""
    attention = model.blocks[0].attn
    values = attention.qkv.weight[2 * 192 :]
    product = values.T @ attention.proj.weight.T
    deviation = 0.4 / math.sqrt(192)
    # The mean of 192 diagonal values, each with that deviation.
    assert abs(float(product.diagonal().mean()) + 0.4) < 5 * deviation / math.sqrt(192)
    others = product - torch.diag(product.diagonal())
    assert float(others.std()) == pytest.approx(deviation, rel=0.05)


def test_positions_are_sines_of_row_and_column(model) -> None:
    positions = model.pos_embed[0]
    torch.testing.assert_close(positions[0], positions[1:].mean(dim=0))
    grid = positions[1:].reshape(8, 8, 4, 48)
    rate = 10_000 ** (-5 / 48)
    for row, column in ((0, 0), (2, 7), (7, 3)):
        wanted = [f(place * rate) for place in (column, row) for f in (math.sin, math.cos)]
        assert grid[row, column, :, 5].tolist() == pytest.approx(wanted, abs=1e-5)


def test_the_class_token_learns_what_the_image_shows_from_the_first_layer_on(model) -> None:
    """It resembles the patches, so that it does not attend to itself alone."""
    found = []
    handle = model.blocks[0].register_forward_hook(lambda *given: found.append(given[2][:, 0]))
    # Each image of one colour, as most of a photograph's patches nearly are.
    colours = torch.randn(32, 3, 1, 1, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        model(colours.expand(-1, -1, 32, 32))
    handle.remove()
    assert float(found[0].std(dim=0).mean() / found[0].std()) > 0.3


def test_a_head_wider_than_the_model_and_one_much_narrower() -> None:
    for heads, qk, v in ((2, 24, 16), (2, 4, 4)):
        spec = ViTSpec.uniform(16, 1, heads, qk=qk, v=v, resolution=8, patch=4, classes=3)
        made = with_mimetic_weights(create_model(spec))
        assert made(torch.randn(2, 3, 8, 8)).isfinite().all()


def test_it_draws_from_the_global_generator() -> None:
    weights = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        made = with_mimetic_weights(create_model(SPEC))
        weights.append(made.blocks[0].attn.qkv.weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_other_models_are_refused() -> None:
    with pytest.raises(UserError, match="not for the family 'swin'"):
        with_mimetic_weights(create_model("swin-tiny"))
    with pytest.raises(UserError, match="not for Linear"):
        with_mimetic_weights(torch.nn.Linear(1, 1))
    narrow = ViTSpec.uniform(18, 1, 1, mlp=16, resolution=8, patch=4, classes=3)
    with pytest.raises(UserError, match="a multiple of 4, not 18"):
        with_mimetic_weights(create_model(narrow))
