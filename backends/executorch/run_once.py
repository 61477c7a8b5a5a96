"""One run of a program of somebody else, in the process of a trial."""

from __future__ import annotations

from .session import ExecuTorchExecutable


def run_once(artifact: bytes) -> None:
    """Load and run a `.pte` program once; raises BackendError where the runtime refuses it."""
    with ExecuTorchExecutable(artifact) as session:
        session.run()
        session.outputs()
