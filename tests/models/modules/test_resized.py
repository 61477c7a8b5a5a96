"""Models for images of another size."""

from __future__ import annotations

import pytest
import torch
from vitprof import UserError, ViTSpec, create_model
from vitprof.models.modules.resized import at_resolution


def vit(resolution: int = 8):
    torch.manual_seed(0)
    return create_model(ViTSpec.uniform(16, 2, 2, mlp=16, resolution=resolution, patch=2))


def test_its_own_size_is_the_model_itself() -> None:
    model = vit()
    assert at_resolution(model, 8) is model


def test_positions_that_are_alike_everywhere_stay_so() -> None:
    model = vit()
    with torch.no_grad():
        model.pos_embed[:, 1:] = torch.arange(16.0)
        model.pos_embed[:, 0] = -1.0
    resized = at_resolution(model, 12)
    assert resized.spec.resolution == 12
    assert resized.pos_embed.shape == (1, 1 + 36, 16)
    assert torch.equal(resized.pos_embed[:, 0], model.pos_embed[:, 0])
    assert torch.allclose(resized.pos_embed[:, 1:], torch.arange(16.0).expand(1, 36, 16))
    assert resized(torch.zeros(2, 3, 12, 12)).shape == (2, 1000)


def test_all_other_weights_stay() -> None:
    model = vit()
    resized = at_resolution(model, 4)
    for name, tensor in model.state_dict().items():
        if name != "pos_embed":
            assert torch.equal(resized.state_dict()[name], tensor)


def test_a_model_without_positions_takes_other_sizes() -> None:
    torch.manual_seed(0)
    model = create_model("efficientvit-m0")
    resized = at_resolution(model, 256)
    assert resized(torch.zeros(1, 3, 256, 256)).shape == (1, 1000)


def test_a_size_that_patches_do_not_fill_is_refused() -> None:
    with pytest.raises(UserError, match="9"):
        at_resolution(vit(), 9)
