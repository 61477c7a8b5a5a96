"""`vitprof.breakdown`, for real on the smallest model."""

from __future__ import annotations

from pathlib import Path

import pytest
import vitprof
from vitprof.profiler.breakdown.classes import CLASSES


def test_the_parts_add_up_and_are_drawn(tmp_path: Path) -> None:
    result = vitprof.breakdown("vit-micro-8", sessions=1, runs=3, warmup=1, top=2)
    frame = result.to_frame()
    assert list(frame["class"]) == list(CLASSES)
    assert frame["share"].sum() == pytest.approx(1)
    assert frame["ms"].sum() == pytest.approx(frame["latency_ms"][0])
    (one,) = result.report()["models"]
    assert len(one["nodes"]) == 2
    assert result.report()["setting"] == result.setting.as_dict()
    assert repr(result).startswith("Run time by class of operation: onnxruntime, fp32, batch 1")
    assert "<table" in result._repr_html_()
    result.plot(tmp_path / "parts.svg")
    assert (tmp_path / "parts.svg").read_bytes().startswith(b"<?xml")


def test_what_tells_no_nodes_time_is_refused(refused) -> None:
    with refused("'t4' cannot be broken down", "`device` is cpu"):
        vitprof.breakdown("vit-micro-8", device="t4")
    with refused("trch", "did you mean 'torch'", "`backend` is onnxruntime or torch"):
        vitprof.breakdown("vit-micro-8", backend="trch")
