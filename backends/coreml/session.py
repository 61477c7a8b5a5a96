"""A Core ML model loaded on this Mac, and the Executable around it or around one elsewhere."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ...closing import Closing
from ...temporary_folder import TemporaryFolder
from ..protocol import BackendError
from ..random_input import seeded_input
from .package import MODEL, unpack
from .program import program_io
from .quiet import quiet_coremltools

if TYPE_CHECKING:
    import numpy as np

# What Core ML may use, by our names of the providers and coremltools' of its ComputeUnit.
COMPUTE_UNITS = {
    "all": "ALL",
    "cpu": "CPU_ONLY",
    "cpu+gpu": "CPU_AND_GPU",
    "cpu+ane": "CPU_AND_NE",
}


class CoreMlSession(Protocol):
    """One model, loaded on this Mac or on a connected device."""

    def predict(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Compute once and return the outputs by name."""

    def predict_ms(self) -> float | None:
        """Return what Core ML itself took for the last prediction, None if it does not tell."""

    def compute_plan(self) -> Any:
        """Return coremltools' MLComputePlan of the model."""

    def close(self) -> None:
        """Give the model back."""


class OpenSession(Protocol):
    """Loads the package at a path for the named compute units; raises any error of Core ML."""

    def __call__(self, package: Path, compute_units: str) -> CoreMlSession: ...


class ModelOnThisMac:
    """The model of a package, compiled and loaded by this Mac's Core ML."""

    def __init__(self, package: Path, compute_units: str) -> None:
        with quiet_coremltools():
            import coremltools

            units = coremltools.ComputeUnit[compute_units]
            self._model: Any = coremltools.models.MLModel(str(package), compute_units=units)

    def predict(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        # The dict is the model's own: coremltools puts float32 copies of float16 arrays into it.
        return self._model.predict(inputs)

    def predict_ms(self) -> float | None:
        nanoseconds = self._model.last_predict_duration_in_nano_seconds
        return None if nanoseconds is None else nanoseconds / 1e6

    def compute_plan(self) -> Any:
        with quiet_coremltools():
            from coremltools.models.compute_plan import MLComputePlan

            return MLComputePlan.load_from_path(
                path=self._model.get_compiled_model_path(),
                compute_units=self._model.compute_unit,
            )

    def close(self) -> None:
        self._model = None


class CoreMlExecutable(Closing):
    """One session of one artifact, with its input filled; its package lies in a folder of its own.

    Core ML's own clock counts: wall time has the copies between Python and Core ML in it, and the
    thread that waits for the GPU or the Neural Engine looks like one that was interrupted.
    """

    def __init__(self, artifact: bytes, provider: str, open_session: OpenSession) -> None:
        self._session: CoreMlSession | None = None
        self._outputs: dict[str, np.ndarray] = {}
        self._folder = TemporaryFolder()
        try:
            package = unpack(artifact, self._folder.path)
            self._io = program_io((package / MODEL).read_bytes())
            self._inputs = {self._io.input_name: seeded_input(self._io.input_shape, self._io.dtype)}
            self._open(package, provider, open_session)
        except BaseException:
            self.close()
            raise

    def _open(self, package: Path, provider: str, open_session: OpenSession) -> None:
        try:
            self._session = open_session(package, COMPUTE_UNITS[provider])
        except Exception as error:
            raise BackendError.because("loading the model into Core ML", error) from error
        self.run()

    def run(self) -> None:
        """Predict once on the bound input. Raises BackendError."""
        try:
            self._outputs = self._loaded.predict(self._inputs)
        except BackendError:
            raise
        except Exception as error:
            raise BackendError.because("running the model", error) from error

    def device_ms(self) -> float:
        """Return what the last `run()` took by Core ML's clock, in ms. Raises BackendError."""
        ms = self._loaded.predict_ms()
        if ms is None or not ms > 0:
            raise BackendError("Core ML did not tell how long the prediction took.")
        return ms

    def outputs(self) -> list[np.ndarray]:
        """Return copies of the last outputs, in the model's order; loading has run once already."""
        import numpy as np

        _ = self._loaded
        missing = [name for name in self._io.output_names if name not in self._outputs]
        if missing:
            raise BackendError(f"Core ML gave no output '{missing[0]}'.")
        return [np.array(self._outputs[name]) for name in self._io.output_names]

    def compute_plan(self) -> Any:
        """Return coremltools' MLComputePlan, of estimates. Raises BackendError."""
        try:
            return self._loaded.compute_plan()
        except BackendError:
            raise
        except Exception as error:
            raise BackendError.because("asking Core ML for its compute plan", error) from error

    @property
    def _loaded(self) -> CoreMlSession:
        if self._session is None:
            raise BackendError("this executable is closed; load the artifact again.")
        return self._session

    def close(self) -> None:
        """Give the model back; a second close does nothing, a later `run()` is a BackendError."""
        session, self._session = self._session, None
        if session is not None:
            # A device that went away meanwhile has given it back already.
            with contextlib.suppress(Exception):
                session.close()
        self._folder.close()
