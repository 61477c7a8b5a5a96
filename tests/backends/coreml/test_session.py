import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from vitprof.backends import BackendError, DeviceTimed, Executable, seeded_input
from vitprof.backends.coreml.convert import coreml_from_module
from vitprof.backends.coreml.package import MODEL, WEIGHTS, pack
from vitprof.backends.coreml.session import COMPUTE_UNITS, CoreMlExecutable, ModelOnThisMac


class ScriptedSession:
    """Stands where Core ML would: doubles its input and says it took 1.5 ms."""

    def __init__(self, package: Path, compute_units: str) -> None:
        assert (package / MODEL).is_file()
        assert (package / WEIGHTS).is_file()
        self.package = package
        self.compute_units = compute_units
        self.ms: float | None = 1.5
        self.closed = 0
        self.seen: list[np.ndarray] = []

    def predict(self, inputs):
        (values,) = inputs.values()
        self.seen.append(values)
        return {"other": values, "output": 2 * values}

    def predict_ms(self):
        return self.ms

    def compute_plan(self):
        raise ValueError("no plan\n here")

    def close(self) -> None:
        self.closed += 1


class Opener:
    def __init__(self, session=ScriptedSession) -> None:
        self.sessions: list[ScriptedSession] = []
        self.session = session

    def __call__(self, package: Path, compute_units: str) -> ScriptedSession:
        self.sessions.append(self.session(package, compute_units))
        return self.sessions[-1]


@pytest.fixture(scope="module")
def artifact() -> bytes:
    return coreml_from_module(nn.Linear(16, 32), (2, 16), "fp16")


def test_the_input_is_filled_once_and_predicted_on(artifact) -> None:
    opener = Opener()
    with CoreMlExecutable(artifact, "cpu+ane", opener) as executable:
        assert isinstance(executable, Executable)
        assert isinstance(executable, DeviceTimed)
        (session,) = opener.sessions
        assert session.compute_units == "CPU_AND_NE"
        executable.run()
        assert len(session.seen) == 2
        assert session.seen[0] is session.seen[1]
        np.testing.assert_array_equal(session.seen[0], seeded_input((2, 16), "fp16"))
        assert executable.device_ms() == 1.5
        (output,) = executable.outputs()
        np.testing.assert_array_equal(output, 2 * session.seen[0])
        output += 1
        np.testing.assert_array_equal(executable.outputs()[0], 2 * session.seen[0])
    assert session.closed == 1
    assert not session.package.exists()


def test_a_closed_executable_says_so_and_leaves_nothing(artifact) -> None:
    opener = Opener()
    executable = CoreMlExecutable(artifact, "all", opener)
    executable.close()
    executable.close()
    assert opener.sessions[0].closed == 1
    assert not opener.sessions[0].package.exists()
    for use in (executable.run, executable.outputs, executable.device_ms, executable.compute_plan):
        with pytest.raises(BackendError, match="closed"):
            use()


def test_a_duration_that_is_not_told_is_never_zero(artifact) -> None:
    opener = Opener()
    with CoreMlExecutable(artifact, "cpu", opener) as executable:
        for ms in (None, 0.0, float("nan")):
            opener.sessions[0].ms = ms
            with pytest.raises(BackendError, match="did not tell how long"):
                executable.device_ms()


def test_what_the_session_raises_is_a_backend_error_on_one_line(artifact) -> None:
    def refuses(package: Path, compute_units: str):
        raise RuntimeError("no\nNeural Engine")

    with pytest.raises(BackendError, match="loading the model into Core ML failed: no Neural"):
        CoreMlExecutable(artifact, "all", refuses)

    class Fails(ScriptedSession):
        def predict(self, inputs):
            raise RuntimeError("out of\nmemory")

    opener = Opener(Fails)
    with pytest.raises(BackendError, match="running the model failed: out of memory"):
        CoreMlExecutable(artifact, "all", opener)
    assert opener.sessions[0].closed == 1
    assert not opener.sessions[0].package.exists()

    with (
        CoreMlExecutable(artifact, "all", Opener()) as executable,
        pytest.raises(BackendError, match="compute plan failed: no plan here"),
    ):
        executable.compute_plan()


def test_a_device_that_went_away_does_not_hide_why(artifact) -> None:
    class Gone(ScriptedSession):
        def predict(self, inputs):
            raise RuntimeError("the device is gone")

        def close(self) -> None:
            raise OSError("nobody answers")

    opener = Opener(Gone)
    with pytest.raises(BackendError, match="the device is gone"):
        CoreMlExecutable(artifact, "all", opener)
    assert not opener.sessions[0].package.exists()


def test_an_output_that_is_missing_is_named(artifact) -> None:
    class Forgets(ScriptedSession):
        def predict(self, inputs):
            return {}

    with (
        CoreMlExecutable(artifact, "all", Opener(Forgets)) as executable,
        pytest.raises(BackendError, match="no output 'output'"),
    ):
        executable.outputs()


@pytest.mark.parametrize("bad", [b"", pack(b"\xff" * 9, None)])
def test_a_hostile_artifact_reaches_no_runtime(bad) -> None:
    opener = Opener()
    with pytest.raises(BackendError):
        CoreMlExecutable(bad, "all", opener)
    assert opener.sessions == []


def test_every_provider_is_compute_units_of_coremltools() -> None:
    import coremltools

    assert set(COMPUTE_UNITS.values()) == {unit.name for unit in coremltools.ComputeUnit}


def test_fp32_inputs_are_fp32() -> None:
    torch.manual_seed(0)
    opener = Opener()
    with CoreMlExecutable(coreml_from_module(nn.Linear(16, 32), (2, 16), "fp32"), "cpu", opener):
        assert opener.sessions[0].seen[0].dtype == np.float32


@pytest.mark.skipif(sys.platform == "darwin", reason="this machine has Core ML")
def test_without_core_ml_coremltools_loads_the_package_but_predicts_nothing(artifact) -> None:
    with pytest.raises(BackendError, match=r"^running the model failed: .*macOS"):
        CoreMlExecutable(artifact, "cpu", ModelOnThisMac)
