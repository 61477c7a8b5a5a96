"""A torch module as a program that torch alone can run, without the code that made it."""

from __future__ import annotations

import copy
import io
import warnings
from typing import TYPE_CHECKING

from ..protocol import BackendError
from ..random_input import input_dtype, seeded_input

if TYPE_CHECKING:
    import torch


def portable_program(module: torch.nn.Module, shape: tuple[int, ...]) -> bytes:
    """Return what `torch.export.load` reads: the module in eval mode and fp32, for any batch.

    shape: of the input, without the batch. The program's weights keep the module's names. Raises
    BackendError if torch cannot export it.
    """
    import torch

    prepared = copy.deepcopy(module).eval().requires_grad_(False).to("cpu", torch.float32)
    # A batch of 1 would be taken for a constant.
    example = torch.from_numpy(seeded_input((2, *shape), input_dtype(prepared, "fp32")))
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.export(
                prepared, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},)
            )
            buffer = io.BytesIO()
            torch.export.save(program, buffer)
    except Exception as error:  # torch may raise anything here
        raise BackendError.because("torch.export", error) from error
    return buffer.getvalue()
