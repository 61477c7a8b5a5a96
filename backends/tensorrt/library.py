"""TensorRT and TensorRT-RTX: two modules of one interface, and all in which they differ."""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass
from typing import Any

from ...errors import UserError, did_you_mean

RTX, STANDARD = "tensorrt_rtx", "tensorrt"
PROVIDERS = (RTX, STANDARD)

_TITLES = {RTX: "TensorRT-RTX", STANDARD: "TensorRT"}
_INSTALLS = {RTX: "pip install 'vitprof[tensorrt]'", STANDARD: "pip install tensorrt"}


@dataclass(frozen=True)
class TensorRtLibrary:
    """One of the two, imported. `trt` is the module, `logger` the only one its process has."""

    provider: str
    trt: Any
    logger: Any

    @property
    def title(self) -> str:
        """Name and version, as sentences call it."""
        return f"{_TITLES[self.provider]} {self.version}"

    @property
    def version(self) -> str:
        return str(self.trt.__version__)

    @property
    def targets(self) -> list[str] | None:
        """Compute capabilities ("7.5") it builds for without the GPU; None: for the one at hand."""
        names = getattr(getattr(self.trt, "ComputeCapability", None), "__members__", None)
        if names is None:
            return None
        numbers = sorted(int(name[2:]) for name in names if name[:2] == "SM" and name[2:].isdigit())
        return [f"{number // 10}.{number % 10}" for number in numbers]

    def check_target(self, compute_capability: str | None) -> None:
        """Raise UserError, listing what there is, for a GPU it builds no engines for."""
        if self.targets is None or compute_capability in self.targets:
            return
        what = (
            f"compute capability {compute_capability}"
            if compute_capability
            else "a device whose compute capability is not known"
        )
        raise UserError(
            f"{self.title} builds no engines for {what}, only for {', '.join(self.targets)}; on "
            "the device itself the provider tensorrt builds for it, and the backend cuda measures "
            "GPUs without TensorRT."
        )

    def aim(self, config: Any, compute_capability: str | None) -> str | None:
        """Make a builder's configuration build for that GPU; return why it does not, or None."""
        if self.targets is None or compute_capability is None:
            return None
        name = "SM" + compute_capability.replace(".", "")
        # Without a slot, or refused, this answers False, and the build would be for whichever GPU
        # is at hand without another word.
        config.num_compute_capabilities = 1
        if config.set_compute_capability(getattr(self.trt.ComputeCapability, name), 0):
            return None
        return f"the builder does not take {name} as its target"

    def make_capturable(self, config: Any) -> None:
        """Make the engine one that a CUDA graph can record: TensorRT-RTX may allocate otherwise."""
        flag = getattr(self.trt.BuilderFlag, "REQUIRE_USER_ALLOCATION", None)
        if self.provider == RTX and flag is not None:
            config.set_flag(flag)

    def why_not_capturable(self, context: Any, stream: int) -> str | None:
        """Return None if a CUDA graph can record this context, otherwise why not."""
        asks = getattr(context, "is_stream_capturable", None)
        if asks is None or asks(stream):
            return None
        return f"{self.title} says that this engine cannot be recorded in a CUDA graph"


@functools.cache
def tensorrt_library(provider: str) -> TensorRtLibrary:
    """Return the library of that provider; UserError if there is none, or it is not installed."""
    if provider not in PROVIDERS:
        raise UserError(
            f"TensorRT has no provider '{provider}'{did_you_mean(provider, PROVIDERS)}; it has "
            f"{' and '.join(PROVIDERS)}."
        )
    try:
        trt = importlib.import_module(provider)
    except (ImportError, OSError) as error:
        words = " ".join(str(error).split())
        raise UserError(
            f"{_TITLES[provider]} cannot be imported here ({words}); "
            f"install it with {_INSTALLS[provider]}."
        ) from error
    return TensorRtLibrary(provider, trt, _collecting_logger(trt))


def _collecting_logger(trt: Any) -> Any:
    """Return a logger that keeps messages instead of printing them.

    A library takes the first logger it is given for the whole process, so there is one of each.
    """

    class CollectingLogger(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []
            self.notes: list[str] = []

        def log(self, severity: Any, msg: str) -> None:
            if severity in (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR):
                self.errors.append(msg)
            elif severity in (trt.ILogger.Severity.WARNING, trt.ILogger.Severity.INFO):
                self.notes.append(msg)

        def forget(self) -> None:
            self.errors.clear()
            self.notes.clear()

        def words(self) -> str:
            """Return the errors since `forget`, once each, on one line."""
            lines = (" ".join(message.split()) for message in self.errors)
            return "; ".join(dict.fromkeys(lines)) or "no reason was given"

    return CollectingLogger()
