"""Models as PyTorch runs them on this machine's CPU, divided by its own profiler."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from ...backends import BackendOptions
from ...backends.pytorch.backend import TorchBackend
from ...backends.pytorch.program import TorchProgram
from ...backends.pytorch.session import TorchExecutable
from ...errors import UserError
from .classes import class_of_aten, only_calls_others
from .origins.torch_graph import NODE, marked
from .profile import Node, Profile, merged

_RUN = "vitprof: one run"


def profile_torch(artifact: bytes, options: BackendOptions, warmup: int, runs: int) -> Profile:
    """Run a fresh session under PyTorch's profiler; return the medians of its `runs` runs.

    Raises BackendError like loading and running.
    """
    with TorchBackend().load(artifact, options) as executable:
        for _ in range(warmup):
            executable.run()
        return profile_runs(executable.run, runs)


def profile_torch_by_node(
    artifact: bytes, options: BackendOptions, warmup: int, runs: int
) -> Profile:
    """Profile a fresh session like `profile_torch`, and tell of which node of the program each is.

    The program then runs node by node, which adds to the time outside the operations.
    """
    program = TorchProgram.from_bytes(artifact)
    run = marked(program.module("cpu"))
    with TorchExecutable(run, program.input("cpu"), options.threads) as executable:
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
    owners: dict[int, tuple[Any, str]] = {}
    for event in sorted(events, key=lambda event: (event.time_range.start, event.id)):
        owner, source, run = _owner_and_run(event)
        if run is None or event.id in runs or event.name.startswith(NODE):
            continue
        owners[owner.id] = owner, source
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
            tuple(_node(*owners[owner], us) for owner, us in own_us[run.id].items()),
        )
        for run in runs.values()
    ]


def _owner_and_run(event: Any) -> tuple[Any, str, Any]:
    """Return the outermost kernel that calls `event`, or itself; the node and the run it is in."""
    owner, source, now = event, "", event
    while now is not None and now.name != _RUN:
        if now.name.startswith(NODE):
            source = now.name.removeprefix(NODE)
        elif not only_calls_others(now.name):
            owner = now
        now = now.cpu_parent
    return owner, source, now


def _node(event: Any, source: str, us: float) -> Node:
    shapes = [shape for shape in event.input_shapes or () if shape]
    op = event.name
    name = " ".join([op, *("x".join(map(str, shape)) for shape in shapes)])
    return Node(name, op, class_of_aten(op), us / 1e3, source=source)
