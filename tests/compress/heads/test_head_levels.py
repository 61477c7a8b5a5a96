"""Heads that leave level by level: which, and that what is left computes what it should."""

from __future__ import annotations

import math

import pytest
import torch
from vitprof.compress.heads.head_levels import check_counts, even_counts, head_norms, levels
from vitprof.errors import UserError
from vitprof.models import ViTSpec, create_model

from ..conftest import SWIN, VGG, VIT, randomised


def test_a_heads_norm_is_over_all_weights_that_go_with_it() -> None:
    model = randomised(VIT)
    norms = head_norms(model, relative=False)
    layer, head = 1, 2
    attention = model.blocks[layer].attn
    heads, qk, v = attention.heads, attention.qk, attention.v
    weight, bias = attention.qkv.weight.detach(), attention.qkv.bias.detach()
    squares = 0.0
    for start, width in ((0, qk), (heads * qk, qk), (2 * heads * qk, v)):
        rows = slice(start + head * width, start + (head + 1) * width)
        squares += float(weight[rows].double().square().sum() + bias[rows].double().square().sum())
    columns = slice(head * v, (head + 1) * v)
    squares += float(attention.proj.weight.detach()[:, columns].double().square().sum())
    assert float(norms[f"layers.{layer}.heads"][head]) == pytest.approx(math.sqrt(squares))


def test_relative_norms_are_over_their_layers_mean() -> None:
    norms = head_norms(randomised(VIT))
    for of_layer in norms.values():
        assert float(of_layer.mean()) == pytest.approx(1.0)


def test_the_heads_of_least_norm_go_and_every_layer_keeps_one() -> None:
    model = randomised(VIT)
    total = sum(layer.heads for layer in VIT.layers)
    spare = total - len(VIT.layers)
    found = list(levels(model, [2, spare - 2], relative=False))
    assert [level.heads_in_all for level in found] == [total, total - 2, len(VIT.layers)]
    norms = head_norms(model, relative=False)
    strongest = {(name, int(of_layer.argmax())) for name, of_layer in norms.items()}
    order = sorted(
        (float(norm), name, place)
        for name, of_layer in norms.items()
        for place, norm in enumerate(of_layer)
        if (name, place) not in strongest
    )
    assert set(found[1].gone) == {(name, place) for _, name, place in order[:2]}
    assert min(found[2].heads.values()) == 1


@pytest.mark.parametrize("spec", [VIT, SWIN], ids=["vit", "swin"])
def test_a_level_computes_what_the_whole_model_does_with_those_heads_silent(spec) -> None:
    model = randomised(spec).eval()
    _, level = levels(model, [2])
    assert level.model.spec.params < model.spec.params
    silenced = randomised(spec).eval()
    weights = dict(silenced.named_parameters())
    from vitprof.compress.cutting import prunable_of

    structures = {s.name: s for s in prunable_of(spec).structures(spec, True)}
    with torch.no_grad():
        for name, head in level.gone:
            # What reads a head's output is enough to silence it.
            part = next(p for p in structures[name].parts if p.weight.endswith("proj.weight"))
            weights[part.weight].index_fill_(part.axis, part.index[head], 0.0)
    images = torch.randn(2, *spec.blocks()[0].input_shape)
    with torch.inference_mode():
        assert torch.allclose(level.model(images), silenced(images), atol=1e-5)


def test_repaired_levels_are_looked_at_anew() -> None:
    model = randomised(VIT)
    seen = []

    def repair(smaller: torch.nn.Module) -> None:
        seen.append(smaller.spec.params)
        with torch.no_grad():
            # The first layer's heads become the ones of least norm.
            smaller.blocks[0].attn.qkv.weight.mul_(1e-3)
            smaller.blocks[0].attn.qkv.bias.mul_(1e-3)
            smaller.blocks[0].attn.proj.weight.mul_(1e-3)

    found = list(levels(model, [1, 2], relative=False, repair=repair))
    assert seen == [level.model.spec.params for level in found[1:]]
    assert {name for name, _ in found[2].gone} == {"layers.0.heads"}


def test_the_model_given_is_left_as_it_is() -> None:
    model = randomised(VIT)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    list(levels(model, [3], repair=lambda smaller: smaller.blocks[0].attn.proj.weight.data.zero_()))
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_levels_share_out_four_fifths_of_the_heads_that_can_go() -> None:
    spec = ViTSpec.uniform(24, 6, 3, mlp=16, resolution=8, patch=4, classes=2, name="m")
    model = create_model(spec)
    assert even_counts(model, 4) == [3, 3, 2, 2]  # 10 of 12
    assert even_counts(model, 1) == [10]
    check_counts(model, even_counts(model, 12))


@pytest.mark.parametrize(
    ("counts", "words"),
    [([9], "only 4 can"), ([5, 5], "each layer keeps one")],
)
def test_more_heads_than_there_are_cannot_go(counts: list[int], words: str) -> None:
    spec = ViTSpec.uniform(24, 2, 3, mlp=16, resolution=8, patch=4, classes=2, name="m")
    with pytest.raises(UserError, match=words):
        check_counts(create_model(spec), counts)


def test_a_model_of_single_heads_has_none_to_give() -> None:
    spec = ViTSpec.uniform(24, 2, 1, mlp=16, resolution=8, patch=4, classes=2, name="m")
    with pytest.raises(UserError, match="one head a layer"):
        check_counts(create_model(spec), [1])
    with pytest.raises(UserError, match="use fewer `levels`"):
        even_counts(create_model(spec), 1)


def test_a_cnn_has_no_heads() -> None:
    with pytest.raises(UserError, match="one head a layer"):
        check_counts(randomised(VGG), [1])
