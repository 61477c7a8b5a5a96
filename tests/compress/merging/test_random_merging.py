"""Merging at random merges as many tokens, but others."""

from __future__ import annotations

from dataclasses import replace

import torch
from vitprof.compress.merging.random_merging import merging_at_random
from vitprof.models import ViTSpec, create_model

SPEC = ViTSpec.uniform(24, 2, 2, mlp=20, resolution=24, patch=4, classes=5, merges=(9, 4))


def test_tokens_are_paired_by_chance_and_the_same_seed_pairs_alike() -> None:
    torch.manual_seed(0)
    model = create_model(SPEC).eval()
    images = torch.randn(3, 3, 24, 24)
    with torch.inference_mode():
        own = model(images)
        first, again, other = (merging_at_random(model, seed)(images) for seed in (1, 1, 2))
        torch.testing.assert_close(model(images), own, rtol=0, atol=0)
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert not torch.allclose(first, own, atol=1e-4)
    assert not torch.allclose(first, other, atol=1e-4)


def test_a_model_that_merges_nothing_stays_as_it_is() -> None:
    model = create_model(replace(SPEC, merges=())).eval()
    images = torch.randn(2, 3, 24, 24)
    with torch.inference_mode():
        torch.testing.assert_close(merging_at_random(model)(images), model(images))


def test_where_all_tokens_are_alike_the_pairing_does_not_matter() -> None:
    """Tokens that are equal give the same mean whichever of them are merged."""
    model = create_model(SPEC).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "position" in name or "pos_embed" in name:
                weight.zero_()
        images = torch.ones(1, 3, 24, 24)
        torch.testing.assert_close(merging_at_random(model)(images), model(images))
