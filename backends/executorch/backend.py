"""ExecuTorch on this machine's CPU: `.pte` programs, by XNNPACK or by the portable kernels."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from ...errors import UserError, did_you_mean
from ..installed import installed
from ..protocol import BackendOptions
from ..trial import try_artifact
from ..xnnpack import TILE_WIDTH
from .convert import DTYPES, INT8_DTYPES, PORTABLE, PROVIDERS, XNNPACK, pte_from_module
from .pte import read_pte
from .session import ExecuTorchExecutable

if TYPE_CHECKING:
    import torch

_ENVIRONMENT = (
    "install it in an environment of its own, since it goes with one version of torch: "
    "pip install 'vitprof[executorch]'"
)


class ExecuTorchBackend:
    """Lowers modules to `.pte` programs and runs them with ExecuTorch's own runtime.

    The provider "xnnpack" gives the XNNPACK delegate all operators it takes; "portable" gives it
    none, and the runtime's own kernels run everything.
    """

    name = "executorch"
    default_provider = XNNPACK
    tile_width = TILE_WIDTH

    def unavailable(self) -> str | None:
        # Importing it takes seconds where the exporter comes along.
        if importlib.util.find_spec("executorch") is None:
            return f"ExecuTorch is not installed here; {_ENVIRONMENT}."
        try:
            from .pool import runtime

            runtime()
        except ImportError as error:
            return f"ExecuTorch cannot be imported here ({error}); {_ENVIRONMENT}."
        return None

    def unbuildable(self) -> str | None:
        return self.unavailable()  # one wheel has both

    def trouble(self) -> str | None:
        return None

    def check(self, options: BackendOptions) -> None:
        if reason := self.unavailable():
            raise UserError(reason)
        if options.provider not in PROVIDERS:
            raise UserError(
                f"ExecuTorch has no provider '{options.provider}'"
                f"{did_you_mean(options.provider, PROVIDERS)}; `provider` is "
                f"{' or '.join(PROVIDERS)}."
            )
        if options.dtype not in DTYPES:
            raise UserError(
                f"ExecuTorch is measured in {', '.join(DTYPES)}, not in {options.dtype}."
            )
        if options.provider == PORTABLE and options.dtype in INT8_DTYPES:
            raise UserError(
                f"ExecuTorch's portable kernels compute in fp32 only; {options.dtype} needs the "
                f"`provider` {XNNPACK}."
            )
        options.check_only("ExecuTorch")
        if options.optimization != "all":
            raise UserError("ExecuTorch has no levels of graph optimization; omit `optimization`.")

    def build(
        self, module: torch.nn.Module, input_shape: tuple[int, ...], options: BackendOptions
    ) -> bytes:
        """Return the `.pte` program of `module`; see `pte_from_module`."""
        self.check(options)
        return pte_from_module(module, input_shape, options.dtype, options.provider)

    def load(self, artifact: bytes, options: BackendOptions) -> ExecuTorchExecutable:
        """Return a fresh session, already run.

        Raises BackendError for a program that is damaged or that ExecuTorch refuses, and while
        sessions with another number of threads are open: there is one pool of threads.
        """
        self.check(options)
        return ExecuTorchExecutable(artifact, options.threads)

    def check_artifact(self, artifact: bytes) -> None:
        """Raise BackendError for a program that is damaged, or on which the runtime crashes.

        That is tried in another process: the runtime checks little of what it reads.
        """
        read_pte(artifact)
        try_artifact("executorch", artifact)

    def environment(self, options: BackendOptions) -> dict[str, object]:
        """Return versions and settings; raises UserError like `check`."""
        self.check(options)
        return {
            "backend": self.name,
            "executorch": installed("executorch"),
            "torch": installed("torch"),
            "torchao": installed("torchao") if options.dtype in INT8_DTYPES else None,
            "provider": options.provider,
            "threads": options.threads,
            "dtype": options.dtype,
        }
