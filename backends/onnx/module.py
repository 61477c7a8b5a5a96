"""An ONNX model as a torch module: what tests models of torch can test it too."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..protocol import BackendError


class OnnxModule(nn.Module):
    """Computes the ONNX model's first output from its one input, on the CPU.

    The model's batch is fixed. Fewer inputs are filled up by repeating the last one, more are
    computed one batch after the other: what a dynamically quantized model answers depends on what
    else is in its batch, so it is tested with the batch that it is run with.
    """

    def __init__(self, artifact: bytes, threads: int = 1) -> None:
        super().__init__()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session: Any = onnxruntime.InferenceSession(
                artifact, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise BackendError.because("loading the model into ONNX Runtime", error) from error
        (given,) = self._session.get_inputs()
        self._name, self.batch = given.name, int(given.shape[0])
        # Says where it computes to whoever asks a module for its parameters.
        self._place = nn.Parameter(torch.zeros(0), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, ...) to (n, classes)."""
        found = [self._one_batch(part) for part in x.split(self.batch)]
        return torch.cat(found)

    def _one_batch(self, x: Tensor) -> Tensor:
        missing = self.batch - len(x)
        full = torch.cat([x, x[-1:].expand(missing, *x.shape[1:])]) if missing else x
        output = self._session.run(None, {self._name: full.contiguous().numpy()})[0]
        return torch.from_numpy(output)[: len(x)]
