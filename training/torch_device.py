"""Where PyTorch computes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..errors import UserError

if TYPE_CHECKING:
    import torch


def find_torch_device(name: str = "auto") -> torch.device:
    """Return the device of a name: "cpu", "cuda", "cuda:1"; "auto" is a GPU where there is one.

    Of the processes that torchrun starts on a machine each has a GPU of its own, the one of its
    LOCAL_RANK. Raises UserError where there is none of that name, more processes than GPUs, and
    one GPU by number for several processes.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    local = _local_rank()
    if local is not None and name.startswith("cuda"):
        name = _own_gpu(name, local, torch.cuda.device_count())
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0][:120]
        raise UserError(
            f"`train_device` {name} cannot be used here ({reason}); use cpu or auto."
        ) from None
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"`train_device` {name}: training runs on cpu or cuda.")
    if device.type == "cuda":
        # What does not name a device (NCCL, some kernels' workspaces) goes to this one.
        torch.cuda.set_device(device)
    return device


def _local_rank() -> int | None:
    """Return which of this machine's processes this is; None where torchrun did not start it."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or "RANK" not in os.environ:
        return None
    return int(os.environ.get("LOCAL_RANK", os.environ["RANK"]))


def _own_gpu(name: str, local: int, gpus: int) -> str:
    if name != "cuda":
        raise UserError(
            f"`train_device` {name} is one GPU, and torchrun started several processes; leave it "
            "away, and each takes its own."
        )
    if local >= gpus:
        raise UserError(
            f"torchrun started more processes on this machine than its {gpus} GPUs; give "
            f"--nproc-per-node {gpus}."
        )
    return f"cuda:{local}"
