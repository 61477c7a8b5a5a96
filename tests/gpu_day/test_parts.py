"""Each part's logic: on a scripted GPU, and rehearsed with PyTorch on this CPU."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gpuday.findings import Findings
from gpuday.parts import attention, clocks, compiled, engines, machine, two_four, ways
from gpuday.rig import Rig, device_file
from gpuday.stopwatch import Stopwatch, Timed, Variant, check_gpu, say_failures
from vitprof.backends import BackendError, BackendOptions
from vitprof.backends.device_file import devices_from_toml
from vitprof.backends.devices import use_device_files
from vitprof.backends.machine.nvidia_gpus import NvidiaGpu
from vitprof.closing import Closing
from vitprof.models import Block
from vitprof.profiler.sampling.sampling_plan import SamplingPlan
from vitprof.promises import Checked

ANSWERS = (Checked("it runs", "ok"), Checked("it ends", "broken", "it does not"))
BLOCK = Block.of("mlp", embed=32, mlp=64, tokens=5)


class ScriptedGpu:
    """A GPU that needs `ms(options)` for a run, by its own clock, and computes what is asked.

    `refuses` says why options cannot be loaded; `off` is what outputs are multiplied by.
    """

    name, default_provider = "cuda", "eager"

    def __init__(self, ms=lambda _: 1.0, refuses=lambda _: None, off=lambda _: 1.0) -> None:
        self.ms, self.refuses, self.off = ms, refuses, off
        self.modules: list[torch.nn.Module] = []

    def build(self, module, shape, options) -> bytes:
        self.modules.append((module, shape))
        return str(len(self.modules) - 1).encode()

    def pruned(self, module, options):
        return module

    def load(self, artifact: bytes, options):
        if (reason := self.refuses(options)) is not None:
            raise BackendError(reason)
        module, shape = self.modules[int(artifact)]
        return ScriptedSession(module, shape, self.ms(options), self.off(options))


class ScriptedSession(Closing):
    def __init__(self, module, shape, ms: float, off: float) -> None:
        from vitprof.backends.random_input import seeded_input

        with torch.no_grad():
            self.output = off * module(torch.from_numpy(seeded_input(shape, "fp32"))).numpy()
        self.ms = ms

    def run(self) -> None:
        pass

    def device_ms(self) -> float:
        return self.ms

    def outputs(self) -> list[np.ndarray]:
        return [self.output]

    def close(self) -> None:
        pass


@pytest.fixture
def findings(tmp_path: Path) -> Findings:
    return Findings(tmp_path / "findings.json")


@pytest.fixture
def quick(monkeypatch) -> None:
    """As few runs as there can be."""
    plan = SamplingPlan(warmup_runs=1, warmup_ms=0, timed_ms=0, min_runs=3, max_runs=3)
    for part in (ways, two_four, compiled, engines):
        monkeypatch.setattr(part, "Stopwatch", lambda: Stopwatch(plan))


def rig_on(gpu: ScriptedGpu, tmp_path: Path, monkeypatch) -> Rig:
    """Return a rig of an H200 that is scripted, with tiny models."""
    from vitprof.backends import find_device

    rig = Rig(tmp_path, 60)
    rig.__dict__["device"] = find_device("h200")
    monkeypatch.setattr(Rig, "runtime", lambda _: gpu)
    monkeypatch.setattr(Rig, "small_model", "vit-micro-8")
    monkeypatch.setattr(Rig, "large_model", "vit-micro-8")
    return rig


def ms_of_graphs_and_caches(options: BackendOptions) -> float:
    launched = 0.2 if options.graph == "none" else 0.05
    return launched + (0.03 if options.cache == "cold" else 0.0)


def test_ways_has_a_row_for_each_block_and_dtype(quick, findings, tmp_path, monkeypatch) -> None:
    gpu = ScriptedGpu(ms_of_graphs_and_caches)
    ways.run(rig_on(gpu, tmp_path, monkeypatch), findings)
    (table,) = findings.tables
    assert table["columns"][2:6] == [
        "none, warm",
        "none, cold",
        "cuda_graph, warm",
        "cuda_graph, cold",
    ]
    assert len(table["rows"]) == 4 * 3
    assert {row[1] for row in table["rows"]} == {"fp32", "fp16", "bf16"}
    for row in table["rows"]:
        assert row[2:] == ["200.0", "230.0", "50.0", "80.0", "50.0 to 50.0"]
    assert findings.sentences == []


def test_a_variant_that_fails_or_computes_wrongly_has_no_time_and_the_others_do(
    quick, findings, tmp_path, monkeypatch
) -> None:
    gpu = ScriptedGpu(
        refuses=lambda o: "no graph today" if o.graph != "none" and o.cache == "warm" else None,
        off=lambda o: 2.0 if o.cache == "cold" and o.graph == "none" else 1.0,
    )
    ways.run(rig_on(gpu, tmp_path, monkeypatch), findings)
    for row in findings.tables[0]["rows"]:
        assert row[2:] == ["1000.0", "failed", "failed", "1000.0", "1000.0 to 1000.0"]
    # A reason is told once; how wrong an output may be is another in each dtype.
    (refused,) = [one for one in findings.sentences if "no graph today" in one]
    assert "and 11 more: no graph today" in refused
    assert sum("and 3 more: its outputs are wrong" in one for one in findings.sentences) == 3


def test_two_four_compares_both_libraries_with_dense(
    quick, findings, tmp_path, monkeypatch
) -> None:
    dense = ScriptedGpu(lambda _: 0.3)
    libraries = {
        "cusparselt": ScriptedGpu(lambda _: 0.2),
        "cutlass": ScriptedGpu(refuses=lambda _: "CUTLASS has none for this architecture"),
    }
    monkeypatch.setattr(two_four, "CudaBackend", libraries.__getitem__)
    two_four.run(rig_on(dense, tmp_path, monkeypatch), findings)
    (table,) = findings.tables
    assert len(table["rows"]) == 2 * 2 * 2  # attention and mlp, batches, fp16 and bf16
    for row in table["rows"]:
        assert row[3:] == ["300.0", "200.0", "failed", "1.50", ""]
    assert "CUTLASS has none for this architecture" in findings.sentences[-1]


def test_whole_models_are_run_each_way(quick, findings, tmp_path, monkeypatch) -> None:
    gpu = ScriptedGpu(lambda o: 0.1 if o.provider == "compile" else 0.4)
    compiled.run(rig_on(gpu, tmp_path, monkeypatch), findings)
    (table,) = findings.tables
    assert [row[1:3] for row in table["rows"]] == [
        [dtype, batch] for dtype in ("bf16", "fp16", "fp32") for batch in ("1", "32")
    ]
    assert table["rows"][0][3:] == ["400.0", "400.0", "100.0", "100.0"]


def test_of_a_gpu_that_tensorrt_rtx_builds_nothing_for_one_sentence_says_so(
    findings, tmp_path, monkeypatch
) -> None:
    engines.run(rig_on(ScriptedGpu(), tmp_path, monkeypatch), findings)
    assert findings.tables == []
    (said,) = findings.sentences
    assert said.startswith("No engine can be built here: ")
    assert "9.0" in said


def test_what_no_time_is_left_for_is_counted(findings, tmp_path, monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr("gpuday.rig.time.monotonic", lambda: now[0])
    rig, done = Rig(tmp_path, 10.0, started=0.0), []
    for one in rig.in_time([3.0, 3.0, 3.0, 3.0], findings):
        done.append(one)
        now[0] += one
    assert done == [3.0, 3.0, 3.0]  # a fourth would not fit into the second that is left
    assert findings.sentences == ["The time was enough for 3 of 4 rows."]


def test_a_failure_is_told_once_with_how_many_it_hit() -> None:
    said: list[str] = []
    bad = Timed(error="no memory")
    say_failures(said.append, [("a", bad), ("b", Timed(1.0, 1.0, 1.0)), ("c", bad)])
    assert said == ["Failed: a and 1 more: no memory"]


def test_a_gpu_that_is_lost_ends_the_part(monkeypatch) -> None:
    def lost() -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    check_gpu("anything")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    check_gpu("anything")
    monkeypatch.setattr(torch.cuda, "synchronize", lost)
    gpu = ScriptedGpu(refuses=lambda _: "CUDA error")
    with pytest.raises(RuntimeError, match=r"lost .*illegal memory.*after: CUDA"):
        Stopwatch().timed(BLOCK, [Variant(gpu, BackendOptions(provider="eager"))])


@pytest.mark.parametrize(
    ("capability", "dtypes", "sparsity"),
    [
        ("12.0", ("bf16", "fp16", "fp32"), ("dense", "2:4")),
        ("7.5", ("fp16", "fp32"), ("dense",)),
    ],
)
def test_a_gpu_that_vitprof_does_not_know_gets_a_device_file(capability, dtypes, sparsity) -> None:
    gpu = NvidiaGpu('NVIDIA RTX PRO 6000 "X" (Max-Q)', capability)
    found = devices_from_toml(device_file(gpu), "devices.toml")
    (device,) = found.values()
    assert device.is_gpu(gpu)
    assert not device.is_gpu(NvidiaGpu("NVIDIA RTX PRO 6000", capability))
    assert (device.name, device.backend) == ("nvidia-rtx-pro-6000-x-max-q", "cuda")
    assert (device.dtypes, device.sparsity) == (dtypes, sparsity)


def test_where_the_driver_does_not_say_torch_tells_the_capability(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("gpuday.rig.nvidia_gpus", lambda: [NvidiaGpu("NVIDIA Old", None)])
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 0))
    try:
        assert Rig(tmp_path, 60).device.compute_capability == "7.0"
    finally:
        use_device_files()


def test_a_rig_finds_its_gpu_known_or_not(tmp_path, monkeypatch) -> None:
    def gpus(name: str, capability: str):
        monkeypatch.setattr("gpuday.rig.nvidia_gpus", lambda: [NvidiaGpu(name, capability)])
        return Rig(tmp_path, 60)

    known = gpus("NVIDIA H200", "9.0")
    assert (known.device.name, known.is_known) == ("h200", True)
    assert known.best_dtype == "bf16"
    assert not (tmp_path / "devices.toml").exists()
    try:
        unknown = gpus("NVIDIA B300", "10.3")
        assert (unknown.device.name, unknown.is_known) == ("nvidia-b300", False)
    finally:
        use_device_files()


def test_rehearsed_the_blocks_are_timed_and_what_a_cpu_lacks_is_told(
    quick, findings, tmp_path
) -> None:
    rig = Rig(tmp_path, 60, rehearse=True)
    ways.run(rig, findings)
    for row in findings.tables[0]["rows"]:
        assert float(row[2]) > 0
        assert row[3:6] == ["failed"] * 3
    assert any("PyTorch on a CPU has no graph 'cuda_graph'" in one for one in findings.sentences)


def test_rehearsed_attention_is_compared_in_both_modes(findings, tmp_path) -> None:
    attention.run(Rig(tmp_path, 60, rehearse=True), findings)
    assert len(findings.tables) == 2 * 2 * 2
    for table in findings.tables:
        for row in table["rows"]:
            assert float(row[2]) > 0
            assert row[-1] == ""


def test_the_machine_tells_its_versions_and_the_promises_kept(
    findings, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(machine, "check_backend", lambda _: iter(ANSWERS))
    machine.run(Rig(tmp_path, 60, rehearse=True), findings)
    assert findings.facts["torch"] == torch.__version__
    assert findings.tables[0]["rows"] == [
        ["it runs", "ok", ""],
        ["it ends", "broken", "it does not"],
    ]
    assert findings.sentences == ["1 promises are broken."]


def test_clocks_tell_what_the_driver_told(findings, tmp_path, monkeypatch) -> None:
    interval = SimpleNamespace(start_s=0.0, median_ms=1.25, mhz=1980.0, celsius=None)
    report = {
        "throttling_in_words": "none",
        "clock": "NVML",
        "temperature": "NVML",
        "energy": "NVML",
        "runs": 12,
        "first_ms": 2.0,
        "fast_ms": 1.25,
        "steady_ms": 1.25,
        "energy_per_run_j": 0.5,
        "images_per_s": 800.0,
    }
    result = SimpleNamespace(
        title="X without pause",
        report=lambda: report,
        trace=SimpleNamespace(intervals=[interval]),
    )
    asked: dict[str, object] = {}

    def bench(model, **given):
        asked.update(given, model=model)
        return result

    monkeypatch.setattr(clocks.vitprof, "bench", bench)
    clocks.run(rig_on(ScriptedGpu(), tmp_path, monkeypatch), findings)
    assert (asked["device"], asked["backend"], asked["graph"]) == ("h200", "cuda", "cuda_graph")
    assert findings.tables[1]["rows"] == [["0.0", "1.25", "1980", ""]]
    assert findings.sentences[0] == "X without pause. Throttling: none."
