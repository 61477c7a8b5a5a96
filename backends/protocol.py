"""What a runtime has to offer to be measured: a Backend builds artifacts and loads Executables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from ..errors import UserError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    import torch

# "int8": weights and what flows into matrix products, quantized at every run; "int8-static": in
# convolutions too, with ranges learned beforehand.
DTYPES = ("fp32", "fp16", "bf16", "int8", "int8-static")
SPARSITIES = ("dense", "2:4")
CACHES = ("warm", "cold")
GRAPHS = ("none", "cuda_graph")
OPTIMIZATIONS = ("disabled", "basic", "extended", "all")
MOST_THREADS = 1024


class BackendError(RuntimeError):
    """A runtime could not compile, load or run this point; the message holds its own words.

    Not a UserError: measuring goes on, and the point becomes a failed row of the table.
    """

    @classmethod
    def because(cls, doing: str, error: BaseException) -> BackendError:
        """Return "<doing> failed: <the runtime's words>" on one line, fit for a table's cell."""
        words = " ".join(str(error).split()) or type(error).__name__
        return cls(f"{doing} failed: {words}")


@dataclass(frozen=True)
class BackendOptions:
    """The part of a Setting that a runtime has to know.

    `provider` is how the runtime executes: an execution provider of ONNX Runtime, "eager" or
    "compile" of PyTorch, "tensorrt" or "tensorrt_rtx", the compute units of Core ML. Which exist
    only the runtime knows: it checks them. `sparsity`, `cache` and `graph` are a Setting's.

    Raises UserError for a thread count outside 1..1024 and for an unknown value of the others.
    """

    threads: int = 1
    dtype: str = "fp32"
    provider: str = "CPUExecutionProvider"
    optimization: str = "all"
    sparsity: str = "dense"
    cache: str = "warm"
    graph: str = "none"

    def __post_init__(self) -> None:
        if (
            isinstance(self.threads, bool)
            or not isinstance(self.threads, int)
            or not 1 <= self.threads <= MOST_THREADS
        ):
            raise UserError(
                f"threads={self.threads!r} must be a whole number from 1 to {MOST_THREADS}; "
                "1 gives the steadiest timings."
            )
        if self.dtype not in DTYPES:
            raise UserError(
                f"dtype '{self.dtype}' is not known; it must be one of {', '.join(DTYPES)}."
            )
        if self.optimization not in OPTIMIZATIONS:
            raise UserError(
                f"graph optimization '{self.optimization}' is not known"
                f"{did_you_mean(self.optimization, OPTIMIZATIONS)}."
            )
        for name, known in (("sparsity", SPARSITIES), ("cache", CACHES), ("graph", GRAPHS)):
            value = getattr(self, name)
            if value not in known:
                raise UserError(f"{name} '{value}' is not known; it must be {' or '.join(known)}.")

    def check_only(
        self,
        runtime: str,
        *,
        sparsity: tuple[str, ...] = ("dense",),
        cache: tuple[str, ...] = ("warm",),
        graph: tuple[str, ...] = ("none",),
    ) -> None:
        """Raise UserError where an option asks for what `runtime` does not have."""
        for name, has in (("sparsity", sparsity), ("cache", cache), ("graph", graph)):
            value = getattr(self, name)
            if value not in has:
                raise UserError(
                    f"{runtime} has no {name} '{value}'; omit `{name}` or give {' or '.join(has)}."
                )


@runtime_checkable
class Executable(Protocol):
    """A compiled thing that can be run; owns its session until it is closed."""

    def run(self) -> None:
        """Run once: the only call inside the timed window.

        Inputs and outputs are bound beforehand, so nothing is allocated or copied for them here.
        Raises BackendError.
        """

    def outputs(self) -> list[np.ndarray]:
        """Return copies of what the last `run()` computed. Not for the timed window."""

    def close(self) -> None:
        """Give the session back; a second close does nothing, a later `run()` is a BackendError."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


@runtime_checkable
class DeviceTimed(Protocol):
    """An Executable whose device has a clock of its own, which is then the one that counts."""

    def device_ms(self) -> float:
        """Return what the last `run()` took by the device's clock, in ms."""


@runtime_checkable
class TimesManyRuns(DeviceTimed, Protocol):
    """An Executable whose run starts a program on the device that warms up and times many runs.

    Starting it takes longer than what it times, so a session calls `run()` only a few times.
    `device_ms()` is the typical time of the runs timed in the last call, also before the first.
    """

    def runs_timed(self) -> int:
        """Return how many runs the last call timed."""


@runtime_checkable
class Delegated(Protocol):
    """An Executable whose runtime gives its operators to a delegate, and runs the others itself."""

    def delegated_share(self) -> float:
        """Return which share of the model's operators the delegate runs, from 0 to 1."""


@runtime_checkable
class TellsPrecision(Protocol):
    """An Executable whose runtime may compute in another precision than its artifact's."""

    def effective_dtype(self) -> str:
        """Return the precision it computes in, read back from the runtime: "fp32", "bf16", …"""


@runtime_checkable
class HasHazards(Protocol):
    """A Backend that some options make slower or less exact on some machines than users expect."""

    def hazard(self, options: BackendOptions) -> str | None:
        """Return one sentence about what these options do on this machine; None: nothing to say."""


@runtime_checkable
class HasTiles(Protocol):
    """A Backend whose matrix kernels work in tiles: between whole tiles a width costs more.

    `tile_width` is the columns of a tile: a table probes the widths between (`tables.grids.steps`).
    """

    tile_width: int


@runtime_checkable
class ChecksArtifacts(Protocol):
    """A Backend whose runtime would open what an artifact refers to, unless that is refused."""

    def check_artifact(self, artifact: bytes) -> None:
        """Raise BackendError unless the artifact is complete in itself and only data."""


@runtime_checkable
class PreparesArtifacts(Protocol):
    """A Backend whose artifacts load faster once this machine has worked on them."""

    def prepare(self, artifact: bytes, options: BackendOptions) -> bytes:
        """Return what `load` opens faster, in this process and under the same options.

        Its sessions run the same kernels: outputs are equal bit for bit. What cannot be prepared
        is returned as it is. It is kept for one run and never stored: another machine, or another
        version of the runtime, would prepare it otherwise. Raises BackendError like `load`.
        """


@runtime_checkable
class BuildsFromOnnx(Protocol):
    """A Backend that compiles ONNX models."""

    def build_from_onnx(self, model: bytes, options: BackendOptions) -> bytes:
        """Return the artifact of a checked, self-contained fp32 model, in the options' dtype.

        Raises UserError for a dtype that it cannot be brought to, BackendError like `build`.
        """


@runtime_checkable
class PrunesWeights(Protocol):
    """A Backend that changes a module's weights before it compiles it, for a sparsity."""

    def pruned(self, module: torch.nn.Module, options: BackendOptions) -> torch.nn.Module:
        """Return a copy of the module with the weights that `build` compiles, in fp32.

        Its outputs are those that an artifact's have to equal. Raises BackendError where `build`
        does.
        """


@runtime_checkable
class RunsKernels(Protocol):
    """A Backend whose runtime runs a graph of its own fused nodes."""

    def run_as_it_is(self, model: bytes) -> bytes:
        """Return the artifact of an ONNX model of such nodes; `load` does not rewrite it."""


@runtime_checkable
class LoadsFiles(Protocol):
    """A Backend whose runtime reads an artifact's file itself."""

    def load_file(self, path: Path, options: BackendOptions) -> Executable:
        """Return a fresh session like `load`, of an artifact in a file."""


@runtime_checkable
class Backend(Protocol):
    """One runtime. Building and loading are apart: an artifact may be measured elsewhere."""

    name: str
    default_provider: str

    def unavailable(self) -> str | None:
        """Return None if artifacts can be run here, otherwise one sentence: why not, and how to."""

    def unbuildable(self) -> str | None:
        """Return None if artifacts can be built here, otherwise one sentence like the other."""

    def check(self, options: BackendOptions) -> None:
        """Raise UserError for options that the runtime lacks, building or running."""

    def trouble(self) -> str | None:
        """Return what has slowed the device (throttling) since the last asking, None for nothing.

        It may ask a driver: asked between timed windows, never during one.
        """

    def build(
        self, module: torch.nn.Module, input_shape: tuple[int, ...], options: BackendOptions
    ) -> bytes:
        """Return the artifact that computes `module` on one input of `input_shape`, batch included.

        The module is left as it is. Raises BackendError if it cannot be compiled.
        """

    def load(self, artifact: bytes, options: BackendOptions) -> Executable:
        """Return a fresh session of `artifact`, with its inputs filled and bound.

        Raises BackendError if the runtime refuses the artifact, UserError for options it lacks.
        """

    def environment(self, options: BackendOptions) -> dict[str, object]:
        """Return versions and settings that change a latency, as JSON values."""
