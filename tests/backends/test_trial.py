"""Models that crash, take all memory or never end, in a process of their own."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from onnx import helper, numpy_helper
from small_onnx.hostile import endless, greedy, honest, model_of
from vitprof.backends import BackendError, OnnxRuntimeBackend, trial
from vitprof.backends.trial import stop_trials, try_artifact

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def processes_end() -> Iterator[None]:
    stop_trials()
    yield
    stop_trials()


def test_an_honest_model_is_run_and_its_process_tries_the_next() -> None:
    try_artifact("onnxruntime", honest())
    first = trial._running["onnxruntime"]
    try_artifact("onnxruntime", honest())
    assert trial._running["onnxruntime"] is first
    assert first.runs()
    stop_trials()
    assert not first.runs()


def test_a_process_that_ends_idle_as_an_artifact_comes_is_started_again(monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(trial, "PROGRAM", "pass")  # ends at once, as one that was idle
        trial._running["onnxruntime"] = ended = trial.Trial("onnxruntime")
    monkeypatch.setattr(ended, "runs", lambda: True)  # as it did a moment before
    try_artifact("onnxruntime", honest())
    assert trial._running["onnxruntime"] is not ended


def test_one_that_does_not_end_is_stopped(monkeypatch) -> None:
    monkeypatch.setenv("VITPROF_LONGEST_TRIAL", "3")
    with pytest.raises(BackendError, match="after 3 s; VITPROF_LONGEST_TRIAL lifts the limit"):
        try_artifact("onnxruntime", endless())
    try_artifact("onnxruntime", honest())


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux keeps the limit")
def test_one_that_takes_all_memory_is_refused(monkeypatch) -> None:
    monkeypatch.setenv("VITPROF_MEMORY_LIMIT", "1GiB")
    with pytest.raises(BackendError, match=r"more than 1 GiB of memory .*VITPROF_MEMORY_LIMIT"):
        OnnxRuntimeBackend().check_artifact(greedy())
    OnnxRuntimeBackend().check_artifact(honest())


def test_a_crash_of_the_runtime_is_a_sentence(monkeypatch) -> None:
    crash = f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})"
    with monkeypatch.context() as patch:
        patch.setattr(trial, "PROGRAM", crash)
        with pytest.raises(BackendError, match=r"ONNX Runtime crashes on this model .* -11"):
            try_artifact("onnxruntime", honest())
    try_artifact("onnxruntime", honest())


def test_what_the_runtime_refuses_in_words_it_says_itself() -> None:
    """Another provider may take the model: whoever loads it gets the words."""
    weights = numpy_helper.from_array(np.ones((3, 3), np.float32), "w")
    wrong = model_of([helper.make_node("MatMul", ["x", "w"], ["y"])], (1, 3), weights)
    try_artifact("onnxruntime", wrong)


def test_an_interrupted_trial_does_not_answer_for_the_next(monkeypatch) -> None:
    try_artifact("onnxruntime", honest())
    with monkeypatch.context() as patch:

        def interrupted(*arguments: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(trial.select, "select", interrupted)
        with pytest.raises(KeyboardInterrupt):
            try_artifact("onnxruntime", honest())
    monkeypatch.setenv("VITPROF_LONGEST_TRIAL", "3")
    with pytest.raises(BackendError, match="after 3 s"):
        try_artifact("onnxruntime", endless())
