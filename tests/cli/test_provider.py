"""ONNX Runtime's other providers: by name, or refused with those that this build has."""

from __future__ import annotations

import onnxruntime
import pytest


@pytest.mark.parametrize("command", ["measure", "bench"])
@pytest.mark.parametrize(
    "provider", ["CUDAExecutionProvider", "CoreMLExecutionProvider", "OpenVINOExecutionProvider"]
)
def test_one_this_build_lacks_is_refused_with_those_it_has(
    run, tmp_path, monkeypatch, command: str, provider: str
) -> None:
    if provider in onnxruntime.get_available_providers():
        pytest.skip(f"this build has {provider}")
    monkeypatch.chdir(tmp_path)
    more = ("--model", "vit-micro-8")
    answer = run(command, *more, "--provider", provider)
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert f"no provider '{provider}'; it has" in answer.err
    assert "CPUExecutionProvider" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_a_slip_of_the_pen_is_recognised(run) -> None:
    answer = run("bench", "--model", "vit-micro-8", "--provider", "CPUExecutionProvidr")
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert "did you mean 'CPUExecutionProvider'?" in answer.err


def test_a_provider_that_cannot_run_a_model_does_not_leave_it_to_the_cpu(run, tmp_path) -> None:
    others = [p for p in onnxruntime.get_available_providers() if p != "CPUExecutionProvider"]
    if "AzureExecutionProvider" not in others:
        pytest.skip("this build has no provider that runs nothing here")
    out = tmp_path / "lut.csv"
    answer = run(
        "measure",
        "--model",
        "vit-micro-8",
        "--models",
        "0",
        "--sessions",
        "1",
        "--provider",
        "AzureExecutionProvider",
        "--out",
        out,
        "--json",
    )
    assert answer.code == 1
    assert len(answer.json["failed"]) == answer.json["points"] > 0
    assert "fallback to CPU EP has been explicitly disabled" in out.read_text()
