"""Stochastic depth, against its formula with known draws, and in its statistics."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from vitprof.compress.cutting import keeping, smaller_model
from vitprof.errors import UserError
from vitprof.models import (
    AutoViTSpec,
    EfficientViTSpec,
    MBConvStage,
    SwinSpec,
    TransformerStage,
    ViTLayer,
    ViTSpec,
    create_model,
)
from vitprof.models.families.efficientvit.stage import EfficientViTStage
from vitprof.models.families.swin.spec import SwinStage
from vitprof.models.modules.fused_attention import with_fused_attention
from vitprof.training.stochastic_depth import depth_rates, with_stochastic_depth

SPEC = ViTSpec.uniform(16, 3, 2, mlp=16, resolution=8, patch=4, classes=3, name="small")
OTHERS = (
    SwinSpec(
        stages=(
            SwinStage(8, (ViTLayer(2, 4, 4, 16),) * 2),
            SwinStage(16, (ViTLayer(2, 4, 8, 16),) * 3),
        ),
        patch=2,
        window=2,
        resolution=16,
        classes=5,
    ),
    EfficientViTSpec(
        stages=(EfficientViTStage(32, 2, 2), EfficientViTStage(48, 3, 3)),
        window=2,
        kernels=(1,),
        resolution=64,
        classes=5,
    ),
    AutoViTSpec(
        mbconvs=(MBConvStage(8, 2, 2, 1),),
        transformers=(TransformerStage(8, 12, 2, 2, 4, 4, 16, stride=2),),
        pool_width=20,
        resolution=16,
        classes=5,
    ),
)


def made(spec=SPEC) -> nn.Module:
    torch.manual_seed(0)
    model = create_model(spec)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def images_of(model: nn.Module, count: int = 4) -> Tensor:
    torch.manual_seed(1)
    side = model.spec.resolution
    return torch.randn(count, 3, side, side)


def by_hand(model: nn.Module, images: Tensor, factors: Tensor) -> Tensor:
    """Return the logits of a ViT whose branches of layers 1 and 2 have these factors."""
    x = model._embedded(images)
    rows = iter(factors[:, :, None, None])
    for place, layer in enumerate(model.blocks):
        for norm, branch in ((layer.norm1, layer.attn), (layer.norm2, layer.mlp)):
            x = x + (next(rows) if place else 1.0) * branch(norm(x))
    return model.head(model.norm(x)[:, 0])


def test_branches_are_skipped_by_image_and_scaled_by_what_is_kept() -> None:
    drawn = torch.rand(4, 4, generator=torch.Generator().manual_seed(3))
    drawn[0, 0], drawn[3, 1] = 0.05, 0.15
    rates = torch.tensor([0.1, 0.1, 0.2, 0.2])[:, None]
    factors = (drawn >= rates) / (1 - rates)
    assert 2 <= (factors == 0).sum() < 16
    plain = made()
    model = with_stochastic_depth(made(), 0.2, lambda branches, images: drawn).train()
    images = images_of(plain)
    assert torch.allclose(model(images), by_hand(plain, images, factors), atol=1e-5)
    assert torch.allclose(model.eval()(images), plain(images))


def test_rates_rise_by_layer_and_names_stay() -> None:
    model = with_stochastic_depth(made(), 0.2)
    assert depth_rates(model) == pytest.approx(
        {"blocks.1.attn": 0.1, "blocks.1.mlp": 0.1, "blocks.2.attn": 0.2, "blocks.2.mlp": 0.2}
    )
    assert model.state_dict().keys() == made().state_dict().keys()
    assert depth_rates(with_stochastic_depth(model, 0.4))["blocks.2.mlp"] == pytest.approx(0.4)
    assert depth_rates(with_stochastic_depth(model, 0)) == {}
    assert torch.equal(model.train()(images_of(model)), model.eval()(images_of(model)))


def test_one_layer_is_never_skipped() -> None:
    assert (
        depth_rates(with_stochastic_depth(made(replace(SPEC, layers=SPEC.layers[:1])), 0.5)) == {}
    )


def test_a_branch_is_skipped_as_often_as_its_rate_says_and_keeps_its_mean() -> None:
    torch.manual_seed(5)
    model = with_stochastic_depth(made(), 0.3).train()
    seen: list[Tensor] = []
    model.blocks[2].mlp.register_forward_hook(lambda m, i, output: seen.append(output[:, 0]))
    x = images_of(model, 1).expand(4000, -1, -1, -1)
    with torch.no_grad():
        model(x)
    skipped = (seen[0].abs().sum(dim=1) == 0).float().mean()
    assert float(skipped) == pytest.approx(0.3, abs=0.03)  # four standard deviations


@pytest.mark.parametrize("spec", OTHERS, ids=lambda spec: spec.family)
def test_other_families_skip_by_image_too(spec) -> None:
    model = made(spec)
    for module in model.modules():  # images are alone: no norm over a batch
        module.training = not isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d)
    images = torch.randn(3, spec.in_channels, spec.resolution, spec.resolution)
    plain = model(images)

    def answers(of_images: list[float]) -> Tensor:
        drawn = torch.tensor(of_images)
        return with_stochastic_depth(model, 0.5, lambda n, _: drawn.expand(n, -1))(images)

    kept, mixed = answers([1.0, 1.0, 1.0]), answers([1.0, 0.0, 1.0])
    assert len({round(rate, 3) for rate in depth_rates(model).values()}) >= 2
    assert torch.allclose(mixed[[0, 2]], kept[[0, 2]], atol=1e-4)
    assert not torch.allclose(mixed[1], kept[1], atol=1e-3)
    assert not torch.allclose(plain, kept, atol=1e-3)  # what is kept is scaled


def test_layers_of_two_families_are_counted_by_layer() -> None:
    swin, efficient = made(OTHERS[0]), made(OTHERS[1])
    found = depth_rates(with_stochastic_depth(swin, 0.4))
    assert found["layers.0.blocks.1.mlp"] == pytest.approx(0.1)
    assert found["layers.1.blocks.2.attn"] == pytest.approx(0.4)
    found = depth_rates(with_stochastic_depth(efficient, 0.5))
    # Two layers, what stands before and behind the merging, three layers.
    assert found["stages.0.blocks.1.mixer.m"] == pytest.approx(1 / 12)
    assert found["stages.1.downsample.res2.1.m"] == pytest.approx(3 / 12)
    assert found["stages.1.blocks.2.ffn1.m"] == pytest.approx(0.5)


def test_fused_attention_and_layers_that_merge_skip_too() -> None:
    def first_skips(branches: int, images: int) -> Tensor:
        return torch.tensor([0.0, 1.0]).expand(branches, images)

    plain = with_stochastic_depth(made(), 0.5, first_skips).train()
    images = images_of(plain, 2)
    assert torch.allclose(with_fused_attention(plain)(images), plain(images), atol=1e-5)
    # Merging runs the attention of its layer by another way.
    model = made(replace(SPEC, merges=(0, 0, 1)))
    merging = with_stochastic_depth(model, 0.5, first_skips).train()
    assert "blocks.2.attn.proj" in depth_rates(merging)
    seen: list[Tensor] = []
    merging.blocks[2].attn.proj.register_forward_hook(lambda m, i, out: seen.append(out))
    merging(images)
    assert not seen[0][0].any()
    assert seen[0][1].all()


def test_a_cut_model_takes_it_anew() -> None:
    model = with_stochastic_depth(made(), 0.2)
    cut = keeping(model, {"layers.1.mlp": torch.arange(8)})
    smaller = smaller_model(model, cut)
    assert depth_rates(smaller) == {}
    assert depth_rates(with_stochastic_depth(smaller, 0.2)) == depth_rates(model)


def test_checkpointed_layers_skip_the_same_again() -> None:
    from torch.utils.checkpoint import checkpoint

    torch.manual_seed(2)
    gradients = []
    for again in (False, True):
        model = with_stochastic_depth(made(), 0.5).train()
        if again:
            for layer in model.blocks:
                run = layer.forward
                layer.forward = lambda x, run=run: checkpoint(
                    run, x, use_reentrant=False, preserve_rng_state=False
                )
        torch.manual_seed(4)
        model(images_of(model)).square().sum().backward()
        gradients.append(model.patch_embed.proj.weight.grad)
    assert torch.allclose(*gradients, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "rate", "words"),
    [
        ("bert-tiny", 0.1, "is not defined for the family 'bert'"),
        ("vgg11-bn-cifar", 0.1, "is not defined for the family 'vgg'"),
        ("vit-micro-8", 1.0, "it has to be from 0 to below 1"),
        ("vit-micro-8", -0.1, "is -0.1"),
    ],
)
def test_what_cannot_be_is_refused(name: str, rate: float, words: str) -> None:
    with pytest.raises(UserError, match=words):
        with_stochastic_depth(create_model(name), rate)


def test_a_module_of_no_spec_is_refused() -> None:
    with pytest.raises(UserError, match="is not defined for Sequential"):
        with_stochastic_depth(nn.Sequential(nn.Linear(2, 2)), 0.1)
