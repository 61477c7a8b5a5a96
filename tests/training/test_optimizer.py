"""What AdamW and Muon do to each weight of a model."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from vitprof.errors import UserError
from vitprof.models import create_model
from vitprof.training.optimizer import layer_shares, optimizer_of
from vitprof.training.plan import TrainingPlan

PLAN = TrainingPlan(learning_rate=1.0, weight_decay=0.05)


def test_weight_decay_is_on_matrices_alone(specs) -> None:
    model = create_model(specs["vit"])
    for group in optimizer_of(model, PLAN).param_groups:
        for parameter in group["params"]:
            assert group["weight_decay"] == (0.05 if parameter.ndim > 1 else 0)
            assert group["factor"] == 1


@pytest.mark.parametrize(
    "model_name", ["vit-micro-8", "swin-tiny", "efficientvit-m0", "autovit-xs"]
)
def test_every_block_learns_more_slowly_than_the_next(model_name: str) -> None:
    model = create_model(model_name)
    names = [name for name, _ in model.named_parameters()]
    shares = layer_shares(names, 0.5)
    assert list(shares) == names
    assert shares[names[-1]] == 1  # the head
    assert shares[names[0]] == min(shares.values())
    # Down a model shares rise, each twice the one before, and never fall but for its norm and head.
    steps = sorted(set(shares.values()))
    assert steps == [steps[0] * 2**n for n in range(len(steps))]
    blocks = [share for name, share in shares.items() if name.startswith(("blocks", "layers"))]
    assert blocks == sorted(blocks)
    groups = optimizer_of(model, replace(PLAN, layer_decay=0.5)).param_groups
    by_parameter = {id(p): group["factor"] for group in groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        assert by_parameter[id(parameter)] == shares[name]


def test_shares_of_a_vit_are_powers_from_the_last_block_down() -> None:
    names = ["stem.weight", "blocks.0.qkv.weight", "blocks.0.mlp.0.weight", "blocks.1.x", "head.w"]
    assert layer_shares(names, 0.5) == dict(zip(names, (0.125, 0.25, 0.25, 0.5, 1), strict=True))
    names = ["stages.0.blocks.0.a", "stages.0.blocks.1.a", "stages.1.blocks.0.a", "norm"]
    assert list(layer_shares(names, 0.5).values()) == [0.125, 0.25, 0.5, 1]


def stepped(model, optimizer) -> dict[str, torch.Tensor]:
    """Give every weight the same gradient each time, take a step, and return the changes."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    generator = torch.Generator().manual_seed(0)
    for p in model.parameters():
        p.grad = torch.randn(p.shape, generator=generator)
    optimizer.step()
    return {name: p.detach() - before[name] for name, p in model.named_parameters()}


def test_muon_has_the_matrices_of_blocks_and_adamw_the_rest(specs) -> None:
    plan = replace(PLAN, learning_rate=0.01, weight_decay=0.0)
    torch.manual_seed(0)
    by_adamw = create_model(specs["vit"])
    by_muon = create_model(specs["vit"])
    by_muon.load_state_dict(by_adamw.state_dict())
    plain = stepped(by_adamw, optimizer_of(by_adamw, plan))
    changes = stepped(by_muon, optimizer_of(by_muon, replace(plan, optimizer="muon")))
    for name, change in changes.items():
        is_matrix = name.startswith("blocks.") and change.ndim == 2
        assert torch.equal(change, plain[name]) != is_matrix, name
        if is_matrix:
            # All directions alike, but for what five iterations leave (Jordan et al. 2024).
            values = torch.linalg.svdvals(change)
            assert values[0] < 3 * values[-1], name
            # Liu et al. 2025, eq. 4: 0.2 of the learning rate.
            assert float(change.square().mean().sqrt()) == pytest.approx(0.2 * 0.01, rel=0.3), name


def test_muon_and_adamw_share_one_learning_rate_and_one_state(specs) -> None:
    model = create_model(specs["vit"])
    optimizer = optimizer_of(model, replace(PLAN, optimizer="muon"))
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    assert not any(change.any() for change in stepped(model, optimizer).values())
    assert set(optimizer.state) == set(model.parameters())
    optimizer.zero_grad(set_to_none=True)
    assert all(p.grad is None for p in model.parameters())


def test_a_pytorch_without_muon_is_said(specs, monkeypatch) -> None:
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(UserError, match=r"needs PyTorch 2\.9 or later"):
        optimizer_of(create_model(specs["vit"]), replace(PLAN, optimizer="muon"))


def test_a_model_without_blocks_is_left_to_adamw() -> None:
    optimizer = optimizer_of(torch.nn.Linear(2, 2), replace(PLAN, optimizer="muon"))
    assert isinstance(optimizer, torch.optim.AdamW)
