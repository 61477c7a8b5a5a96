"""`vitprof.compare_runtimes` with real runtimes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import vitprof
from vitprof import ViTSpec, create_spec
from vitprof.errors import UserError

TINY = ViTSpec.uniform(
    name="tiny", resolution=32, patch=8, embed=64, depth=2, heads=2, mlp=128, classes=10
)


@pytest.mark.slow
@pytest.mark.long
def test_two_runtimes_compute_the_same_and_both_are_timed() -> None:
    found = vitprof.compare_runtimes(TINY, ["onnxruntime", "torch"], sessions=2)
    assert [one.runtime for one in found.facts] == ["onnxruntime", "torch"]
    for one in found.facts:
        assert one.is_measured, one.error
        assert one.output_error < 1e-4
        assert one.latency_ms > 0 and one.load_ms > 0 and one.peak_bytes > 10_000_000
    assert len(found.advice) == 1 and found.advice[0].startswith("tiny: ")


@pytest.mark.slow
def test_what_a_dtype_does_on_this_machine_is_warned_of(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vitprof.backends.pytorch.backend.lacks_avx512_vnni", lambda: True)
    # Without VNNI measuring it takes 20 s.
    monkeypatch.setattr("vitprof.profiler.runtimes.measure.measure_runtimes", lambda *_, **__: [])
    with caplog.at_level("WARNING", logger="vitprof"):
        vitprof.compare_runtimes(other("first"), ["torch"], dtype="int8", sessions=1)
    assert sum("no AVX512-VNNI" in record.getMessage() for record in caplog.records) == 1


@pytest.mark.long
def test_a_dtype_may_be_for_one_runtime_alone() -> None:
    found = vitprof.compare_runtimes(
        other("first"), ["onnxruntime", "openvino"], dtype=["fp32", "openvino=fp16"], sessions=1
    )
    assert [(one.runtime, one.dtype) for one in found.facts] == [
        ("onnxruntime", "fp32"),
        ("openvino", "fp32"),
        ("openvino", "fp16"),
    ]
    assert not found.missing


def other(name: str, width: int = 64) -> ViTSpec:
    return ViTSpec.uniform(
        name=name, resolution=32, patch=8, embed=width, depth=1, heads=2, mlp=128, classes=10
    )


@pytest.mark.slow
@pytest.mark.long
def test_what_was_stopped_goes_on_from_its_facts(tmp_path: Path) -> None:
    facts = tmp_path / "facts.jsonl"
    runs: list[str] = []

    def stop(stage: str, done: int, total: int, at: str) -> None:
        if stage == "measuring in turns" and at == "second":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vitprof.compare_runtimes(
            [other("first"), other("second")],
            "onnxruntime",
            sessions=1,
            facts=facts,
            progress=stop,
        )
    kept = facts.read_text()
    assert [json.loads(line).get("model") for line in kept.splitlines()] == [None, "first"]
    found = vitprof.compare_runtimes(
        [other("first"), other("second")],
        "onnxruntime",
        sessions=1,
        facts=facts,
        progress=lambda stage, done, total, at: runs.append(at),
    )
    assert [one.model for one in found.facts] == ["first", "second"]
    assert facts.read_text().startswith(kept)
    assert not any(at.startswith("first") for at in runs)
    # All that is asked is there: nothing is built or run.
    again = vitprof.compare_runtimes(other("second"), "onnxruntime", sessions=1, facts=facts)
    assert list(again.facts) == list(found.facts[1:])


def test_a_python_without_vitprof_is_refused(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho \"No module named 'vitprof'\" >&2\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(UserError, match="has no vitprof; install it there"):
        vitprof.compare_runtimes(TINY, "torch", environments={"torch": str(python)})


def test_a_runtime_that_measures_no_cpu_is_refused() -> None:
    with pytest.raises(UserError, match="coreml, which does not measure a CPU"):
        vitprof.compare_runtimes(TINY, "coreml")


def test_artifacts_that_are_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("")
    with pytest.raises(UserError, match="not a folder to keep artifacts in"):
        vitprof.compare_runtimes(TINY, "torch", artifacts=tmp_path / "kept")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"dtype": "float32"}, "dtype 'float32' is not known"),
        ({"dtype": "openvin=int8"}, r"backend that is not known \(did you mean 'openvino'\?\)"),
        ({"dtype": "openvino=int9"}, "dtype 'int9' is not known"),
        (
            {"runtimes": "onnxruntime", "dtype": ["fp32", "openvino=int8-static"]},
            "'openvino=int8-static' is of a runtime that is not compared",
        ),
        ({"sessions": 0}, "`sessions` is 0"),
        ({"runtimes": "onnx"}, "backend 'onnx' is not known"),
    ],
)
def test_bad_input_is_one_sentence(given: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        vitprof.compare_runtimes(TINY, **given)  # type: ignore[arg-type]


def test_two_models_of_one_name_are_refused() -> None:
    with pytest.raises(UserError, match="two of the models have one name"):
        vitprof.compare_runtimes([create_spec("deit-tiny")] * 2, "onnxruntime")
