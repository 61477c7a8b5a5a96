"""Models as `.pte` programs, for ExecuTorch on this machine's CPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...atomic_write import write_atomically
from ...backends import BackendOptions
from .deployed_file import DeployedFile
from .deployed_runtime import DeployedRuntime, in_batches

if TYPE_CHECKING:
    from torch import nn

    from ...backends.executorch.session import ExecuTorchExecutable
    from .deployed_runtime import Images

_STATIC = "int8-static"


class ExecuTorchFiles(DeployedRuntime):
    """Programs whose operators XNNPACK runs as far as it takes them."""

    name = "executorch"
    precisions = ("fp32", "int8", _STATIC)

    def why_not_here(self) -> str | None:
        from ...backends.executorch.backend import ExecuTorchBackend

        return ExecuTorchBackend().unavailable()

    def write(
        self, folder: Path, precision: str, out: Path, batch: int, images: Images, method: str
    ) -> Path:
        from ...backends.executorch.convert import XNNPACK, pte_from_module
        from ...models import create_model
        from ...models.modules.folding import folded

        module = create_model(folder, checkpoint=folder)
        shape = (batch, *module.spec.blocks()[0].input_shape)
        batches = in_batches(images, batch) if precision == _STATIC else ()
        program = pte_from_module(folded(module), shape, precision, XNNPACK, batches)
        path = out / f"model.{precision}.pte"
        write_atomically(path, program)
        return path

    def open(self, file: DeployedFile) -> ExecuTorchExecutable:
        from ...backends.executorch.backend import ExecuTorchBackend
        from ...backends.executorch.convert import XNNPACK

        options = BackendOptions(threads=file.threads, dtype=file.precision, provider=XNNPACK)
        return ExecuTorchBackend().load(file.path.read_bytes(), options)

    def module(self, file: DeployedFile) -> nn.Module:
        from ...backends.batched_module import BatchedModule

        session = self.open(file)
        return BatchedModule(lambda values: session.computed(values)[0], file.batch)

    def images_at_once(self, file: DeployedFile) -> int:
        return 256  # prepared at a time; the file computes them in batches of its own

    def prepare(self, file: DeployedFile) -> None:
        from ...backends.executorch.pool import runtime

        runtime()
