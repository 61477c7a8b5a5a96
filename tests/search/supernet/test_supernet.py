"""A subnet computes what a model of its own with the same weights does, and by hand too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from vitprof.models import create_model
from vitprof.models.inheritance.tensor_slices import indices
from vitprof.search.supernet import supernet as module
from vitprof.search.supernet.folder import are_alike
from vitprof.search.supernet.supernet import Supernet


def supernet_of(space, seed: int = 0) -> Supernet:
    """Return a supernet none of whose weights and statistics are as they were initialised."""
    torch.manual_seed(seed)
    model = create_model(space.supernet_spec())
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point():
            continue
        if tensor.ndim > 1:
            tensor.copy_(torch.randn(tensor.shape) * tensor[0].numel() ** -0.5)
        else:
            around = 1 if name.endswith(("norm.weight", "bn.weight", "running_var")) else 0
            tensor.copy_(around + torch.rand(tensor.shape) - 0.5)
    return Supernet(model).eval()


def images_for(space, count: int = 4) -> torch.Tensor:
    spec = space.supernet_spec()
    shape = (count, spec.in_channels, spec.resolution, spec.resolution)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def test_a_subnet_is_the_model_that_is_extracted(space) -> None:
    supernet, images = supernet_of(space), images_for(space)
    drawn = space.sample(np.random.default_rng(2), 6)
    whole = supernet(images)
    for candidate in (space.smallest(), space.largest(), *drawn):
        spec = space.spec(candidate)
        subnet = supernet.subnet(spec)(images)
        torch.testing.assert_close(subnet, supernet.extract(spec)(images), rtol=1e-5, atol=1e-5)
        if (candidate != space.largest()).any():
            assert not torch.allclose(subnet, whole, atol=1e-3)
    largest = space.spec(space.largest())
    if are_alike(largest, supernet.spec):  # else the supernet is wider than any of its models
        torch.testing.assert_close(supernet.subnet(largest)(images), whole)


def test_a_layer_of_a_vit_by_hand(tiny_vit) -> None:
    supernet = supernet_of(tiny_vit)
    of = supernet.model.blocks[0].attn  # 3 heads of qk 8, v 6, in 24
    spec = tiny_vit.spec(np.array([0, 0, 1, 0, 0, 0, 0, 0, 0, 0]))  # 2 heads of qk 4, v 4, in 16
    assert (spec.embed, spec.layers[0].heads, spec.layers[0].qk, spec.layers[0].v) == (16, 2, 4, 4)
    x = torch.randn(2, 17, 16)
    w, b = of.qkv.weight[:, :16], of.qkv.bias
    result = of.proj.bias[:16]
    for head in range(2):
        at_q, at_k, at_v = head * 8, 24 + head * 8, 48 + head * 6
        q, k, v = (F.linear(x, w[at : at + 4], b[at : at + 4]) for at in (at_q, at_k, at_v))
        attended = torch.softmax(q @ k.transpose(1, 2) / 4**0.5, dim=-1) @ v
        result = result + attended @ of.proj.weight[:16, head * 6 : head * 6 + 4].T
    layer = supernet.extract(spec).blocks[0]
    torch.testing.assert_close(layer.attn(x), result, rtol=1e-5, atol=1e-5)
    mlp = supernet.model.blocks[0].mlp
    hidden = F.gelu(F.linear(x, mlp.fc1.weight[:16, :16], mlp.fc1.bias[:16]))
    by_hand = F.linear(hidden, mlp.fc2.weight[:16, :16], mlp.fc2.bias[:16])
    torch.testing.assert_close(layer.mlp(x), by_hand, rtol=1e-5, atol=1e-5)


def test_an_mbconv_by_hand(tiny_autovit) -> None:
    supernet = supernet_of(tiny_autovit)
    genes = tiny_autovit.largest()
    genes[[tiny_autovit.index[g] for g in ("stem.width", "mbconv-1.width")]] = (
        0  # stem and MBConv of width 4 in place of 8, the expansion stays 2
    )
    block = supernet.extract(tiny_autovit.spec(genes)).blocks[1]
    of = supernet.model.blocks[1]

    def normed(x: torch.Tensor, bn: torch.nn.BatchNorm2d, n: int) -> torch.Tensor:
        return F.batch_norm(x, bn.running_mean[:n], bn.running_var[:n], bn.weight[:n], bn.bias[:n])

    x = torch.randn(2, 4, 16, 16)
    expand, depthwise, project = of.expand.conv, of.depthwise.conv, of.project
    hidden = F.silu(normed(F.conv2d(x, expand.conv.weight[:8, :4]), expand.bn, 8))
    hidden = F.conv2d(hidden, depthwise.conv.weight[:8], padding=1, groups=8)
    hidden = F.silu(normed(hidden, depthwise.bn, 8))
    by_hand = x + normed(F.conv2d(hidden, project.conv.weight[:4, :8]), project.bn, 4)
    torch.testing.assert_close(block(x), by_hand, rtol=1e-5, atol=1e-5)


def test_a_group_attention_by_hand(tiny_efficientvit) -> None:
    supernet = supernet_of(tiny_efficientvit)
    of = supernet.model.stages[1].blocks[0].mixer.m.attn  # 3 heads of qk 6, v 12, in 36
    genes = tiny_efficientvit.smallest()
    spec = tiny_efficientvit.spec(genes)  # 2 heads of qk 4, v 6, in 12
    layer = supernet.extract(spec).stages[1].blocks[0].mixer.m.attn
    assert (spec.stages[1].embed, spec.stages[1].heads, spec.qk, layer.v) == (12, 2, 4, 6)
    assert (of.heads, of.qk, of.v, of.inputs) == (3, 6, 12, 12)

    def normed(x: torch.Tensor, bn: torch.nn.BatchNorm2d, rows: list[int]) -> torch.Tensor:
        mean, var = bn.running_mean[rows], bn.running_var[rows]
        return F.batch_norm(x, mean, var, bn.weight[rows], bn.bias[rows])

    x = torch.randn(2, 12, 2, 2)
    rows = [*range(4), *range(6, 10), *range(12, 18)]  # of Q, K and V
    places = torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]])
    given, outputs = x[:, :6], []
    for head in range(2):
        qkv = of.qkvs[head]
        y = normed(F.conv2d(given, qkv.conv.weight[rows, :6]), qkv.bn, rows).flatten(2)
        q, k, v = y[:, :4], y[:, 4:8], y[:, 8:]
        logits = q.transpose(1, 2) @ k / 4**0.5 + of.attention_biases[head][places]
        outputs.append((v @ logits.softmax(-1).transpose(1, 2)).reshape(2, 6, 2, 2))
        given = x[:, 6:] + outputs[0]
    proj, columns = of.proj[1], [*range(6), *range(12, 18)]
    hidden = F.conv2d(F.relu(torch.cat(outputs, 1)), proj.conv.weight[:12, columns])
    by_hand = normed(hidden, proj.bn, list(range(12)))
    torch.testing.assert_close(layer(x), by_hand, rtol=1e-5, atol=1e-5)


def test_a_merging_of_swin_by_hand(tiny_swin) -> None:
    supernet = supernet_of(tiny_swin)
    of = supernet.model.layers[1].downsample  # four tokens of 12 become one of 20
    layer = supernet.extract(tiny_swin.spec(tiny_swin.smallest())).layers[1].downsample
    x = torch.randn(2, 64, 8)
    rows = x.reshape(2, 4, 2, 4, 2, 8)
    wide = torch.cat([rows[:, :, row, :, column] for column in range(2) for row in range(2)], -1)
    held = [12 * token + channel for token in range(4) for channel in range(8)]
    normed = F.layer_norm(wide, (32,), of.norm.weight[held], of.norm.bias[held])
    by_hand = F.linear(normed, of.reduction.weight[:16, held]).reshape(2, 16, 16)
    torch.testing.assert_close(layer(x), by_hand, rtol=1e-5, atol=1e-5)


def test_what_no_checkpoint_has_is_the_supernets(tiny_swin) -> None:
    """Which token is in which window, and what it sees: a model of its own has it as well."""
    supernet = supernet_of(tiny_swin)
    spec = tiny_swin.spec(tiny_swin.largest())
    alone, made = supernet.extract(spec), create_model(spec)
    buffers = dict(made.named_buffers())
    assert any(name.endswith("mask") for name in buffers)
    for name, buffer in alone.named_buffers():
        assert torch.equal(buffer, buffers[name])
    assert alone.state_dict().keys() == made.state_dict().keys()


def test_gradients_arrive_in_the_subnets_part_alone(tiny_vit) -> None:
    supernet = supernet_of(tiny_vit)
    spec, images = tiny_vit.spec(tiny_vit.smallest()), images_for(tiny_vit)
    supernet.subnet(spec)(images).square().sum().backward()
    alone = supernet.extract(spec)
    alone(images).square().sum().backward()
    weight, own = supernet.model.blocks[0].mlp.fc1.weight, alone.blocks[0].mlp.fc1.weight
    torch.testing.assert_close(weight.grad[:16, :16], own.grad)
    assert own.grad.abs().sum() > 0
    assert weight.grad[16:].abs().sum() == weight.grad[:, 16:].abs().sum() == 0
    assert supernet.model.blocks[1].mlp.fc1.weight.grad is None  # a layer that it has not
    qkv, own = supernet.model.blocks[0].attn.qkv.weight, alone.blocks[0].attn.qkv.weight
    torch.testing.assert_close(qkv.grad[24:28, :16], own.grad[4:8])
    assert qkv.grad[4:24].abs().sum() == 0


def test_statistics_of_its_channels_are_updated_in_train_mode(tiny_autovit) -> None:
    supernet, images = supernet_of(tiny_autovit), images_for(tiny_autovit)
    spec = tiny_autovit.spec(tiny_autovit.smallest())
    norm = supernet.model.blocks[0].conv.bn
    before = norm.running_mean.clone()
    supernet.subnet(spec)(images)
    assert torch.equal(norm.running_mean, before)
    alone = supernet.extract(spec).train()
    alone(images)
    supernet.train()
    supernet.subnet(spec)(images)
    torch.testing.assert_close(norm.running_mean[:4], alone.blocks[0].conv.bn.running_mean)
    assert not torch.equal(norm.running_mean[:4], before[:4])
    assert torch.equal(norm.running_mean[4:], before[4:])
    assert int(norm.num_batches_tracked) == 1


def test_what_is_extracted_is_a_copy_with_its_own_scale(tiny_vit) -> None:
    supernet = supernet_of(tiny_vit)
    spec = tiny_vit.spec(tiny_vit.smallest(), "found")
    state = torch.get_rng_state()
    model = supernet.extract(spec)
    assert torch.equal(torch.get_rng_state(), state)  # nothing is drawn for it
    assert model.spec.name == "found"
    assert not model.training
    assert model.blocks[0].attn.scale == pytest.approx(4**-0.5)
    weight = supernet.model.head.weight.clone()
    with torch.no_grad():
        model.head.weight += 1
    assert torch.equal(supernet.model.head.weight, weight)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_subnets_that_were_run_last_are_kept(tiny_vit, monkeypatch) -> None:
    monkeypatch.setattr(module, "KEPT_SUBNETS", 2)
    supernet = supernet_of(tiny_vit)
    specs = [tiny_vit.spec(g) for g in tiny_vit.sample(np.random.default_rng(0), 3)]
    first = supernet.subnet(specs[0])
    assert supernet.subnet(replace(specs[0], name="other")) is first
    supernet.subnet(specs[1])
    assert supernet.subnet(specs[0]) is first
    supernet.subnet(specs[2])
    assert supernet.subnet(specs[0]) is first
    assert set(dict(supernet.named_parameters())) == {
        f"model.{name}" for name, _ in supernet.model.named_parameters()
    }


def test_a_subnet_that_does_not_fit_is_refused(tiny_vit, refused) -> None:
    supernet = supernet_of(tiny_vit)
    for use in (supernet.subnet, supernet.extract):
        with refused("embed=64 is more"):
            use(replace(supernet.spec, embed=64))


def test_a_subnet_that_was_tested_can_still_be_trained(tiny_vit) -> None:
    supernet, images = supernet_of(tiny_vit), images_for(tiny_vit)
    subnet = supernet.subnet(tiny_vit.spec(tiny_vit.smallest()))
    indices.cache_clear()
    with torch.inference_mode():
        subnet(images)
    assert indices.cache_info().currsize > 0
    subnet(images).sum().backward()
    assert supernet.model.head.weight.grad is not None


def test_in_train_mode_it_is_the_extracted_model_in_train_mode(space) -> None:
    """Batch norms go by the batch, and leave their statistics with the supernet."""
    supernet = supernet_of(space).train()
    spec = space.spec(space.sample(np.random.default_rng(3), 1)[0])
    alone = supernet.extract(spec).train()
    channels = getattr(spec, "in_channels", 1)
    images = torch.randn(6, channels, spec.resolution, spec.resolution)
    expected = alone(images)
    torch.testing.assert_close(supernet.subnet(spec)(images), expected, rtol=1e-5, atol=1e-5)
    for name, tensor in supernet.extract(spec).state_dict().items():
        torch.testing.assert_close(tensor, alone.state_dict()[name], rtol=1e-5, atol=1e-5)
    supernet.eval()
    alone.eval()
    torch.testing.assert_close(supernet.subnet(spec)(images), alone(images), rtol=1e-5, atol=1e-5)


def test_modes_do_not_leak_through_shared_layers(tiny_autovit) -> None:
    supernet, images = supernet_of(tiny_autovit), images_for(tiny_autovit)
    small = tiny_autovit.spec(tiny_autovit.smallest())
    genes = tiny_autovit.smallest()
    genes[-1] = 1  # another classifier, all else shared
    first, second = supernet.subnet(small), supernet.subnet(tiny_autovit.spec(genes))
    supernet.train()
    first(images)
    supernet.eval()
    second(images)
    supernet.train()
    norm = supernet.model.blocks[0].conv.bn
    before = norm.running_mean.clone()
    first(images)
    assert not torch.equal(norm.running_mean, before)
