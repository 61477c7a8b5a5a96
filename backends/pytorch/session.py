"""A torch module as an Executable on the CPU: op by op as PyTorch runs it, or compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...closing import Closing
from ..protocol import BackendError
from ..random_input import input_dtype, seeded_input

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import nn


class TorchExecutable(Closing):
    """Runs a module in eval mode on one input, with so many threads; alive until `close()`.

    PyTorch has one thread count for the whole process: it is set at every run, and put back.
    """

    def __init__(
        self, module: Callable[[Any], Any], values: torch.Tensor, threads: int = 1
    ) -> None:
        self._module: Callable[[Any], Any] | None = module
        self._input = values
        self._threads = threads
        self._output: Any = None
        try:
            self.run()
        except BackendError:
            self.close()
            raise

    def run(self) -> None:
        import torch

        if self._module is None:
            raise _closed()
        before = torch.get_num_threads()
        if before != self._threads:
            torch.set_num_threads(self._threads)
        try:
            with torch.inference_mode():
                self._output = self._module(self._input)
        except Exception as error:  # the compiler's too, which runs in the first
            raise BackendError.because("running the module", error) from error
        finally:
            if before != self._threads:
                torch.set_num_threads(before)

    def outputs(self) -> list[np.ndarray]:
        """Return copies of the last outputs, as float32."""
        if self._module is None:
            raise _closed()
        return [tensor.float().numpy().copy() for tensor in tensors_of(self._output)]

    def close(self) -> None:
        self._module = None
        self._output = None


def executable_of(
    module: nn.Module, input_shape: tuple[int, ...], threads: int = 1
) -> TorchExecutable:
    """Return a session of a module as it is, on the seeded input of that shape, batch included."""
    import torch

    values = torch.from_numpy(seeded_input(input_shape, input_dtype(module, "fp32")))
    return TorchExecutable(module.eval(), values, threads)


def tensors_of(output: Any) -> list[torch.Tensor]:
    """Return a module's output, one tensor or several, as a list."""
    return list(output) if isinstance(output, tuple | list) else [output]


def _closed() -> BackendError:
    return BackendError("this executable is closed; make another one.")
