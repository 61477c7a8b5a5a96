"""How far what a file computes is from what another one does, on the same inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...backends import BackendError
from ...backends.agreement import relative_error

if TYPE_CHECKING:
    import numpy as np

    from .deployed import Deployed

    Feeds = Sequence[Mapping[str, np.ndarray]]


def output_errors(files: Mapping[str, Deployed], feeds: Feeds) -> dict[str, float]:
    """Return for each ONNX file the relative error of its outputs; the first is compared with.

    That is √(Σ(y - y₀)² / Σy₀²) over all inputs, of the worst of several outputs. Of an output of
    whole numbers it is the share that differs. inf where a file gives no finite numbers. Raises
    BackendError where a file cannot be run.
    """
    names = list(files)
    wanted = _outputs(files[names[0]], feeds)
    return {
        name: _worst(_outputs(files[name], feeds), wanted) if nth else 0.0
        for nth, name in enumerate(names)
    }


def _outputs(file: Deployed, feeds: Feeds) -> list[np.ndarray]:
    """Return each output for all inputs, stacked."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = file.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session: Any = onnxruntime.InferenceSession(
            str(file.path), options, providers=["CPUExecutionProvider"]
        )
        found = [session.run(None, dict(feed)) for feed in feeds]
    except Exception as error:
        raise BackendError.because(f"running the {file.precision} file", error) from error
    return [np.stack(several) for several in zip(*found, strict=True)]


def _worst(outputs: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> float:
    return max(_error(one, other) for one, other in zip(outputs, wanted, strict=True))


def _error(output: np.ndarray, wanted: np.ndarray) -> float:
    if wanted.dtype.kind != "f":
        return float((output != wanted).mean())
    return relative_error([output], [wanted])
