"""The process that runs what was built, answering in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from vitprof.backends import BackendError, BackendOptions
from vitprof.profiler.runtimes import runner
from vitprof.profiler.runtimes.runner import Runner


class Session:
    """An Executable that tells the precision it computes in, and its delegated share."""

    def __init__(self, precision: str) -> None:
        self.precision = precision
        self.is_open = True

    def run(self) -> None:
        pass

    def outputs(self) -> list[np.ndarray]:
        return [np.array([[1.0, 2.0]], np.float32)]

    def effective_dtype(self) -> str:
        return self.precision

    def delegated_share(self) -> float:
        return 0.75

    def close(self) -> None:
        self.is_open = False


class Target:
    """Loads a session that computes in what the artifact's text says."""

    options = BackendOptions(threads=1, dtype="fp32")

    def __init__(self) -> None:
        self.opened: list[Session] = []

    @property
    def backend(self) -> Target:
        return self

    def load(self, artifact: bytes, options: BackendOptions) -> Session:
        self.opened.append(Session(artifact.decode()))
        return self.opened[-1]


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Target:
    target = Target()
    monkeypatch.setattr(runner, "target_of", lambda _: target)
    return target


def opened(tmp_path: Path, precision: str) -> tuple[Runner, dict[str, Any]]:
    path = tmp_path / "a.artifact"
    path.write_text(precision)
    runner = Runner()
    session = runner.answer({"do": "open", "path": str(path), "setting": {"threads": 1}})
    return runner, {"session": session["session"], "out": str(tmp_path / "out.npz")}


def test_a_session_is_opened_run_and_closed(target: Target, tmp_path: Path) -> None:
    runner, of = opened(tmp_path, "fp32")
    told = runner.answer({"do": "outputs", **of})
    assert told == {"delegated": 0.75, "computes_in": "fp32"}
    assert np.load(of["out"])["arr_0"].tolist() == [[1.0, 2.0]]
    assert runner.answer({"do": "run", **of})["wall_ms"] >= 0
    runner.answer({"do": "close", **of})
    assert not target.opened[0].is_open


def test_a_coarser_precision_than_asked_for_is_refused(target: Target, tmp_path: Path) -> None:
    runner, of = opened(tmp_path, "bf16")
    with pytest.raises(BackendError, match="computes in bf16"):
        runner.answer({"do": "outputs", **of})
    assert not Path(of["out"]).exists()
