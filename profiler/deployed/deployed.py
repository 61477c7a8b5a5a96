"""A model as it is put on a CPU: a file in some precision, for a runtime, at a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...atomic_write import write_atomically
from ...backends import BackendOptions, Executable, onnx_from_module
from ...backends.onnxruntime.int8 import DYNAMIC, STATIC, dynamic_int8, static_int8
from ...errors import UserError, did_you_mean
from .process_memory import ProcessMemory, onnx_memory, torch_memory

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

# What each runtime can be given; the first is what the others are compared with.
PRECISIONS = {"onnxruntime": ("fp32", DYNAMIC, STATIC), "torch": ("fp32", DYNAMIC)}


def check_precision(runtime: str, precision: str) -> None:
    """Raise UserError for a runtime that is none, and a precision that it lacks."""
    if runtime not in PRECISIONS:
        raise UserError(f"unknown runtime '{runtime}'{did_you_mean(runtime, PRECISIONS)}.")
    if precision not in PRECISIONS[runtime]:
        others = [name for name, known in PRECISIONS.items() if precision in known]
        where = f"; {' and '.join(others)} has it" if others else ""
        raise UserError(
            f"{runtime} has no precision '{precision}' here, but {', '.join(PRECISIONS[runtime])}"
            f"{where}."
        )


@dataclass(frozen=True)
class Deployed:
    """One file of a model. `folder` has the model's spec and fp32 weights; `path` is the file."""

    folder: Path
    runtime: str
    precision: str
    path: Path
    batch: int = 1
    threads: int = 1

    @property
    def file_bytes(self) -> int:
        return self.path.stat().st_size

    def open(self) -> Executable:
        """Return a fresh session; raises BackendError where the runtime refuses the file."""
        if self.runtime == "onnxruntime":
            from ...backends import OnnxRuntimeBackend

            options = BackendOptions(threads=self.threads)
            return OnnxRuntimeBackend().load(self.path.read_bytes(), options)
        from ...backends.pytorch.session import executable_of

        module: Any = self.module()
        shape = (self.batch, *module.spec.blocks()[0].input_shape)
        return executable_of(module, shape, self.threads)

    def module(self) -> nn.Module:
        """Return a module that computes with this very file."""
        if self.runtime == "onnxruntime":
            from ...backends.onnx.module import OnnxModule

            return OnnxModule(self.path.read_bytes(), self.threads)
        return torch_module(self.folder, self.path, self.precision)

    def memory(self) -> ProcessMemory:
        """Return the peak resident set of a process that loads and runs it."""
        if self.runtime == "onnxruntime":
            return onnx_memory(self.path, self.threads)
        return torch_memory(self.folder, self.path, self.precision, self.batch, self.threads)


def torch_module(folder: Path, path: Path, precision: str) -> nn.Module:
    """Return the model of the folder's spec with the weights that lie at `path`."""
    from ...backends.pytorch.int8 import with_weights_of
    from ...models import create_model

    return with_weights_of(create_model(folder), path, precision == DYNAMIC)


def deploy(
    folder: Path,
    runtime: str,
    precision: str,
    out: Path,
    *,
    batch: int = 1,
    threads: int = 1,
    calibration: Sequence[np.ndarray] | np.ndarray = (),
    method: str = "minmax",
) -> Deployed:
    """Write the model in `folder` as one file to the folder `out` and return what it is.

    calibration: normalised images, n x channels x h x w, that "int8-static" learns its ranges from;
    method: how (see `static_int8`). Raises UserError for a precision that the runtime lacks,
    BackendError where it cannot be converted.
    """
    check_precision(runtime, precision)
    out.mkdir(parents=True, exist_ok=True)
    if runtime == "torch":
        return Deployed(
            folder, runtime, precision, _torch_file(folder, precision, out), batch, threads
        )
    from ...models import create_model
    from ...models.modules.folding import folded

    module: Any = create_model(folder, checkpoint=folder)
    shape = (batch, *module.spec.blocks()[0].input_shape)
    model = onnx_from_module(folded(module), shape, fold=precision != "fp32")
    if precision == DYNAMIC:
        model = dynamic_int8(model)
    elif precision == STATIC:
        model = static_int8(model, _batches(calibration, batch), method)
    path = out / f"model.{precision}.onnx"
    write_atomically(path, model)
    return Deployed(folder, runtime, precision, path, batch, threads)


def _batches(images: Sequence[np.ndarray] | np.ndarray, batch: int) -> list[np.ndarray]:
    """Return the images in whole batches; what is left over is filled up with the first ones."""
    import numpy as np

    if not len(images):
        raise UserError("int8-static learns its ranges from images, and there is none.")
    found = np.asarray(images)
    missing = -len(found) % batch
    filled = np.concatenate([found, np.resize(found, (missing, *found.shape[1:]))])
    return list(filled.reshape(-1, batch, *found.shape[1:]))


def _torch_file(folder: Path, precision: str, out: Path) -> Path:
    """Return a file with the weights as PyTorch has them in that precision."""
    import io

    import torch

    from ...models import create_model

    module: nn.Module = create_model(folder, checkpoint=folder)
    if precision == DYNAMIC:
        from ...backends.pytorch.int8 import int8_module

        module = int8_module(module)
    data = io.BytesIO()
    torch.save(module.state_dict(), data)
    path = out / f"model.{precision}.pt"
    write_atomically(path, data.getvalue())
    return path
