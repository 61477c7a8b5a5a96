"""The backend where ExecuTorch is not installed, and what needs no runtime of it.

With the runtime: tests/executorch_env, by `make test-runtimes`.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from vitprof import UserError
from vitprof.backends import BackendError, BackendOptions, find_device
from vitprof.backends.executorch import backend as executorch
from vitprof.backends.executorch import pool
from vitprof.backends.executorch.backend import ExecuTorchBackend
from vitprof.backends.executorch.native_words import native_words
from vitprof.backends.registry import backend_kind

absent = pytest.mark.skipif(
    importlib.util.find_spec("executorch") is not None, reason="ExecuTorch is installed"
)


def options(**others) -> BackendOptions:
    return BackendOptions(**{"provider": "xnnpack", **others})


@pytest.fixture
def here(monkeypatch) -> ExecuTorchBackend:
    """The backend as it is where ExecuTorch is installed."""
    monkeypatch.setattr(executorch.ExecuTorchBackend, "unavailable", lambda self: None)
    return ExecuTorchBackend()


@absent
def test_without_it_one_sentence_says_how_to_get_it() -> None:
    for reason in (ExecuTorchBackend().unavailable(), ExecuTorchBackend().unbuildable()):
        assert reason is not None
        assert "ExecuTorch is not installed here" in reason
        assert "pip install 'vitprof[executorch]'" in reason
    with pytest.raises(UserError, match="environment of its own"):
        ExecuTorchBackend().check(options())


def test_it_measures_this_cpu() -> None:
    cpu = find_device("cpu")
    assert cpu.dtypes_by("executorch") == ("fp32", "int8", "int8-static")
    assert "executorch" not in find_device("t4").backends
    kind = backend_kind("executorch")
    assert (kind.suffix, kind.programs, kind.rerun_with) == ("pte", True, ("threads",))


def test_options_that_it_has_not_are_refused(here) -> None:
    here.check(options(threads=2))
    here.check(options(dtype="int8-static"))
    here.check(options(provider="portable"))
    for wrong, words in (
        ({"provider": "xnnpck"}, "did you mean 'xnnpack'"),
        ({"dtype": "fp16"}, "fp32, int8, int8-static, not in fp16"),
        ({"dtype": "int8", "provider": "portable"}, "portable kernels compute in fp32 only"),
        ({"sparsity": "2:4"}, "has no sparsity"),
        ({"optimization": "basic"}, "no levels of graph optimization"),
    ):
        with pytest.raises(UserError, match=words):
            here.check(options(**wrong))


def test_the_pool_is_not_made_anew_below_open_sessions(monkeypatch) -> None:
    class Runtime:
        threads = 2

        def _threadpool_get_thread_count(self) -> int:
            return self.threads

        def _unsafe_reset_threadpool(self, threads: int) -> None:
            self.threads = threads

    runtime = Runtime()
    monkeypatch.setattr(pool, "runtime", lambda: runtime)
    pool.set_threads(1)
    assert runtime.threads == 1

    class Session:
        pass

    session = Session()
    pool.keep(session)
    pool.set_threads(1)
    with pytest.raises(BackendError, match="one pool of threads a process, and sessions with 1"):
        pool.set_threads(2)
    assert runtime.threads == 1
    pool.let_go(session)
    pool.set_threads(2)
    assert runtime.threads == 2


def test_a_pool_that_does_not_obey_is_told(monkeypatch) -> None:
    stubborn = SimpleNamespace(
        _threadpool_get_thread_count=lambda: 2, _unsafe_reset_threadpool=lambda threads: None
    )
    monkeypatch.setattr(pool, "runtime", lambda: stubborn)
    with pytest.raises(BackendError, match="has 2 threads where 1 were asked for"):
        pool.set_threads(1)


def test_what_native_code_writes_is_kept_from_the_terminal(capfd) -> None:
    with native_words() as words:
        os.write(2, b"an error occurred\n")
    os.write(2, b"afterwards\n")
    assert words.text == "an error occurred\n"
    assert capfd.readouterr().err == "afterwards\n"


def test_importing_the_backend_imports_no_torch() -> None:
    code = (
        "import sys, vitprof.backends.executorch.backend\n"
        "print([name for name in ('torch', 'executorch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
