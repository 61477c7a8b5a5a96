"""The errors of OPTIN against their definition, written out."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from vitprof.compress.optin import trajectory
from vitprof.compress.optin.trajectory import (
    ROWS,
    Manifold,
    Trajectory,
    drawn_logit_change,
    importances,
    logit_errors,
    unit_errors,
)
from vitprof.errors import UserError


def relations(features: torch.Tensor) -> torch.Tensor:
    rows = F.normalize(features.reshape(-1, features.shape[-1]), dim=-1)
    return rows @ rows.T


@settings(deadline=None, max_examples=25)
@given(
    images=st.integers(1, 3),
    tokens=st.integers(1, 6),
    width=st.integers(1, 9),
    change=st.sampled_from([1e-3, 0.1, 2.0]),
    seed=st.integers(0, 1000),
)
def test_the_manifold_error_is_the_norm_of_the_difference(images, tokens, width, change, seed):
    generator = torch.Generator().manual_seed(seed)
    full = torch.randn(images, tokens, width, generator=generator, dtype=torch.float64)
    noise = torch.randn(3, images, tokens, width, generator=generator, dtype=torch.float64)
    variants = full + change * noise
    found = Manifold(full).errors(variants)
    scale = (ROWS / (images * tokens)) ** 2
    for variant, error in zip(variants, found, strict=True):
        expected = ((relations(variant) - relations(full)) ** 2).sum()
        torch.testing.assert_close(error / scale, expected, rtol=1e-6, atol=1e-13)


def test_a_change_of_length_alone_is_none() -> None:
    full = torch.randn(2, 5, 7)
    assert Manifold(full).errors(torch.stack([full, 3 * full])).max() < 1e-3


def test_the_logits_error_is_the_divergence_at_the_temperature() -> None:
    full, logits = torch.randn(6, 4), torch.randn(2, 6, 4)
    for found, each in zip(logit_errors(full, logits, 4.0), logits, strict=True):
        expected = 16 * F.kl_div(
            F.log_softmax(each / 4, dim=-1), F.softmax(full / 4, dim=-1), reduction="batchmean"
        )
        torch.testing.assert_close(found, expected)


def test_the_logits_error_of_a_small_change_is_no_rounding_error() -> None:
    full = 5 * torch.randn(6, 4)
    change = 1e-4 * torch.randn(6, 4)
    p = F.softmax(full.double() / 4, dim=-1)
    moved = (full + change - full).double()
    variance = (p * moved**2).sum(dim=-1) - (p * moved).sum(dim=-1) ** 2
    found = logit_errors(full, (full + change)[None], 4.0)
    torch.testing.assert_close(found[0].double(), variance.mean() / 2, rtol=1e-3, atol=0)


def test_layers_are_added_or_averaged() -> None:
    layers, logits = [torch.tensor([1.0, 2.0]), torch.tensor([3.0, 6.0])], torch.tensor([10.0, 0.0])
    for aggregation, expected in (("sum", [4.0, 8.0]), ("mean", [2.0, 4.0])):
        found = unit_errors(Trajectory(aggregation=aggregation), layers, logits)
        torch.testing.assert_close(found, torch.tensor([expected, [10.0, 0.0]]))
    torch.testing.assert_close(
        unit_errors(Trajectory(), [], logits), torch.tensor([[0.0, 0.0], [10.0, 0.0]])
    )


def test_the_weight_is_a_share_whatever_the_scales_are() -> None:
    layers, logits = torch.tensor([4.0, 9.0, 100.0]), torch.tensor([1.0, 4.0, 1.0])
    found = []
    for scale in (1.0, 1e-6):
        errors = torch.stack([layers, scale * logits])
        of_both = {"a": errors[:, :1], "b": errors[:, 1:]}
        found.append(torch.cat(list(importances(Trajectory(weight=0.1), of_both).values())))
    # The ratios 4, 9 / 4 and 100 have the geometric mean 900 ** (1 / 3).
    expected = layers + 0.1 * 900 ** (1 / 3) * logits
    torch.testing.assert_close(found[0], expected)
    torch.testing.assert_close(found[1], expected)


def test_units_without_an_error_have_no_say_in_the_scale() -> None:
    errors = {"a": torch.tensor([[4.0, 0.0, 5.0], [1.0, 1.0, 0.0]])}
    found = importances(Trajectory(weight=1.0), errors)["a"]
    torch.testing.assert_close(found, torch.tensor([8.0, 4.0, 5.0]))


# --- random linear functions ----------------------------------------------------------------------


def mean_square(monkeypatch, change) -> torch.Tensor:
    """Return the mean of the square of a function of normal numbers, which is linear in them."""
    shape = []
    monkeypatch.setattr(trajectory, "normal", lambda x, _: shape.append(x.shape) or 0 * x)
    change()
    total = torch.zeros((), dtype=torch.float64)
    for place in range(shape[0].numel()):
        one = torch.zeros(shape[0].numel(), dtype=torch.float64)
        one[place] = 1
        monkeypatch.setattr(trajectory, "normal", lambda _x, _, one=one: one.reshape(shape[0]))
        total += change() ** 2
    return total


@pytest.mark.parametrize("filled", [False, True])
def test_the_square_of_a_drawn_change_is_the_manifold_error_on_average(monkeypatch, filled) -> None:
    torch.manual_seed(0)
    full, moved = torch.randn(2, 2, 3, 4, dtype=torch.float64)
    counted = torch.tensor([[True, True, True], [True, not filled, not filled]])
    manifold = Manifold(full, counted)

    def change() -> torch.Tensor:
        x = full.clone().requires_grad_()
        manifold.drawn_change(x, counted, torch.Generator()).backward()
        return (x.grad * moved).sum()

    found = mean_square(monkeypatch, change)
    tiny = 1e-6
    rows = F.normalize(full.reshape(6, 4), dim=-1)[counted.reshape(-1)]
    after = F.normalize((full + tiny * moved).reshape(6, 4), dim=-1)[counted.reshape(-1)]
    delta = (after - rows) / tiny
    expected = 2 * ((rows @ delta.T) ** 2).sum() * (ROWS / len(rows)) ** 2
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=0)
    # The other half of the second order is that in which changes of different rows cancel.
    crossed = 2 * ((rows @ delta.T) * (rows @ delta.T).T).sum() * (ROWS / len(rows)) ** 2
    whole = manifold.errors(full[None] + tiny * moved)[0] / tiny**2
    torch.testing.assert_close(found + crossed, whole, rtol=1e-3, atol=0)


def test_the_square_of_a_drawn_change_is_the_logits_error_on_average(monkeypatch) -> None:
    torch.manual_seed(0)
    full, moved = torch.randn(2, 5, 3, dtype=torch.float64)

    def change() -> torch.Tensor:
        x = full.clone().requires_grad_()
        drawn_logit_change(x, len(full), 4.0, torch.Generator()).backward()
        return (x.grad * moved).sum()

    tiny = 1e-4
    expected = logit_errors(full, (full + tiny * moved)[None], 4.0)[0] / tiny**2
    torch.testing.assert_close(mean_square(monkeypatch, change), expected, rtol=1e-3, atol=0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"weight": -1.0},
        {"weight": float("nan")},
        {"temperature": 0.0},
        {"depth": -1},
    ],
    ids=str,
)
def test_values_out_of_range_are_refused(wrong) -> None:
    with pytest.raises(UserError):
        Trajectory(**wrong)
