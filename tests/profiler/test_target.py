"""From a setting with gaps to a backend: defaults, refusals, and what a table asks for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from vitprof import UserError
from vitprof.profiler.target import (
    builder_of,
    completed,
    open_target,
    open_target_of,
    target_of,
    warn_of_settings,
)
from vitprof.tables import LatencyTable, Setting
from vitprof.tables.setting import PartialSetting


def test_the_cpu_is_the_default_in_its_first_dtype() -> None:
    target = target_of(PartialSetting())
    setting = target.setting
    assert target.backend.name == setting.backend == "onnxruntime"
    assert (setting.provider, setting.dtype, setting.sparsity) == (
        "CPUExecutionProvider",
        "fp32",
        "dense",
    )
    assert target.options.provider == setting.provider


def test_what_a_table_was_measured_with_is_wanted_again() -> None:
    setting = Setting("a100", "cuda", "compile", 4, "bf16", 2, "2:4", "cold", "cuda_graph")
    assert completed(setting) == setting


def test_a_builder_needs_no_device() -> None:
    t4 = builder_of(PartialSetting(device="t4"))
    setting = t4.setting
    assert (setting.backend, setting.provider, setting.dtype) == (
        "tensorrt",
        "tensorrt_rtx",
        "fp16",
    )
    assert t4.options.dtype == "fp16"
    sparse = builder_of(PartialSetting("rtx3080", sparsity="2:4", graph="cuda_graph"))
    assert (sparse.options.sparsity, sparse.options.graph) == ("2:4", "cuda_graph")
    with pytest.raises(UserError, match="'cuda' compiles on the device itself"):
        builder_of(PartialSetting("t4", backend="cuda", dtype="fp32"))


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (PartialSetting("t5"), ["'t5' is not known", "did you mean 't4'"]),
        (PartialSetting("t4"), ["'t4' cannot be measured here", "vitprof build --device t4"]),
        (PartialSetting("t4", dtype="fp32"), ["'fp32'", "its dtypes are fp16"]),
        (PartialSetting(backend="tensorrt"), ["'cpu' is not measured by backend 'tensorrt'"]),
        (PartialSetting(sparsity="2:4"), ["ONNX Runtime has no sparsity '2:4'"]),
        (PartialSetting(graph="cuda_graph"), ["ONNX Runtime has no graph"]),
        (PartialSetting(cache="frozen"), ["cache 'frozen' is not known", "warm or cold"]),
    ],
)
def test_what_cannot_be_is_refused(wanted: PartialSetting, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        target_of(wanted)
    for word in words:
        assert word in str(caught.value)


def test_a_target_is_kept_from_others_while_it_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITPROF_LOCK_DIR", str(tmp_path))
    with open_target(PartialSetting(threads=2), "this test") as target:
        assert target.setting == target_of(PartialSetting(threads=2)).setting
        assert target.options.threads == 2
        assert json.loads((tmp_path / "host.lock").read_text())["command"] == "this test"
    assert (tmp_path / "host.lock").read_bytes() == b""


def test_a_table_of_another_machine_is_no_target(tmp_path: Path) -> None:
    setting = target_of(PartialSetting()).setting
    table = LatencyTable([], setting, {"machine": {"cpu": "another"}}, source="there.csv")
    with (
        pytest.raises(UserError, match=r"there\.csv was measured on another machine"),
        open_target_of(table, "this test"),
    ):
        pytest.fail("it was opened")


def test_more_threads_than_any_machine_has_are_refused_and_hazards_are_warned_of(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"threads is 1,000,000, more than .* VITPROF_MOST_THREADS"):
        target_of(PartialSetting(threads=1_000_000))
    monkeypatch.setenv("VITPROF_MOST_THREADS", "1000")
    with (
        caplog.at_level("WARNING", logger="vitprof"),
        open_target(PartialSetting(threads=1000), "this test"),
    ):
        pass
    assert any("1000 threads" in record.getMessage() for record in caplog.records)


@pytest.mark.slow
@pytest.mark.parametrize(("lacking", "dtype"), [(True, "int8"), (False, "int8"), (True, "fp32")])
def test_what_options_do_on_this_machine_is_warned_of(
    lacking: bool, dtype: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vitprof.backends.pytorch.backend.lacks_avx512_vnni", lambda: lacking)
    wanted = PartialSetting(backend="torch", dtype=dtype)
    with caplog.at_level("WARNING", logger="vitprof"), open_target(wanted, "this test"):
        pass
    said = any("no AVX512-VNNI" in record.getMessage() for record in caplog.records)
    assert said is (lacking and dtype == "int8")


def test_settings_of_other_processes_are_warned_of_once_each(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vitprof.backends.pytorch.backend.lacks_avx512_vnni", lambda: True)
    ways = [("torch", "fp32"), ("torch", "int8"), ("onnxruntime", "int8"), ("litert", "int8")]
    with caplog.at_level("WARNING", logger="vitprof"):
        warn_of_settings(
            PartialSetting(backend=backend, dtype=dtype, threads=threads)
            for backend, dtype in ways
            for threads in (1, 2)
        )
    (record,) = caplog.records
    assert "no AVX512-VNNI" in record.getMessage()


def test_gaps_are_filled_by_the_device_and_nothing_else_changes() -> None:
    partial = PartialSetting(batch=4, threads=2, cache="cold")
    assert completed(partial) == Setting("cpu", "onnxruntime", "", 4, "fp32", 2, cache="cold")
    assert completed(PartialSetting("rtx3080", "cuda")).dtype == "fp16"
    with pytest.raises(TypeError):
        Setting()  # type: ignore[call-arg]
