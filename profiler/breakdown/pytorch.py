"""PyTorch on this machine's CPU, eager: run as a backend, and divided by PyTorch's own profiler."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ...backends import BackendError, BackendOptions
from ...backends.cuda.program import CudaProgram, export_program
from ...closing import Closing
from ...errors import UserError
from .classes import class_of_aten, only_calls_others
from .profile import Node, Profile, merged

if TYPE_CHECKING:
    import numpy as np
    import torch

_RUN = "vitprof: one run"


class TorchCpuBackend:
    """Runs on the CPU the program that the `cuda` backend runs eagerly on a GPU."""

    name = "torch"
    default_provider = "eager"

    def unavailable(self) -> str | None:
        return None

    def unbuildable(self) -> str | None:
        return None

    def trouble(self) -> str | None:
        return None

    def check(self, options: BackendOptions) -> None:
        options.check_only("PyTorch on a CPU")

    def build(
        self, module: torch.nn.Module, input_shape: tuple[int, ...], options: BackendOptions
    ) -> bytes:
        return export_program(module, input_shape, options.dtype, "dense", "cutlass").to_bytes()

    def load(self, artifact: bytes, options: BackendOptions) -> TorchCpuExecutable:
        return TorchCpuExecutable(artifact)

    def environment(self, options: BackendOptions) -> dict[str, object]:
        import torch

        return {"backend": self.name, "provider": "eager", "torch": torch.__version__}


class TorchCpuExecutable(Closing):
    """A program with newly allocated weights and its input; alive until `close()`.

    It computes on as many threads as PyTorch is set to, see `torch_threads`.
    """

    def __init__(self, artifact: bytes) -> None:
        program = CudaProgram.from_bytes(artifact)
        self._module: Any = program.module("cpu")
        self._input: Any = program.input("cpu")
        self._output: Any = None
        try:
            self.run()
        except BackendError:
            self.close()
            raise

    def run(self) -> None:
        import torch

        if self._module is None:
            raise BackendError("this executable is closed; load the artifact again.")
        try:
            with torch.inference_mode():
                self._output = self._module(self._input)
        except Exception as error:
            raise BackendError.because("running the model", error) from error

    def outputs(self) -> list[np.ndarray]:
        return [self._output.float().numpy().copy()]

    def close(self) -> None:
        self._module = self._input = self._output = None


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Let PyTorch compute on so many threads inside the block: it has one number for all."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def profile_torch(artifact: bytes, options: BackendOptions, warmup: int, runs: int) -> Profile:
    """Run a fresh session under PyTorch's profiler; return the medians of its `runs` runs.

    Raises BackendError like loading and running.
    """
    with TorchCpuExecutable(artifact) as executable:
        for _ in range(warmup):
            executable.run()
        return profile_runs(executable.run, runs)


def profile_runs(run: Callable[[], object], runs: int) -> Profile:
    """Call `run` so often under PyTorch's profiler; return the medians.

    A node is an operation that PyTorch dispatches; its time is without that of the operations it
    calls, except where they belong to one kernel (the bias that `addmm` copies first).
    """
    # Its tracing library tells stderr that it starts and stops.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    from torch.profiler import ProfilerActivity, profile, record_function

    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as profiler:
        for _ in range(runs):
            with record_function(_RUN):
                run()
    return merged(profiles_from_events(list(profiler.events() or [])))


def profiles_from_events(events: Sequence[Any]) -> list[Profile]:
    """Return the runs in the events of PyTorch's profiler (its FunctionEvents), in their order."""
    runs = {event.id: event for event in events if event.name == _RUN}
    # Each operation's own time, gathered at the one it is part of.
    own_us: dict[int, dict[int, float]] = {run: {} for run in runs}
    owners: dict[int, Any] = {}
    for event in sorted(events, key=lambda event: (event.time_range.start, event.id)):
        owner, run = _owner_and_run(event)
        if run is None or event.id in runs:
            continue
        owners[owner.id] = owner
        times = own_us[run.id]
        times[owner.id] = times.get(owner.id, 0.0) + event.self_cpu_time_total
    if not runs:
        raise UserError(
            "PyTorch's profiler recorded no run of the model; run the command again, with fewer "
            "`runs` if it stays so."
        )
    return [
        Profile(
            run.time_range.elapsed_us() / 1e3,
            tuple(_node(owners[owner], us) for owner, us in own_us[run.id].items()),
        )
        for run in runs.values()
    ]


def _owner_and_run(event: Any) -> tuple[Any, Any]:
    """Return the outermost kernel that calls `event`, or itself; and the run it happened in."""
    owner, now = event, event
    while now is not None and now.name != _RUN:
        if not only_calls_others(now.name):
            owner = now
        now = now.cpu_parent
    return owner, now


def _node(event: Any, us: float) -> Node:
    shapes = [shape for shape in event.input_shapes or () if shape]
    op = event.name
    name = " ".join([op, *("x".join(map(str, shape)) for shape in shapes)])
    return Node(name, op, class_of_aten(op), us / 1e3)
