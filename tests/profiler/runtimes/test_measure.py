"""Building, testing and timing by several candidates, with scripted processes and real ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from vitprof.backends import BackendError
from vitprof.profiler.deployed.footprint import Footprint
from vitprof.profiler.deployed.process_memory import ProcessMemory
from vitprof.profiler.runtimes import measure
from vitprof.profiler.runtimes.candidate import Candidate, Way
from vitprof.profiler.runtimes.facts import RuntimeFacts
from vitprof.profiler.runtimes.measure import AskedModel, measure_runtimes

EXACT = np.array([[1.0, 2.0, 3.0]], np.float32)
# What each runtime of the script does: its run in ms, its outputs, and the run that breaks it.
SCRIPT: dict[str, dict[str, Any]] = {
    "onnxruntime": {"ms": 10.0, "outputs": EXACT},
    "torch": {"ms": 20.0, "outputs": EXACT},
    "openvino": {"ms": 5.0, "outputs": EXACT * 1.1},
    "litert": {"ms": 5.0, "outputs": EXACT, "breaks_at": 3},
    "executorch": {"ms": 5.0, "outputs": EXACT, "refuses": "it computes in bf16"},
}


class Builder:
    """Writes a file with the backend's name; the module's outputs are EXACT."""

    def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        backend = fields["setting"]["backend"]
        if fields["model"]["spec"]["name"] == "refused":
            raise BackendError(f"{backend} has no operator Foo")
        out = Path(fields["out"])
        out.with_suffix(".artifact").write_text(backend)
        np.savez(out.with_suffix(".npz"), EXACT)
        setting = {**fields["setting"], "provider": "p"}
        return {"bytes": 100, "build_s": 0.1, "setting": setting, "exact": True}


class Runner:
    """Answers as SCRIPT says for the backend named in the opened file."""

    def __init__(self, python: str, module: str) -> None:
        self.runs = 0

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        if do == "open":
            self.script = SCRIPT[Path(fields["path"]).read_text()]
            return {"session": 1}
        if do == "outputs":
            if "refuses" in self.script:
                raise BackendError(self.script["refuses"])
            np.savez(fields["out"], self.script["outputs"])
            return {"computes_in": "fp32"}
        if do == "run":
            self.runs += 1
            if self.runs == self.script.get("breaks_at"):
                raise BackendError("its process ended with signal 11")
            ms = self.script["ms"]
            return {"wall_ms": ms, "cpu_ms": ms, "preemptions": 0}
        return {}


@pytest.fixture(autouse=True)
def _scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "Child", Runner)
    footprint = Footprint(3.0, ProcessMemory(100, 40), 7.0)
    monkeypatch.setattr(measure, "footprint_of_file", lambda *_: footprint)


def measured(folder: Path, *backends: str, models: tuple[str, ...] = ("m",)) -> list[RuntimeFacts]:
    candidates = [Candidate(Way(backend), "fp32") for backend in backends]
    asked = [AskedModel(name, {"spec": {"name": name}}) for name in models]
    builders: Any = {sys.executable: Builder()}
    return measure_runtimes(asked, candidates, builders, folder, sessions=2)


def test_latencies_are_those_of_the_runtimes_own_processes(tmp_path: Path) -> None:
    one, other = measured(tmp_path, "onnxruntime", "torch")
    assert (one.verdict, other.verdict) == ("measured", "measured")
    assert (one.latency_ms, other.latency_ms) == (10.0, 20.0)
    assert one.cores == 1.0 and one.output_error == 0.0
    assert (one.file_bytes, one.load_ms, one.first_run_ms) == (100, 3.0, 7.0)
    assert (one.peak_bytes, one.model_bytes) == (100, 60)


def test_wrong_outputs_have_no_time(tmp_path: Path) -> None:
    good, wrong = measured(tmp_path, "onnxruntime", "openvino")
    assert good.is_measured and not wrong.is_measured
    assert np.isnan(wrong.latency_ms) and wrong.output_error == pytest.approx(0.1, rel=1e-3)
    assert "its outputs differ from fp32's by 0.1" in wrong.error


def test_what_refuses_its_first_run_has_no_time(tmp_path: Path) -> None:
    _, coarse = measured(tmp_path, "onnxruntime", "executorch")
    assert not coarse.is_measured and "bf16" in coarse.error


def test_what_breaks_while_it_is_timed_leaves_the_others(tmp_path: Path) -> None:
    good, broken = measured(tmp_path, "onnxruntime", "litert")
    assert good.is_measured and good.latency_ms == 10.0
    assert not broken.is_measured and "signal 11" in broken.error


def test_what_cannot_be_built_says_why_and_the_next_model_goes_on(tmp_path: Path) -> None:
    refused, after = measured(tmp_path, "torch", models=("refused", "m"))
    assert refused.error == "torch has no operator Foo"
    assert after.is_measured and after.latency_ms == 20.0
