"""Autocast is taken where the device computes in it."""

from __future__ import annotations

import pytest
import torch
from vitprof.backends.machine import cpu_info
from vitprof.training.plan import TrainingPlan
from vitprof.verbs.autocast import settled, suited_autocast


@pytest.mark.parametrize(("there", "autocast"), [(True, "bf16"), (False, "fp32")])
def test_what_is_left_open_is_what_the_cpu_computes_in(monkeypatch, there, autocast) -> None:
    monkeypatch.setattr(cpu_info, "has_bf16_products", lambda: there)
    device = torch.device("cpu")
    assert suited_autocast(device, "auto") == autocast
    assert suited_autocast(device, "bf16") == "bf16"
    assert suited_autocast(device, "fp32") == "fp32"
    assert settled(TrainingPlan(seed=3, autocast="auto"), device) == TrainingPlan(
        seed=3, autocast=autocast
    )


def test_muon_on_a_device_without_bf16_is_said_to_be_slow(monkeypatch, caplog) -> None:
    plan, device = TrainingPlan(optimizer="muon", autocast="fp32"), torch.device("cpu")
    monkeypatch.setattr(cpu_info, "has_bf16_products", lambda: True)
    assert settled(plan, device) == plan
    assert not caplog.text
    monkeypatch.setattr(cpu_info, "has_bf16_products", lambda: False)
    assert settled(plan, device) == plan
    assert "no bf16 arithmetic" in caplog.text
