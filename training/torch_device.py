"""Where PyTorch computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import UserError

if TYPE_CHECKING:
    import torch


def find_torch_device(name: str = "auto") -> torch.device:
    """Return the device of a name: "cpu", "cuda", "cuda:1"; "auto" is a GPU where there is one.

    Raises UserError where there is none of that name.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0][:120]
        raise UserError(
            f"`train_device` {name} cannot be used here ({reason}); take cpu or auto."
        ) from None
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"`train_device` {name}: training runs on cpu or cuda.")
    return device
