"""Models that would take all memory or never end are failed points; the others are measured."""

from __future__ import annotations

from pathlib import Path

import pytest
import vitprof
from small_onnx.hostile import endless, greedy, honest
from vitprof.backends import OnnxRuntimeBackend
from vitprof.backends.trial import stop_trials
from vitprof.errors import UserError
from vitprof.foreign.open_model import open_model
from vitprof.profiler.measure import measure_models
from vitprof.profiler.sampling.protocol import fixed_protocol
from vitprof.profiler.target import Target
from vitprof.tables import Setting

pytestmark = pytest.mark.slow
TARGET = Target(OnnxRuntimeBackend(), Setting("cpu", "onnxruntime", "CPUExecutionProvider"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    stop_trials()  # the next one has the limits below
    monkeypatch.setenv("VITPROF_LONGEST_TRIAL", "3")
    monkeypatch.setenv("VITPROF_MEMORY_LIMIT", "1GiB")
    for make in (endless, greedy, honest):
        (tmp_path / f"{make.__name__}.onnx").write_bytes(make())
    return tmp_path


def test_the_others_are_measured(folder: Path) -> None:
    specs = [open_model(str(folder / f"{name}.onnx")) for name in ("endless", "greedy", "honest")]
    rows = measure_models(specs, TARGET, protocol=fixed_protocol(1, 1, 3, 1)).rows
    assert [row.verdict for row in rows[:2]] == ["failed", "failed"]
    assert "VITPROF_LONGEST_TRIAL lifts the limit" in rows[0].error
    assert "VITPROF_MEMORY_LIMIT" in rows[1].error
    assert rows[2].latency_ms > 0


def test_bench_measures_the_others(folder: Path) -> None:
    models = [folder / f"{name}.onnx" for name in ("endless", "honest", "greedy")]
    found = vitprof.bench(models, sessions=1, runs=3)
    assert [one["model"] for one in found.models] == ["honest"]
    assert found.models[0]["latency_ms"] > 0
    assert [one.model for one in found.failed] == [f"'{models[0]}'", f"'{models[2]}'"]
    assert "VITPROF_LONGEST_TRIAL lifts the limit" in found.failed[0].error
    with pytest.raises(UserError, match=r"endless\.onnx' cannot be run here: "):
        vitprof.bench([models[0], models[2]], sessions=1, runs=3)


@pytest.mark.parametrize("name", ["endless", "greedy"])
def test_no_file_is_made_of_it(folder: Path, name: str) -> None:
    out = folder / "files"
    with pytest.raises(UserError, match=rf"^{name} cannot be run here: .* lifts the limit\.$"):
        vitprof.quantize(folder / f"{name}.onnx", out=out)
    assert not out.exists()
