"""The processes that train one model together, as torchrun starts them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

from ..errors import UserError


@dataclass(frozen=True)
class Processes:
    """This process's `rank` among `count`; all have the same model and a share of each batch."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes files and reports."""
        return self.rank == 0

    def check_batch(self, batch: int) -> None:
        """Raise UserError for a batch that cannot be shared out in pairs."""
        if self.count > 1 and batch % (2 * self.count):
            raise UserError(
                f"a batch of {batch} cannot be shared by {self.count} processes; use a multiple "
                f"of {2 * self.count}."
            )

    def members_of(self, batch: int) -> Tensor:
        """Return the places in a batch of this process's share.

        Mixup and CutMix mix place k of n with place n - 1 - k, so a share holds such pairs: k-th
        from its beginning and its end. So every process mixes within its share what one process
        would mix.
        """
        if self.count == 1:
            return torch.arange(batch)
        half = batch // (2 * self.count)
        first = torch.arange(self.rank * half, (self.rank + 1) * half)
        return torch.cat([first, batch - 1 - first.flip(0)])

    def average_gradients(self, model: nn.Module) -> None:
        """Make every gradient the mean over all processes.

        By hand and not by DistributedDataParallel, because pruning exchanges the model between two
        steps and scores units on the averaged gradients.
        """
        if self.count == 1:
            return
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.count
        sizes = [gradient.numel() for gradient in gradients]
        for gradient, mean in zip(gradients, flat.split(sizes), strict=True):
            gradient.copy_(mean.view_as(gradient))

    def mean(self, value: float) -> float:
        """Return the mean of a number over all processes."""
        if self.count == 1:
            return value
        total = torch.tensor([value], dtype=torch.float64, device=_device_of_backend())
        distributed.all_reduce(total)
        return float(total) / self.count

    def wait(self) -> None:
        """Return once every process is here."""
        if self.count > 1:
            distributed.barrier()

    @contextmanager
    def first_before_others(self) -> Iterator[None]:
        """Let the first process through the block, then the others: they find what it wrote."""
        if not self.is_first:
            self.wait()
        yield
        if self.is_first:
            self.wait()


ONE_PROCESS = Processes()


def _device_of_backend() -> str:
    return "cuda" if distributed.get_backend() == "nccl" else "cpu"


@contextmanager
def joined_processes(device: torch.device) -> Iterator[Processes]:
    """Join what torchrun started inside the block; alone where it did not start this process."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or "RANK" not in os.environ:
        yield ONE_PROCESS
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        processes = Processes(distributed.get_rank(), distributed.get_world_size())
        yield processes
        # Together: a process that leaves while another still talks can abort on its way out.
        processes.wait()
    finally:
        distributed.destroy_process_group()
