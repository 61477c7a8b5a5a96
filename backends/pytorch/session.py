"""A torch module as an Executable on the CPU, op by op as PyTorch runs it without compiling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...closing import Closing
from ..protocol import BackendError
from ..random_input import input_dtype, seeded_input

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import nn


class TorchExecutable(Closing):
    """Runs a module in eval mode on one seeded input, with so many threads.

    PyTorch has one thread count for the whole process: it is set at every run, and put back.
    """

    def __init__(self, module: nn.Module, input_shape: tuple[int, ...], threads: int = 1) -> None:
        import torch

        self._module: nn.Module | None = module.eval()
        self._input = torch.from_numpy(seeded_input(input_shape, input_dtype(module, "fp32")))
        self._threads = threads
        self._output: torch.Tensor | None = None
        self.run()

    def run(self) -> None:
        import torch

        if self._module is None:
            raise BackendError("this executable is closed; make another one.")
        before = torch.get_num_threads()
        if before != self._threads:
            torch.set_num_threads(self._threads)
        try:
            with torch.inference_mode():
                self._output = self._module(self._input)
        except RuntimeError as error:
            raise BackendError.because("running the module", error) from error
        finally:
            if before != self._threads:
                torch.set_num_threads(before)

    def outputs(self) -> list[np.ndarray]:
        if self._output is None:
            raise BackendError("this executable is closed; make another one.")
        return [self._output.numpy().copy()]

    def close(self) -> None:
        self._module = None
        self._output = None
