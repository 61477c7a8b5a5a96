"""Small models with random weights, and tables that no machine measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from vitprof.compress.budget import Budget, Unit
from vitprof.compress.goal import Goal
from vitprof.compress.run import PruningContext, TrainingContext
from vitprof.compress.targets import parse_targets
from vitprof.models import Spec, SwinSpec, VggSpec, ViTSpec, create_model
from vitprof.models.block import Block
from vitprof.progress import OnProgress, no_progress
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.training.plan import TrainingPlan
from vitprof.training.saved_run import SavedRun

VIT = ViTSpec.uniform(
    64, 3, 4, mlp=64, qk=32, v=32, resolution=16, patch=4, classes=5, name="small-vit"
)
DISTILLED = ViTSpec.uniform(
    32, 2, 4, mlp=64, resolution=16, patch=4, classes=5, distilled=True, name="small-deit"
)
SWIN = SwinSpec.uniform(
    16, [2, 2], [2, 4], mlp_ratio=2, resolution=32, window=4, classes=5, name="small-swin"
)
VGG = VggSpec(
    stages=((16, 24), (32, 16)),
    hidden=(20, 12),
    pooled=2,
    resolution=16,
    classes=5,
    name="small-vgg",
)


torch.set_num_threads(1)  # quicker for models as small as these


def randomised(spec: Spec, seed: int = 0) -> nn.Module:
    """Return a model whose biases and norms are random too, so that none hides a mistake.

    So are the statistics of batch norms.
    """
    torch.manual_seed(seed)
    model = create_model(spec)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 2.0)
    return model


def table_of(blocks: Sequence[Block], ms: Callable[[Block], float]) -> LatencyTable:
    """Return a table without calibration in which a block takes `ms`."""
    rows = []
    for block in dict.fromkeys(blocks):
        time = ms(block)
        rows.append(
            Row(
                block,
                latency_ms=time,
                low_ms=0.99 * time,
                high_ms=1.01 * time,
                min_ms=time,
                p10_ms=time,
                p90_ms=time,
                p99_ms=time,
                session_ms=(time,) * 3,
                samples=30,
            )
        )
    return LatencyTable(rows, Setting("cpu", "onnxruntime", "CPUExecutionProvider"))


@pytest.fixture
def linear_table() -> LatencyTable:
    """Of `VIT` and all that is narrower: 1 ms a MMAC and 0.01 ms a block."""
    from vitprof.spaces.vit import ViTSlabs

    space = ViTSlabs.covering(VIT)
    return table_of(space.blocks(), lambda block: block.macs / 1e6 + 0.01)


def context_of(
    model: nn.Module,
    training: TrainingContext,
    folder: Path,
    table: LatencyTable,
    targets: str,
    unit: Unit = "latency",
    credit: Unit | None = None,
    spec: Spec | None = None,
    score: str = "",
    seed: int = 0,
    plan: TrainingPlan | None = None,
    on_progress: OnProgress = no_progress,
    two_four: Callable[[nn.Module], object] | None = None,
    **goal: Any,
) -> PruningContext:
    """Return what a run of pruning is given; goal: groups, only, kinds, by_units of a `Goal`.

    credit: what removing is credited with, the target's unit where it is not given; spec: whose
    cost counts, where that is not the model's own.
    """
    whose: Any = spec or model.spec
    budget = Budget(table, unit)
    parsed = parse_targets(targets, float(budget.of([whose])[0]), unit)
    return PruningContext(
        model.eval(),
        Goal.of(whose, parsed, budget, **goal),
        Budget(table, credit or unit),
        training,
        score,
        seed,
        SavedRun(folder, {"targets": targets}),
        plan,
        two_four,
        on_progress,
    )
