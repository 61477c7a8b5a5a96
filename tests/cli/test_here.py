"""From the command line's words to a backend: defaults, refusals, and what a table asks for."""

from __future__ import annotations

import dataclasses

import pytest
from vitprof import UserError
from vitprof.cli.here import Wanted, open_builder, open_device
from vitprof.tables import Setting


def test_the_cpu_is_the_default_in_its_first_dtype() -> None:
    backend, setting, options = open_device(Wanted())
    assert backend.name == setting.backend == "onnxruntime"
    assert (setting.provider, setting.dtype, setting.sparsity) == (
        "CPUExecutionProvider", "fp32", "dense",
    )  # fmt: skip
    assert options.provider == setting.provider


def test_what_a_table_was_measured_with_is_wanted_again() -> None:
    setting = Setting("a100", "cuda", "compile", 4, "bf16", 2, "2:4", "cold", "cuda_graph")
    wanted = Wanted.like(setting)
    assert dataclasses.asdict(wanted) == setting.as_dict()


def test_a_builder_needs_no_device() -> None:
    backend, setting, options = open_builder(Wanted(device="t4"))
    assert (backend.name, setting.provider, setting.dtype) == ("tensorrt", "tensorrt_rtx", "fp16")
    assert options.dtype == "fp16"
    _, setting, options = open_builder(Wanted("rtx3080", sparsity="2:4", graph="cuda_graph"))
    assert (options.sparsity, options.graph) == (setting.sparsity, setting.graph)
    backend, setting, _ = open_builder(Wanted("t4", backend="cuda", dtype="fp32"))
    assert (backend.name, setting.provider) == ("cuda", "eager")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted("t5"), ["'t5' is not known", "did you mean 't4'"]),
        (Wanted("t4"), ["'t4' cannot be measured here", "vitprof build --device t4"]),
        (Wanted("t4", dtype="fp32"), ["'fp32'", "its dtypes are fp16"]),
        (Wanted(backend="tensorrt"), ["'cpu' is not measured by backend 'tensorrt'"]),
        (Wanted(sparsity="2:4"), ["ONNX Runtime has no sparsity '2:4'"]),
        (Wanted(graph="cuda_graph"), ["ONNX Runtime has no graph"]),
        (Wanted(cache="frozen"), ["cache 'frozen' is not known", "warm or cold"]),
    ],
)
def test_what_cannot_be_is_refused(wanted: Wanted, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        open_device(wanted)
    for word in words:
        assert word in str(caught.value)


def test_the_command_line_says_so_too(run) -> None:
    answer = run("bench", "--model", "deit-tiny", "--device", "t4")
    assert answer.code == 2
    assert answer.is_one_sentence
    assert "Tesla T4" in answer.err
    answer = run("measure", "--sparsity", "2:4")
    assert (answer.code, answer.is_one_sentence) == (2, True)
    answer = run("measure", "--backend", "tensort")
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert "its backend is onnxruntime" in answer.err
