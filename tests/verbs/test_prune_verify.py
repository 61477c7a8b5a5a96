"""`vitprof.prune` with `verify`, by a real runtime."""

from __future__ import annotations

import json

import pytest
import torch
import vitprof
from vitprof.models import ViTSpec, create_model
from vitprof.profiler import remeasure
from vitprof.profiler.place.environment import fingerprint
from vitprof.profiler.target import target_of
from vitprof.spaces.vit import ViTSlabs
from vitprof.tables import LatencyTable, Row
from vitprof.tables.setting import PartialSetting
from vitprof.training.data.datasets import load_dataset
from vitprof.training.model_folder import write_model

pytestmark = pytest.mark.slow

SPEC = ViTSpec.uniform(
    32, 2, 4, mlp=64, resolution=8, patch=2, classes=10, in_channels=1, name="digits-vit"
)


def test_ratios_are_of_what_was_measured_together(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(remeasure, "SESSIONS", 2)
    monkeypatch.setattr(remeasure, "EXTRA_SESSIONS", 0)
    target = target_of(PartialSetting())
    # A table of this machine with milliseconds of another world.
    rows = [
        Row(block, latency_ms=10 + block.macs / 1e3)
        for block in dict.fromkeys(ViTSlabs.covering(SPEC).blocks())
    ]
    table = LatencyTable(rows, target.setting, fingerprint(target))
    torch.manual_seed(0)
    data = load_dataset("digits")
    write_model(create_model(SPEC), tmp_path / "model", data.normalisation)
    run = vitprof.prune(
        tmp_path / "model",
        table,
        target="0.9x",
        data="digits",
        out=tmp_path / "out",
        method="heads",
        groups="heads=1",
        reconstruct=0,
        verify=True,
    )
    base, best = run.base, run.best
    assert 0 < best.measured_ms < best.predicted_ms
    assert best.measured_ratio == best.measured_ms / base.measured_ms
    assert best.predicted_ratio == best.predicted_ms / base.predicted_ms <= 0.9
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["base"]["measured_ms"] == base.measured_ms
    assert report["measured_ratio"] == best.measured_ratio
