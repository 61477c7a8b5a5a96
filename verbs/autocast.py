"""In which numbers a model is trained on a device."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..notes import warn

if TYPE_CHECKING:
    import torch

    from ..training.plan import TrainingPlan


def settled(plan: TrainingPlan, device: torch.device) -> TrainingPlan:
    """Return the plan with the autocast that suits the device, where that is left open.

    Says so where the device does not compute in bf16, in which Muon works whatever `autocast` is.
    """
    if plan.optimizer == "muon" and suited_autocast(device, "auto") != "bf16":
        warn(
            "warning: Muon computes in bf16, and this device has no bf16 arithmetic: steps will be "
            "slow; `optimizer` adamw is quicker here."
        )
    return replace(plan, autocast=suited_autocast(device, plan.autocast))


def suited_autocast(device: torch.device, asked: str) -> str:
    """Return what was asked for; for "auto" bf16 where the device computes in it, else fp32.

    bf16 by autocast on a device without it (a CPU before AMX, a T4) is slower than fp32.
    """
    import torch

    from ..backends.machine.cpu_info import has_bf16_products

    if asked != "auto":
        return asked
    on_gpu = device.type == "cuda"
    there = torch.cuda.is_bf16_supported(False) if on_gpu else has_bf16_products()
    return "bf16" if there else "fp32"
