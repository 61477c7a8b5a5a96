"""An ONNX model as a torch module: what tests models of torch can test it too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..batched_module import BatchedModule
from ..protocol import BackendError

if TYPE_CHECKING:
    import numpy as np


class OnnxModule(BatchedModule):
    """Computes the ONNX model's first output from its one input, at the model's fixed batch."""

    def __init__(self, artifact: bytes, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session: Any = onnxruntime.InferenceSession(
                artifact, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise BackendError.because("loading the model into ONNX Runtime", error) from error
        (given,) = session.get_inputs()

        def first_output(values: np.ndarray) -> np.ndarray:
            output: np.ndarray = session.run(None, {given.name: values})[0]
            return output

        super().__init__(first_output, int(given.shape[0]))
