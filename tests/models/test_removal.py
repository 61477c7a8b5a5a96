"""Each module removed against the full model in which hooks make it hand on its input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from vitprof.models import Spec, ViTLayer, ViTSpec, create_model, create_spec
from vitprof.models.removal import RemovableModule, removable, without

FAMILIES = ("vit", "autovit", "efficientvit")


def handing_on(module: nn.Module, given: tuple[Tensor, ...], _: Tensor) -> Tensor:
    return given[0]


def adding_nothing(module: nn.Module, given: tuple[Tensor, ...], _: Tensor) -> Tensor:
    return torch.zeros_like(given[0])


def skip(model: nn.Module, module: RemovableModule) -> None:
    """Make the module the identity in the full model; a half of a layer is a residual's branch."""
    if module.kind in ("attention", "mlp"):
        model.get_submodule(module.weights[1]).register_forward_hook(adding_nothing)
    else:
        model.get_submodule(module.weights[0]).register_forward_hook(handing_on)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_left_computes_what_the_model_does_without_it(
    specs: dict[str, Spec], randomised: Callable[..., nn.Module], family: str
) -> None:
    spec = specs[family]
    images = torch.randn(3, spec.in_channels, spec.resolution, spec.resolution)
    untouched = randomised(spec)
    whole = untouched(images).detach()
    names = set()
    for module in removable(untouched.spec):
        model = randomised(spec)
        smaller = without(model, module)
        assert smaller.spec == module.left
        assert smaller.spec.params < spec.params
        assert not smaller.training
        skip(model, module)
        with torch.no_grad():
            expected, found = model(images), smaller(images)
        scale = expected.abs().max()
        assert (found - expected).abs().max() < 1e-5 * scale, module.name
        assert (found - whole).abs().max() > 1e-3 * scale, module.name
        names.add(module.name)
    assert len(names) == len(removable(spec))


def test_which_modules_can_go(specs: dict[str, Spec]) -> None:
    def named(family: str) -> list[str]:
        return [module.name for module in removable(specs[family])]

    assert named("vit") == [
        f"layers.{n}{half}" for n in range(3) for half in (".attention", ".mlp", "")
    ]
    assert named("autovit") == [
        "mbconvs.0.1",
        "mbconvs.1.1",
        "mbconvs.1.2",
        *(f"transformers.0.layers.{n}" for n in range(3)),
        *(f"transformers.1.layers.{n}" for n in range(2)),
    ]
    assert named("efficientvit") == [
        *(f"stages.0.layers.{n}" for n in range(2)),
        *(f"stages.2.layers.{n}" for n in range(3)),
    ]


def test_a_layer_that_merges_keeps_its_attention() -> None:
    spec = ViTSpec.uniform(16, 3, 2, resolution=8, patch=2, merges=(0, 3, 1), norm_eps=1e-6)
    names = [module.name for module in removable(spec)]
    assert names == [
        "layers.0.attention",
        "layers.0.mlp",
        "layers.0",
        "layers.1.mlp",
        "layers.2.mlp",
    ]
    images = torch.randn(2, 3, 8, 8)
    for module in removable(spec):
        model = create_model(spec)
        left = without(model, module)
        assert left.spec.tokens - sum(left.spec.merges) == spec.tokens - 4
        expected = left(images)
        assert expected.shape == (2, 1000)
        if module.kind == "mlp":  # attention that merges is called for its keys, past any hook
            skip(model, module)
            torch.testing.assert_close(model(images), expected)


def test_an_absent_half_and_the_only_layer_cannot_go() -> None:
    layers = (ViTLayer(2, 8, 8, 0),)
    spec = ViTSpec(embed=16, layers=layers, resolution=8, patch=2)
    assert [module.name for module in removable(spec)] == ["layers.0.attention"]
    both = replace(spec, layers=(ViTLayer(2, 8, 8, 8),))
    assert [module.kind for module in removable(both)] == ["attention", "mlp"]


def test_what_is_left_is_of_its_own_and_can_lose_more(
    specs: dict[str, Spec], randomised: Callable[..., nn.Module]
) -> None:
    model = randomised(specs["vit"])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    left = without(model.train(), removable(model.spec)[2])
    assert left.training
    for parameter in left.parameters():
        nn.init.zeros_(parameter)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    while any(module.kind == "layer" for module in removable(left.spec)):
        left = without(left, next(m for m in removable(left.spec) if m.kind == "layer"))
    assert left.spec.depth == 1


def test_another_models_module_is_refused(specs: dict[str, Spec]) -> None:
    with pytest.raises(ValueError, match="was not found"):
        without(create_model(specs["vit"]), removable(specs["autovit"])[0])


def test_other_families_and_models_without_any_are_refused(refused) -> None:
    with refused("swin-tiny", "'swin'", "vit, autovit, efficientvit"):
        removable(create_spec("swin-tiny"))
    single = tuple(replace(stage, depth=1) for stage in create_spec("efficientvit-m0").stages)
    with refused("efficientvit-m0", "only one of its stage"):
        removable(replace(create_spec("efficientvit-m0"), stages=single))
