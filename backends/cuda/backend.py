"""NVIDIA GPUs through PyTorch: eager or compiled, as a CUDA graph or not, dense or 2:4 sparse."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from ...errors import UserError, did_you_mean
from ..installed import why_no_torch
from ..machine.nvidia_gpus import nvidia_driver, nvidia_gpus
from ..protocol import BackendError, BackendOptions
from ..pytorch.program import (
    PROVIDERS,
    TORCH_DTYPES,
    TorchProgram,
    export_program,
    prune_linear,
)
from ..two_four import Library

if TYPE_CHECKING:
    import torch

    from .session import CudaExecutable

# The first NVIDIA architecture with sparse tensor cores is Ampere.
_SPARSE_FROM = (8, 0)


class CudaBackend:
    """Exports modules with `torch.export` and runs them on the first GPU.

    What is exported is for the run that made it: a bundle holds none of it, for reading a program
    of PyTorch's from a stranger is not safe, and the GPU's machine compiles in a moment.
    """

    name = "cuda"
    default_provider = "eager"

    def __init__(self, library: Library | None = None) -> None:
        """`library` is whose 2:4 kernels are taken (default: `sparse_library` of the dtype)."""
        self._library = library

    def unavailable(self) -> str | None:
        if reason := why_no_torch("measuring with CUDA"):
            return reason
        import torch

        if torch.cuda.is_available():
            return None
        if nvidia_gpus() is None:
            return (
                "no NVIDIA driver answers on this machine; run vitprof measure on the machine "
                "that has the GPU."
            )
        return (
            f"the installed torch {torch.__version__} cannot use the GPU; install the CUDA build "
            "of torch that pytorch.org names for this machine."
        )

    def unbuildable(self) -> str | None:
        return why_no_torch("building")

    def trouble(self) -> str | None:
        from ..machine.nvidia_clocks import throttling

        return throttling()

    def check(self, options: BackendOptions) -> None:
        if options.provider not in PROVIDERS:
            raise UserError(
                f"PyTorch has no provider '{options.provider}'"
                f"{did_you_mean(options.provider, PROVIDERS)}; `provider` is "
                f"{' or '.join(PROVIDERS)}."
            )
        if options.dtype not in TORCH_DTYPES:
            raise UserError(
                f"PyTorch on a GPU is measured in {', '.join(TORCH_DTYPES)}, not in "
                f"{options.dtype}."
            )
        options.check_only(
            "PyTorch",
            sparsity=("dense", "2:4"),
            cache=("warm", "cold"),
            graph=("none", "cuda_graph"),
        )

    def build(
        self, module: torch.nn.Module, input_shape: tuple[int, ...], options: BackendOptions
    ) -> bytes:
        """Return the program; with sparsity "2:4" its eligible linear layers are pruned.

        Raises UserError for what `check` refuses, BackendError where torch cannot export the
        module or no layer of it can be 2:4.
        """
        self.check(options)
        library = self._library_for(options.dtype)
        return export_program(
            module, input_shape, options.dtype, options.sparsity, library
        ).to_bytes()

    def pruned(self, module: torch.nn.Module, options: BackendOptions) -> torch.nn.Module:
        """Return a copy whose linear layers are pruned as `build` prunes them."""
        pruned = copy.deepcopy(module).eval()
        prune_linear(pruned, options.dtype, self._library_for(options.dtype))
        return pruned

    def load(self, artifact: bytes, options: BackendOptions) -> CudaExecutable:
        """Return a fresh session on the first GPU, already run.

        Raises UserError without a GPU and for options this lacks; BackendError for what PyTorch
        cannot run.
        """
        self.check(options)
        if (reason := self.unavailable()) is not None:
            raise UserError(reason)
        program = TorchProgram.from_bytes(artifact)
        if program.dtype != options.dtype or bool(program.sparse) != (options.sparsity != "dense"):
            raise BackendError("this program was exported for another dtype or sparsity.")
        if program.sparse:
            self._check_sparse_gpu()
        from .session import CudaExecutable

        return CudaExecutable(program, options)

    def environment(self, options: BackendOptions) -> dict[str, object]:
        """Return versions and the GPU's name, driver and L2 cache; UserError like `check`."""
        import torch

        self.check(options)
        on_gpu = torch.cuda.is_available()
        gpu = torch.cuda.get_device_properties(0) if on_gpu else None
        sparse = options.sparsity == "2:4"
        return {
            "backend": self.name,
            "provider": options.provider,
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "gpu": gpu.name if gpu else None,
            "compute_capability": f"{gpu.major}.{gpu.minor}" if gpu else None,
            "l2_kib": gpu.L2_cache_size // 1024 if gpu else None,
            "driver": nvidia_driver() if on_gpu else None,
            "dtype": options.dtype,
            # Of convolutions too: see `convolutions_as_products`.
            "tf32": bool(torch.backends.cuda.matmul.allow_tf32),
            "sparsity": options.sparsity,
            "sparse_library": self._library_for(options.dtype) if sparse else None,
            "cache": options.cache,
            "graph": options.graph,
        }

    def _library_for(self, dtype: str) -> Library:
        return self._library or sparse_library(dtype)

    def _check_sparse_gpu(self) -> None:
        import torch

        if torch.cuda.get_device_capability(0) < _SPARSE_FROM:
            raise UserError(
                f"{torch.cuda.get_device_name(0)} has no sparse tensor cores, so PyTorch has no "
                "2:4 for it; NVIDIA GPUs have them from Ampere on: omit `sparsity`."
            )


def sparse_library(dtype: str) -> Library:
    """Return whose kernels PyTorch takes for 2:4 in `dtype`: cuSPARSELt where it has them.

    fp32 is CUTLASS's alone, and a build without cuSPARSELt has CUTLASS only.
    """
    import torch

    if dtype != "fp32" and torch.backends.cusparselt.is_available():
        return "cusparselt"
    return "cutlass"
