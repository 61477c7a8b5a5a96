"""This machine's CPU through PyTorch: eager or compiled."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from ...errors import UserError, did_you_mean
from ..installed import installed
from ..machine.cpu_info import lacks_avx512_vnni
from ..protocol import BackendError, BackendOptions
from .int8 import INT8, import_torchao
from .program import PROVIDERS, TORCH_DTYPES, TorchProgram, export_program

if TYPE_CHECKING:
    import torch

    from .session import TorchExecutable

TORCH_CPU_DTYPES = (*TORCH_DTYPES, INT8)


class TorchBackend:
    """Exports modules with `torch.export` and runs them on the CPU, as the cuda backend on a GPU.

    The provider "eager" runs op by op, "compile" what torch.compile makes of the program, for which
    it needs a C++ compiler. A bundle holds nothing of this: see `CudaBackend`.
    """

    name = "torch"
    default_provider = "eager"

    def unavailable(self) -> str | None:
        try:
            import torch  # noqa: F401
        except ImportError as error:
            return (
                f"PyTorch cannot be imported here ({error}); install it with "
                "pip install 'vitprof[measure]'."
            )
        return None

    def unbuildable(self) -> str | None:
        return self.unavailable()

    def trouble(self) -> str | None:
        return None

    def hazard(self, options: BackendOptions) -> str | None:
        if options.dtype != INT8 or not lacks_avx512_vnni():
            return None
        # pytorch/pytorch#136942: without VNNI, torch._int_mm does not use oneDNN.
        return (
            "this processor has no AVX512-VNNI, without which PyTorch multiplies int8 in a plain "
            "loop, many times slower than fp32; other backends, such as onnxruntime, have int8 "
            "kernels for it."
        )

    def check(self, options: BackendOptions) -> None:
        if reason := self.unavailable():
            raise UserError(reason)
        if options.provider not in PROVIDERS:
            raise UserError(
                f"PyTorch has no provider '{options.provider}'"
                f"{did_you_mean(options.provider, PROVIDERS)}; `provider` is "
                f"{' or '.join(PROVIDERS)}."
            )
        if options.dtype not in TORCH_CPU_DTYPES:
            raise UserError(
                f"PyTorch on a CPU is measured in {', '.join(TORCH_CPU_DTYPES)}, not in "
                f"{options.dtype}."
            )
        options.check_only("PyTorch on a CPU")
        if options.dtype == INT8:
            import_torchao()
        if options.provider == "compile" and (reason := why_no_compiler()):
            raise UserError(reason)

    def build(
        self, module: torch.nn.Module, input_shape: tuple[int, ...], options: BackendOptions
    ) -> bytes:
        """Return the exported program of `module`; raises BackendError if it cannot be exported."""
        self.check(options)
        return export_program(module, input_shape, options.dtype, "dense", "cutlass").to_bytes()

    def load(self, artifact: bytes, options: BackendOptions) -> TorchExecutable:
        """Return a fresh session, already run; raises BackendError for what PyTorch cannot run."""
        import torch

        from .session import TorchExecutable

        self.check(options)
        program = TorchProgram.from_bytes(artifact)
        if program.dtype != options.dtype or program.sparse:
            raise BackendError("this program was exported for another dtype or sparsity.")
        try:
            module = program.module("cpu")
            values = program.input("cpu")
        except Exception as error:  # a damaged program may raise anything
            raise BackendError.because("reading the program", error) from error
        if options.provider == "eager":
            return TorchExecutable(module, values, options.threads)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled = torch.compile(module, dynamic=False)
            return TorchExecutable(compiled, values, options.threads)

    def environment(self, options: BackendOptions) -> dict[str, object]:
        """Return versions and what PyTorch uses of the CPU; raises UserError like `check`."""
        import torch

        self.check(options)
        return {
            "backend": self.name,
            "provider": options.provider,
            "torch": torch.__version__,
            "torchao": installed("torchao") if options.dtype == INT8 else None,
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "onednn": torch.backends.mkldnn.is_available(),
            "threads": options.threads,
            "dtype": options.dtype,
        }


def why_no_compiler() -> str | None:
    """Return None where torch.compile finds the C++ compiler it needs, otherwise one sentence."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from torch._inductor.cpp_builder import get_cpp_compiler

            get_cpp_compiler()
    except Exception as error:
        words = " ".join(str(error).split())[:200].rstrip(".")
        return (
            f"torch.compile needs a C++ compiler and finds none ({words}); install g++ or clang++, "
            "or set CXX to one."
        )
    return None
