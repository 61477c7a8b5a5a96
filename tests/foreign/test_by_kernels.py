"""Models of families as graphs, and models whose operators have no price."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import vitprof
from small_onnx.foreign_spec import residual_spec
from small_onnx.small_graphs import Small
from vitprof.errors import UserError
from vitprof.foreign.by_kernels import by_kernels
from vitprof.foreign.open_model import open_model
from vitprof.foreign.priced import priced
from vitprof.models import Spec, create_spec
from vitprof.models.families.foreign.spec import ForeignSpec
from vitprof.profiler.plan_for import plan_for_models


@pytest.mark.parametrize("name", ["vit-micro-8", "bert-tiny"])
def test_a_familys_model_is_a_graph_of_the_same_work(name: str) -> None:
    spec = create_spec(name)
    found = by_kernels(spec, batch=2)
    assert found.name == name and found.batch == 2
    assert all(block.op.startswith("kernel_") for block in found.blocks())
    assert not found.unknown
    assert found.macs == pytest.approx(2 * spec.macs, rel=0.02)
    again = by_kernels(spec, batch=2)
    assert again == found and by_kernels(found) is found
    assert found.source is not None
    with torch.no_grad():
        (given,) = (value for _, value in found.source.inputs)  # type: ignore[attr-defined]
        assert found.source.module()(given).shape[0] == 2


def test_kernels_beside_models_means_no_blocks() -> None:
    named = {"for_models": ["vit-micro-8"], "points": 40, "whole_models": 1}
    by_blocks = vitprof.plan(**named)
    assert {model.family for model in by_blocks.models} == {"vit"}
    assert "attention" in {block.op for block in by_blocks.blocks}
    alone = vitprof.plan(**named, kernels=True)
    assert [(model.name, model.family) for model in alone.models] == [("vit-micro-8", "foreign")]
    assert all(block.op.startswith("kernel_") for block in alone.blocks)


def only_unknown(path: Path) -> ForeignSpec:
    g = Small(1, 8, 8)
    path.write_bytes(g.model(g.op("Det", "x")))
    return open_model(str(path))


def test_a_model_of_unknown_operators_alone_has_no_parts(tmp_path: Path) -> None:
    spec = only_unknown(tmp_path / "det.onnx")
    assert spec.parts == () and spec.unknown == ("Det",) and spec.macs == 0
    assert Spec.from_json(spec.to_json()) == spec
    with pytest.raises(UserError, match="'Det' is none that a kernel stands for"):
        priced(spec, (), {})
    with pytest.raises(UserError, match="only 'Det'; there is nothing to predict"):
        priced(spec, (), {}, partial=True)
    row = vitprof.bench(tmp_path / "det.onnx", sessions=1, runs=2).rows[0]
    assert row.latency_ms > 0


def test_no_line_is_fitted_on_what_has_no_price(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    known, unknown = residual_spec(16, 1), only_unknown(tmp_path / "det.onnx")
    plan = plan_for_models([known, unknown])
    assert plan.models == [known]
    assert "det has operators that no kernel stands for (Det)" in caplog.text


@pytest.mark.parametrize("unknown", [3, ["Det", 3], "Det"])
def test_unknown_operators_of_a_file_are_names(unknown: object) -> None:
    with pytest.raises(UserError, match="unknown="):
        ForeignSpec.from_fields({"parts": {}, "unknown": unknown})
