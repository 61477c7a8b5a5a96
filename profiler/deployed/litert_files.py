"""Models as `.tflite` files, for LiteRT on this machine's CPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...atomic_write import write_atomically
from ...backends import BackendOptions
from .deployed_file import DeployedFile
from .deployed_runtime import DeployedRuntime, in_batches

if TYPE_CHECKING:
    from torch import nn

    from ...backends.litert.session import LiteRtExecutable
    from .deployed_runtime import Images

_FP32, _DYNAMIC, _STATIC = "fp32", "int8", "int8-static"


class LiteRtFiles(DeployedRuntime):
    """Models that litert-torch converts, run by XNNPACK."""

    name = "litert"
    precisions = (_FP32, _DYNAMIC, _STATIC)

    def why_not_here(self) -> str | None:
        from ...backends.litert.backend import LiteRtBackend

        backend = LiteRtBackend()
        if backend.unbuildable() is None:
            return backend.unavailable()
        return (
            "LiteRT's files are converted by litert-torch, which is not installed here; "
            "pip install 'vitprof[litert-build]', best into an environment of its own, and "
            "quantize there."
        )

    def write(
        self, folder: Path, precision: str, out: Path, batch: int, images: Images, method: str
    ) -> Path:
        from ...backends.litert.convert import tflite_from_module
        from ...backends.litert.int8 import dynamic_int8, static_int8
        from ...models import create_model
        from ...models.modules.folding import folded

        module = create_model(folder, checkpoint=folder)
        shape = (batch, *module.spec.blocks()[0].input_shape)
        batches = in_batches(images, batch) if precision == _STATIC else []
        model = tflite_from_module(folded(module), shape)
        if precision == _DYNAMIC:
            model = dynamic_int8(model)
        elif precision == _STATIC:
            model = static_int8(model, batches)
        path = out / f"model.{precision}.tflite"
        write_atomically(path, model)
        return path

    def open(self, file: DeployedFile) -> LiteRtExecutable:
        from ...backends.litert.backend import LiteRtBackend

        return LiteRtBackend().load(file.path.read_bytes(), _options(file))

    def module(self, file: DeployedFile) -> nn.Module:
        from ...backends.batched_module import BatchedModule

        session = self.open(file)
        return BatchedModule(lambda values: session.computed(values)[0], file.batch)

    def images_at_once(self, file: DeployedFile) -> int:
        return 256  # prepared at a time; the file computes them in batches of its own

    def prepare(self, file: DeployedFile) -> None:
        import ai_edge_litert.interpreter  # noqa: F401
        import numpy as np  # noqa: F401

    def open_alone(self, file: DeployedFile) -> LiteRtExecutable:
        from ...backends.litert.backend import LiteRtBackend

        return LiteRtBackend().load_file(file.path, _options(file))


def _options(file: DeployedFile) -> BackendOptions:
    from ...backends.litert.session import XNNPACK

    return BackendOptions(threads=file.threads, dtype=file.precision, provider=XNNPACK)
