"""Models as OpenVINO's two files, a graph (.xml) and its weights (.bin), for this machine's CPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...atomic_write import write_atomically
from ...backends import BackendError, BackendOptions, onnx_from_module
from .deployed_file import DeployedFile
from .deployed_runtime import DeployedRuntime, in_batches

if TYPE_CHECKING:
    from torch import nn

    from ...backends.openvino.session import OpenVinoExecutable
    from .deployed_runtime import Images

_STATIC = "int8-static"


class OpenVinoFiles(DeployedRuntime):
    """Graphs that are called by their .xml; the weights lie beside them under the same name."""

    name = "openvino"
    precisions = ("fp32", "bf16", _STATIC)

    def why_not_here(self) -> str | None:
        from ...backends.openvino.backend import OpenVinoBackend

        return OpenVinoBackend().unavailable()

    def write(
        self, folder: Path, precision: str, out: Path, batch: int, images: Images, method: str
    ) -> Path:
        from ...backends.openvino.backend import model_of_onnx
        from ...backends.openvino.int8 import static_int8
        from ...backends.openvino.ir import GRAPH_SUFFIX, WEIGHTS_SUFFIX, ir_of_model
        from ...models import create_model
        from ...models.modules.folding import folded

        module = create_model(folder, checkpoint=folder)
        shape = (batch, *module.spec.blocks()[0].input_shape)
        model = model_of_onnx(onnx_from_module(folded(module), shape))
        if precision == _STATIC:
            model = static_int8(model, in_batches(images, batch))
        ir = ir_of_model(model)
        weights, graph = (
            out / f"model.{precision}{suffix}" for suffix in (WEIGHTS_SUFFIX, GRAPH_SUFFIX)
        )
        write_atomically(weights, ir.weights)
        write_atomically(graph, ir.graph)
        return graph

    def parts(self, path: Path) -> tuple[Path, ...]:
        return path, _weights(path)

    def open(self, file: DeployedFile) -> OpenVinoExecutable:
        from ...backends.openvino.backend import OpenVinoBackend
        from ...backends.openvino.ir import IR

        ir = IR(file.path.read_bytes(), _weights(file.path).read_bytes())
        return OpenVinoBackend().load(ir.to_bytes(), _options(file))

    def module(self, file: DeployedFile) -> nn.Module:
        from ...backends.batched_module import BatchedModule

        session = self.open(file)
        return BatchedModule(lambda values: session.computed(values)[0], file.batch)

    def images_at_once(self, file: DeployedFile) -> int:
        return 256  # prepared at a time; the file computes them in batches of its own

    def prepare(self, file: DeployedFile) -> None:
        import numpy as np  # noqa: F401
        import openvino  # noqa: F401

    def open_alone(self, file: DeployedFile) -> OpenVinoExecutable:
        from ...backends.openvino.compiling import new_core
        from ...backends.openvino.session import OpenVinoExecutable

        core = new_core()
        try:
            # From its path: its bytes are in no second place.
            model = core.read_model(str(file.path))
        except Exception as error:
            raise BackendError.because("reading the model into OpenVINO", error) from error
        return OpenVinoExecutable(core, model, _options(file))


def _weights(path: Path) -> Path:
    from ...backends.openvino.ir import WEIGHTS_SUFFIX

    return path.with_suffix(WEIGHTS_SUFFIX)


def _options(file: DeployedFile) -> BackendOptions:
    from ...backends.openvino.compiling import CPU

    return BackendOptions(threads=file.threads, dtype=file.precision, provider=CPU)
