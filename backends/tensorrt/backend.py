"""TensorRT: engines built for a named GPU, here without that GPU, and run on it."""

from __future__ import annotations

import copy
import platform
from typing import TYPE_CHECKING

from ...errors import UserError
from ..machine.nvidia_gpus import nvidia_driver, nvidia_gpus
from ..onnx.export import EXPORTED_DTYPES, OPSET, onnx_from_module
from ..protocol import BackendOptions
from ..two_four import prune_two_four
from .artifact import EngineFile
from .engine import engine_from_onnx
from .library import RTX, STANDARD, TensorRtLibrary, tensorrt_library
from .session import TensorRtExecutable
from .sparsity import LayerSparsity, sparsity_report

if TYPE_CHECKING:
    import torch

__all__ = ["LayerSparsity", "TensorRtBackend", "TensorRtExecutable", "sparsity_report"]


class TensorRtBackend:
    """Builds for GPUs of `compute_capability` ("7.5") and runs what was built on one of them.

    The provider "tensorrt_rtx" needs no GPU to build. "tensorrt" builds for the GPU at hand and is
    the default where the compute capability is not known, as on a Jetson board.
    """

    name = "tensorrt"
    default_provider = RTX

    def __init__(self, compute_capability: str | None) -> None:
        self.compute_capability = compute_capability
        if compute_capability is None:
            self.default_provider = STANDARD

    def unavailable(self) -> str | None:
        return self.unbuildable() or self._why_no_gpu()

    def unbuildable(self) -> str | None:
        try:
            library = tensorrt_library(self.default_provider)
            library.check_target(self.compute_capability)
        except UserError as error:
            return str(error)
        return self._why_no_builder(library)

    def trouble(self) -> str | None:
        from ..machine.nvidia_clocks import throttling

        return throttling()

    def check(self, options: BackendOptions) -> None:
        library = tensorrt_library(options.provider)
        library.check_target(self.compute_capability)
        options.check_only(
            library.title,
            sparsity=("dense", "2:4"),
            cache=("warm", "cold"),
            graph=("none", "cuda_graph"),
        )
        if options.dtype not in EXPORTED_DTYPES:
            raise UserError(
                f"TensorRT is measured in {' and '.join(EXPORTED_DTYPES)}, not in "
                f"{options.dtype}{'; the backend cuda has it' if options.dtype == 'bf16' else ''}."
            )

    def build(
        self, module: torch.nn.Module, input_shape: tuple[int, ...], options: BackendOptions
    ) -> bytes:
        """Return the engine as an `EngineFile`; see `onnx` for what 2:4 does to the weights.

        Raises UserError for what `check` refuses, and for TensorRT itself without the GPU.
        """
        self.check(options)
        library = tensorrt_library(options.provider)
        if (reason := self._why_no_builder(library)) is not None:
            raise UserError(reason)
        target = self.compute_capability
        if library.targets is None:
            target = _capability_here()
        model = self.onnx(module, input_shape, options)
        return engine_from_onnx(model, library, target, options).to_bytes()

    def onnx(
        self, module: torch.nn.Module, input_shape: tuple[int, ...], options: BackendOptions
    ) -> bytes:
        """Return the ONNX model that is built from.

        With sparsity "2:4" the weights of a copy of the module are pruned where TensorRT can use
        it: weights that are not 2:4 already never get a sparse kernel.
        """
        if options.sparsity == "2:4":
            module = self.pruned(module, options)
        return onnx_from_module(module, input_shape, options.dtype)

    def pruned(self, module: torch.nn.Module, options: BackendOptions) -> torch.nn.Module:
        """Return a copy of the module, its weights pruned where TensorRT can use it."""
        module = copy.deepcopy(module)
        prune_two_four(module, options.dtype, "tensorrt")
        return module

    def load(self, artifact: bytes, options: BackendOptions) -> TensorRtExecutable:
        """Return a fresh session of an engine on the first GPU, already run once.

        Raises UserError without such a GPU and for options this lacks; BackendError for bytes that
        are not a whole engine, an engine built for another GPU, version or setting, and for what
        the runtime refuses.
        """
        self.check(options)
        library = tensorrt_library(options.provider)
        file = EngineFile.from_bytes(artifact)
        file.check(
            library=library.provider,
            version=library.version,
            compute_capability=self.compute_capability,
            dtype=options.dtype,
            sparsity=options.sparsity,
        )
        if (reason := self._why_no_gpu()) is not None:
            raise UserError(reason)
        return TensorRtExecutable(file.engine, library, options)

    def environment(self, options: BackendOptions) -> dict[str, object]:
        """Return versions, the target, and the GPU where there is one; UserError like `check`."""
        import torch

        self.check(options)
        library = tensorrt_library(options.provider)
        on_gpu = torch.cuda.is_available()
        return {
            "backend": self.name,
            "provider": library.provider,
            library.provider: library.version,
            "torch": torch.__version__,
            "opset": OPSET,
            "compute_capability": self.compute_capability,
            "gpu": torch.cuda.get_device_name(0) if on_gpu else None,
            "driver": nvidia_driver() if on_gpu else None,
            "dtype": options.dtype,
            # Both builders' default: fp32 products are rounded to TF32 where the GPU has it.
            "tf32": options.dtype == "fp32",
            "sparsity": options.sparsity,
            "cache": options.cache,
            "graph": options.graph,
        }

    def _why_no_builder(self, library: TensorRtLibrary) -> str | None:
        """Return None if the library can build here, otherwise one sentence."""
        if library.targets is not None or (reason := self._why_no_gpu()) is None:
            return None
        return (
            f"{library.title} builds for the GPU of this machine only (the provider "
            f"tensorrt_rtx builds without one): {reason}"
        )

    def _why_no_gpu(self) -> str | None:
        """Return None if the first GPU can run this backend's engines, otherwise one sentence."""
        import torch

        if torch.cuda.is_available():
            found = _capability_here()
            if self.compute_capability in (None, found):
                return None
            return (
                f"the engines are for compute capability {self.compute_capability} and this "
                f"machine's GPU, {torch.cuda.get_device_name(0)}, has {found}; measure on the "
                "device they were built for."
            )
        if nvidia_gpus() is None and platform.machine() != "aarch64":
            return (
                "TensorRT engines run on their NVIDIA GPU and no NVIDIA driver answers on this "
                "machine; build here (vitprof build) and measure the bundle on the machine that "
                "has the GPU (vitprof measure --bundle)."
            )
        return (
            f"the installed torch {torch.__version__} cannot use the GPU, whose memory and clock "
            "it has to provide; install the CUDA build of torch that pytorch.org names for this "
            "machine."
        )


def _capability_here() -> str:
    """Return the compute capability of the first GPU, such as "7.5"."""
    import torch

    return ".".join(map(str, torch.cuda.get_device_capability(0)))
