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
