"""Patch dropout: which patches a step computes, and that nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from vitprof.errors import UserError
from vitprof.models import SwinSpec, ViTLayer, ViTSpec, create_model
from vitprof.models.families.swin.spec import SwinStage
from vitprof.training.patch_dropout import with_patch_dropout, without_patch_dropout

SPEC = ViTSpec.uniform(16, 2, 2, mlp=16, resolution=16, patch=4, classes=3, name="small")
SWIN = SwinSpec(
    stages=(SwinStage(8, (ViTLayer(2, 4, 4, 16),)),), patch=2, window=2, resolution=8, classes=3
)


def made(spec=SPEC):
    torch.manual_seed(0)
    return create_model(spec)


def seen(model, images):
    """Return what goes into the first layer, and how many tokens come out of the last."""
    found = []
    first = model.blocks[0].norm1.register_forward_pre_hook(lambda _, x: found.append(x[0]))
    model(images)
    first.remove()
    return found[0]


@pytest.mark.parametrize(("share", "kept"), [(0.5, 8), (0.25, 12), (0.9, 2), (0.99, 1)])
def test_a_share_of_the_patches_is_left_out_and_the_class_token_never(share, kept) -> None:
    model, images = made().train(), torch.randn(5, 3, 16, 16)
    whole = seen(model, images)
    part = seen(with_patch_dropout(model, share), images)
    assert part.shape == (5, 1 + kept, 16)
    torch.testing.assert_close(part[:, 0], whole[:, 0])
    for all_of, some_of in zip(whole, part, strict=True):
        places = [int((all_of == token).all(dim=1).nonzero()) for token in some_of]
        assert len(set(places)) == len(places)


def test_the_patches_that_stay_have_the_smallest_numbers() -> None:
    model, images = made().train(), torch.randn(2, 3, 16, 16)
    whole = seen(model, images)
    numbers = torch.stack([torch.arange(16.0), torch.arange(16.0).flip(0)], dim=1)
    part = seen(with_patch_dropout(model, 0.75, lambda patches, count: numbers), images)
    torch.testing.assert_close(part[0], whole[0, [0, 1, 2, 3, 4]])
    torch.testing.assert_close(part[1], whole[1, [0, 16, 15, 14, 13]])


def test_every_patch_is_left_out_as_often_as_any_other() -> None:
    model = with_patch_dropout(made().train(), 0.5)
    images = torch.randn(1, 3, 16, 16).expand(4000, -1, -1, -1)
    whole, part = seen(made(), images[:1])[0], seen(model, images)
    counts = (part[:, 1:, None] == whole[None, None, 1:]).all(-1).sum((0, 1))
    # Of 4000 images half: a binomial with a deviation of 32.
    assert (counts - 2000).abs().max() < 5 * 32


def test_in_eval_mode_and_without_it_the_model_is_as_before() -> None:
    model, images = made().eval(), torch.randn(2, 3, 16, 16)
    before = model(images)
    torch.testing.assert_close(with_patch_dropout(model, 0.5)(images), before)
    names = list(model.state_dict())
    model.train()
    assert not torch.equal(model(images), before)
    without_patch_dropout(model)
    torch.testing.assert_close(model(images), before)
    assert list(model.state_dict()) == names


def test_called_again_it_replaces_the_share() -> None:
    model, images = made().train(), torch.randn(2, 3, 16, 16)
    with_patch_dropout(with_patch_dropout(model, 0.5), 0.25)
    assert seen(model, images).shape[1] == 13
    with_patch_dropout(model, 0)
    assert seen(model, images).shape[1] == 17


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(UserError, match="has to be from 0 to below 1"):
        with_patch_dropout(made(), share)


def test_other_families_and_merging_models_are_refused() -> None:
    with pytest.raises(UserError, match="not for the family 'swin'"):
        with_patch_dropout(made(SWIN), 0.5)
    merging = replace(SPEC, merges=(2, 0))
    with pytest.raises(UserError, match="a ViT that merges tokens"):
        with_patch_dropout(made(merging), 0.5)
    with pytest.raises(UserError, match="not for Linear"):
        with_patch_dropout(torch.nn.Linear(1, 1), 0.5)
