"""What a model's file is for each runtime that models are deployed to: written, opened, tested."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ...atomic_write import write_atomically
from ...backends import BackendOptions, Executable, onnx_from_module
from ...backends.onnxruntime.int8 import DYNAMIC, STATIC, dynamic_int8, static_int8
from ...errors import UserError, did_you_mean
from .deployed_file import DeployedFile
from .deployed_runtime import DeployedRuntime, in_batches
from .executorch_files import ExecuTorchFiles
from .litert_files import LiteRtFiles
from .openvino_files import OpenVinoFiles

if TYPE_CHECKING:
    from torch import nn

    from .deployed_runtime import Images


class OnnxRuntimeFiles(DeployedRuntime):
    """ONNX models, for ONNX Runtime."""

    name = "onnxruntime"
    precisions = ("fp32", DYNAMIC, STATIC)
    methods = ("minmax", "percentile", "entropy")

    def write(
        self, folder: Path, precision: str, out: Path, batch: int, images: Images, method: str
    ) -> Path:
        from ...models import create_model
        from ...models.modules.folding import folded

        module = create_model(folder, checkpoint=folder)
        shape = (batch, *module.spec.blocks()[0].input_shape)
        model = onnx_from_module(folded(module), shape, fold=precision != "fp32")
        if precision == DYNAMIC:
            model = dynamic_int8(model)
        elif precision == STATIC:
            model = static_int8(model, in_batches(images, batch), method)
        path = out / f"model.{precision}.onnx"
        write_atomically(path, model)
        return path

    def open(self, file: DeployedFile) -> Executable:
        from ...backends import OnnxRuntimeBackend

        options = BackendOptions(threads=file.threads)
        return OnnxRuntimeBackend().load(file.path.read_bytes(), options)

    def module(self, file: DeployedFile) -> nn.Module:
        from ...backends.onnx.module import OnnxModule

        return OnnxModule(file.path.read_bytes(), file.threads)

    def images_at_once(self, file: DeployedFile) -> int:
        return 256  # prepared at a time; the file computes them in batches of its own

    def prepare(self, file: DeployedFile) -> None:
        import numpy as np  # noqa: F401
        import onnxruntime  # noqa: F401

    def open_alone(self, file: DeployedFile) -> Executable:
        from ...backends.onnxruntime.backend import OnnxRuntimeExecutable

        # From its path: its bytes are in no second place.
        return OnnxRuntimeExecutable(str(file.path), BackendOptions(threads=file.threads))


class TorchFiles(DeployedRuntime):
    """Weights as `torch.save` writes them, for PyTorch on a CPU."""

    name = "torch"
    precisions = ("fp32", DYNAMIC)

    def write(
        self, folder: Path, precision: str, out: Path, batch: int, images: Images, method: str
    ) -> Path:
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

    def open(self, file: DeployedFile) -> Executable:
        from ...backends.pytorch.session import executable_of
        from ...models import create_spec

        shape = (file.batch, *create_spec(file.folder).blocks()[0].input_shape)
        return executable_of(self.module(file), shape, file.threads)

    def module(self, file: DeployedFile) -> nn.Module:
        from ...backends.pytorch.int8 import with_weights_of
        from ...models import create_model

        return with_weights_of(create_model(file.folder), file.path, file.precision == DYNAMIC)

    def prepare(self, file: DeployedFile) -> None:
        import torch

        torch.set_num_threads(file.threads)
        if file.precision == DYNAMIC:
            from ...backends.pytorch.int8 import import_torchao

            import_torchao()


RUNTIMES: Mapping[str, DeployedRuntime] = {
    runtime.name: runtime
    for runtime in (
        OnnxRuntimeFiles(),
        OpenVinoFiles(),
        TorchFiles(),
        LiteRtFiles(),
        ExecuTorchFiles(),
    )
}


def check_precision(runtime: str, precision: str) -> None:
    """Raise UserError for a runtime that is none or not here, and a precision that it lacks."""
    if runtime not in RUNTIMES:
        raise UserError(f"unknown runtime '{runtime}'{did_you_mean(runtime, RUNTIMES)}.")
    known = RUNTIMES[runtime].precisions
    if precision not in known:
        others = [name for name, other in RUNTIMES.items() if precision in other.precisions]
        where = f"; these have it: {', '.join(others)}" if others else ""
        raise UserError(
            f"{runtime} has no precision '{precision}' here, but {', '.join(known)}{where}."
        )
    if reason := RUNTIMES[runtime].why_not_here():
        raise UserError(reason)


def check_method(runtime: str, method: str) -> None:
    """Raise UserError for a way to choose the ranges of "int8-static" that the runtime lacks."""
    if method not in RUNTIMES[runtime].methods:
        others = [name for name, other in RUNTIMES.items() if method in other.methods]
        raise UserError(
            f"{runtime} chooses no ranges by `calibration` {method}, only {', '.join(others)} "
            "does; remove it."
        )
