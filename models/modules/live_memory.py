"""What PyTorch holds while a module runs, counted on the meta device: nothing is computed."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ..block import Block
from .create_block import create_block


class LiveMemory(TorchDispatchMode):
    """Counts the bytes of the tensors that ops make, from when they are made until they are freed.

    `peak` is the most bytes held at once, right after any op. Views share the storage they look
    at; those of the tensors `held` all along (weights) are not counted. A floating-point value
    takes `bytes_per_value`, others what they take.
    """

    def __init__(self, held: Iterable[Tensor], bytes_per_value: int) -> None:
        super().__init__()
        self.peak = 0
        self._now = 0
        self._bytes_per_value = bytes_per_value
        # By the address of the storage, which is unique as long as it lives.
        self._held = {tensor.untyped_storage()._cdata for tensor in held}
        self._live: dict[int, int] = {}

    def add(self, tensor: Tensor) -> None:
        """Count a tensor's storage until it is freed, unless it is counted or held already."""
        storage = tensor.untyped_storage()
        address = storage._cdata
        if address in self._held or address in self._live:
            return
        values = storage.nbytes() // tensor.element_size()
        each = self._bytes_per_value if tensor.is_floating_point() else tensor.element_size()
        self._live[address] = values * each
        self._now += values * each
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._free, address).atexit = False

    def _free(self, address: int) -> None:
        self._now -= self._live.pop(address)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for made in result if isinstance(result, tuple | list) else (result,):
            if isinstance(made, Tensor):
                self.add(made)
        return result


def peak_bytes(block: Block, batch: int, bytes_per_value: int) -> int:
    """Return the most bytes alive at once while the block's module runs, its input included."""
    with torch.device("meta"):
        module = create_block(block)
        x = torch.empty(batch, *block.input_shape, dtype=_input_dtype(module))
    live = LiveMemory([*module.parameters(), *module.buffers()], bytes_per_value)
    live.add(x)
    with torch.no_grad(), live:
        module(x)
    return live.peak


def _input_dtype(module: nn.Module) -> torch.dtype:
    takes_words = any(getattr(part, "takes_words", False) for part in module.modules())
    return torch.int64 if takes_words else torch.float32
