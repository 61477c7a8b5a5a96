"""LiteRT: models converted by litert-torch, run by ai-edge-litert."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from ...errors import UserError, did_you_mean
from ..installed import installed
from ..protocol import BackendOptions
from ..random_input import input_dtype, seeded_input
from ..xnnpack import TILE_WIDTH
from .check import check_header, check_runs_alone
from .convert import tflite_from_module
from .int8 import DYNAMIC, STATIC, dynamic_int8, static_int8
from .session import PROVIDERS, XNNPACK, LiteRtExecutable

if TYPE_CHECKING:
    from pathlib import Path

    import torch

LITERT_DTYPES = ("fp32", DYNAMIC, STATIC)


class LiteRtBackend:
    """Builds `.tflite` models and runs them on the CPU, by XNNPACK by default."""

    name = "litert"
    default_provider = XNNPACK
    providers: tuple[str, ...] = PROVIDERS
    tile_width = TILE_WIDTH

    def unavailable(self) -> str | None:
        try:
            import ai_edge_litert.interpreter  # noqa: F401
        except ImportError as error:
            return (
                f"LiteRT's runtime cannot be imported here ({error}); install it: "
                "pip install 'vitprof[litert]'."
            )
        return None

    def unbuildable(self) -> str | None:
        # Importing them takes seconds.
        for library in ("litert_torch", "ai_edge_quantizer"):
            if importlib.util.find_spec(library) is None:
                return (
                    "LiteRT models are converted by litert-torch, which is not installed here; "
                    "pip install 'vitprof[litert-build]', best into an environment of its own, "
                    "build there (vitprof build --backend litert) and measure the bundle here."
                )
        return None

    def trouble(self) -> str | None:
        return None

    def check(self, options: BackendOptions) -> None:
        options.check_only("LiteRT")
        if options.dtype not in LITERT_DTYPES:
            half = (
                "; its converter does not take modules in half precision"
                if options.dtype == "fp16"
                else ""
            )
            raise UserError(
                f"LiteRT is measured in {', '.join(LITERT_DTYPES)}, not in {options.dtype}{half}."
            )
        if options.provider not in self.providers:
            raise UserError(
                f"LiteRT has no provider '{options.provider}' here"
                f"{did_you_mean(options.provider, self.providers)}: xnnpack is the delegate for "
                "CPUs, builtin its own kernels without a delegate."
            )
        if options.optimization != "all":
            raise UserError("LiteRT has no graph optimization levels; leave `optimization` at all.")

    def build(
        self, module: torch.nn.Module, input_shape: tuple[int, ...], options: BackendOptions
    ) -> bytes:
        """Return the `.tflite` model of `module`; see `tflite_from_module`.

        In int8-static the ranges are those of the input that every point is measured on. Raises
        UserError without litert-torch and for options that LiteRT lacks.
        """
        self.check(options)
        if reason := self.unbuildable():
            raise UserError(reason)
        model = tflite_from_module(module, input_shape)
        if options.dtype == DYNAMIC:
            return dynamic_int8(model)
        if options.dtype == STATIC:
            return static_int8(model, [seeded_input(input_shape, input_dtype(module, "fp32"))])
        return model

    def load(self, artifact: bytes, options: BackendOptions) -> LiteRtExecutable:
        """Return a fresh interpreter of the model `artifact`, which has run once.

        Raises UserError without the runtime, BackendError if it refuses the model.
        """
        self._check_runs(options)
        check_header(artifact)
        return LiteRtExecutable(artifact, options)

    def load_file(self, path: Path, options: BackendOptions) -> LiteRtExecutable:
        """Return a fresh interpreter of a file that was built here, which it maps into memory."""
        self._check_runs(options)
        return LiteRtExecutable(path, options)

    def check_artifact(self, artifact: bytes) -> None:
        """Raise BackendError for a model that LiteRT refuses, or that would end this process."""
        check_runs_alone(artifact)

    def environment(self, options: BackendOptions) -> dict[str, object]:
        """Return versions and settings; those of what builds are None where nothing is built."""
        self.check(options)
        return {
            "backend": self.name,
            "ai_edge_litert": installed("ai-edge-litert"),
            "litert_torch": installed("litert-torch"),
            "ai_edge_quantizer": installed("ai-edge-quantizer"),
            "torch": installed("torch"),
            "provider": options.provider,
            "threads": options.threads,
            "dtype": options.dtype,
        }

    def _check_runs(self, options: BackendOptions) -> None:
        self.check(options)
        if reason := self.unavailable():
            raise UserError(reason)
