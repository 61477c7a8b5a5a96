"""A torch module as a `.tflite` model, by litert-torch."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING

from ..protocol import BackendError
from ..random_input import input_dtype, seeded_input
from .quiet import quiet_litert

if TYPE_CHECKING:
    import torch

# The converter names the line of Python that it could not convert, by its path on this machine.
_FOLDERS = re.compile(r"(?<!\w)/[^\s:'\"]*/(?=[^/\s:'\"]+\.py\b)")


def tflite_from_module(module: torch.nn.Module, input_shape: tuple[int, ...]) -> bytes:
    """Return the fp32 model of `module` in eval mode; `input_shape` includes the batch.

    The caller's module keeps its mode, dtype and device. The same module gives the same bytes.
    Raises BackendError with the converter's own words.
    """
    import torch

    prepared = copy.deepcopy(module).eval().requires_grad_(False).to("cpu", torch.float32)
    example = torch.from_numpy(seeded_input(input_shape, input_dtype(prepared, "fp32")))
    try:
        with quiet_litert(), torch.no_grad():
            import litert_torch

            return bytes(litert_torch.convert(prepared, (example,)).model_content())
    except Exception as error:  # torch.export and the converter may raise anything
        raise converter_error("converting to LiteRT", error) from error


def converter_error(doing: str, error: Exception) -> BackendError:
    """Return a BackendError of the converter's words, without folders of this machine."""
    return BackendError(_FOLDERS.sub("", str(BackendError.because(doing, error))))
