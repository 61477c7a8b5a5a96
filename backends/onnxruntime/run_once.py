"""One run of an ONNX model of somebody else, in the process of a trial."""

from __future__ import annotations

from ..protocol import BackendError, BackendOptions
from ..trial import lacks_memory
from .backend import OnnxRuntimeExecutable


def run_once(artifact: bytes) -> None:
    """Load and run a model once on the CPU, on a seeded input.

    What ONNX Runtime refuses in words passes: another provider may take it, and whoever loads it
    says why. Raises BackendError for a model that takes more memory than there is.
    """
    try:
        with OnnxRuntimeExecutable(artifact, BackendOptions()) as session:
            session.run()
            session.outputs()
    except BackendError as error:
        if lacks_memory(str(error)):
            raise
