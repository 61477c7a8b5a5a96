"""What a runtime computes at one fixed batch, as a torch module that takes any number of inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    import numpy as np


class BatchedModule(nn.Module):
    """Gives `compute` its inputs in batches, on the CPU.

    Fewer inputs are filled up by repeating the last one, more are computed one batch after the
    other: what a dynamically quantized model answers depends on what else is in its batch, so it is
    tested with the batch that it is run with.
    """

    def __init__(self, compute: Callable[[np.ndarray], np.ndarray], batch: int) -> None:
        super().__init__()
        self._compute = compute
        self.batch = batch
        # Says where it computes to whoever asks a module for its parameters.
        self._place = nn.Parameter(torch.zeros(0), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, ...) to (n, classes)."""
        return torch.cat([self._one_batch(part) for part in x.split(self.batch)])

    def _one_batch(self, x: Tensor) -> Tensor:
        missing = self.batch - len(x)
        full = torch.cat([x, x[-1:].expand(missing, *x.shape[1:])]) if missing else x
        return torch.from_numpy(self._compute(full.contiguous().numpy()))[: len(x)]
