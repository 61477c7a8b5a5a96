"""Each node's kernel time as ONNX Runtime's own profiler writes it."""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...backends import BackendOptions
from ...backends.onnxruntime.backend import OnnxRuntimeExecutable
from ...errors import UserError
from ...temporary_folder import TemporaryFolder
from .classes import ONNX_VIEWS, classes_of_onnx
from .profile import Node, Profile, merged
from .work import Tensor, work_of

_SUFFIX = "_kernel_time"


def profile_onnxruntime(
    artifact: bytes, options: BackendOptions, warmup: int, runs: int
) -> Profile:
    """Run a fresh session with ONNX Runtime's profiler on; return the medians of its `runs` runs.

    The session is otherwise the one that is measured. Raises BackendError like loading and running,
    UserError for a profile that cannot be read.
    """
    with TemporaryFolder() as folder:
        prefix = str(Path(folder) / "profile")
        with OnnxRuntimeExecutable(artifact, options, profile_to=prefix) as executable:
            for _ in range(warmup + runs):
                executable.run()
            written = Path(executable.end_profiling())
        text = written.read_text(encoding="utf-8", errors="replace")
    profiles = profiles_from_json(text)
    if len(profiles) < runs:
        raise _unreadable(f"it holds {len(profiles)} runs where {runs} were made")
    # Binding a session may run it once too.
    return with_recording(merged(profiles[-runs:]))


def with_recording(profile: Profile) -> Profile:
    """Return the profile with what recording a node adds to its time.

    A node that only hands on its input under another shape does nothing, so the quickest of them
    shows it: about 2 us. Without such a node it is unknown, and 0.
    """
    views = [node.ms for node in profile.nodes if node.op in ONNX_VIEWS]
    return replace(profile, recording_ms=min(views, default=0.0))


def profiles_from_json(text: str) -> list[Profile]:
    """Return the runs in a file of ONNX Runtime's profiler, in the order they were made.

    The file is a list of trace events: a "model_run" of category "Session" for each run, and a
    "..._kernel_time" of category "Node" for each node executed; times are whole microseconds.
    Others are ignored. Raises UserError for a file that is cut off or holds something else.
    """
    try:
        events = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(
            f"it is not complete JSON ({' '.join(str(error).split())[:120]})"
        ) from None
    if not isinstance(events, list):
        raise _unreadable("it is not a list of events")
    runs: list[_Span] = []
    nodes: list[_Span] = []
    for event in events:
        if not isinstance(event, dict):
            raise _unreadable("an event is not an object")
        category, name = event.get("cat"), event.get("name")
        if category == "Session" and name == "model_run":
            runs.append(_Span.of(event))
        elif category == "Node" and isinstance(name, str) and name.endswith(_SUFFIX):
            nodes.append(_Span.of(event))
    if not runs:
        raise _unreadable("it holds no run of the model")
    return _by_run(sorted(runs, key=lambda run: run.start), nodes)


def _by_run(runs: list[_Span], nodes: list[_Span]) -> list[Profile]:
    starts = [run.start for run in runs]
    within: list[list[_Span]] = [[] for _ in runs]
    for node in sorted(nodes, key=lambda node: node.start):
        place = bisect_right(starts, node.start) - 1
        if place < 0:
            continue  # constants computed while the session was made
        if node.start > runs[place].start + runs[place].us:
            raise _unreadable(f"node '{node.name[:80]}' was executed in no complete run")
        within[place].append(node)
    return [_profile(run, inside) for run, inside in zip(runs, within, strict=True)]


def _profile(run: _Span, spans: list[_Span]) -> Profile:
    if not spans:
        raise _unreadable("a run of it has no nodes")
    ops = [span.op for span in spans]
    nodes = tuple(
        Node(
            span.name,
            span.op,
            kind,
            span.us / 1e3,
            work_of(span.op, kind, span.tensors("input"), span.tensors("output")),
            span.place,
        )
        for span, kind in zip(spans, classes_of_onnx(ops), strict=True)
    )
    return Profile(run.us / 1e3, nodes)


@dataclass(frozen=True)
class _Span:
    """One event: when it began and how long it took, in us of the profiler's clock."""

    name: str
    start: float
    us: float
    args: dict[str, Any]

    @classmethod
    def of(cls, event: dict[str, Any]) -> _Span:
        args = event.get("args")
        name = str(event["name"]).removesuffix(_SUFFIX)
        return cls(
            name,
            _number(event, "ts"),
            _number(event, "dur"),
            args if isinstance(args, dict) else {},
        )

    @property
    def op(self) -> str:
        op = self.args.get("op_name")
        if not isinstance(op, str) or not op:
            raise _unreadable(f"node '{self.name[:80]}' does not say its operation")
        return op

    @property
    def place(self) -> str:
        """Where the node stands in the graph, a number; "" where the event does not tell."""
        place = self.args.get("node_index")
        return place if isinstance(place, str) else ""

    def tensors(self, side: str) -> list[Tensor]:
        """Return the tensors of "input" or "output"; none where they are not all known."""
        entries = self.args.get(f"{side}_type_shape")
        tensors = [_tensor(one) for one in entries] if isinstance(entries, list) else []
        known = [tensor for tensor in tensors if tensor is not None]
        return known if len(known) == len(tensors) else []


def _tensor(entry: object) -> Tensor | None:
    """Read {"float": [1, 3, 224, 224]}."""
    if not isinstance(entry, dict) or len(entry) != 1:
        return None
    dtype, shape = next(iter(entry.items()))
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        return None
    return Tensor(dtype, tuple(shape))


def _number(event: dict[str, Any], name: str) -> float:
    value = event.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e15:
        return float(value)
    raise _unreadable(f"an event's '{name}' is not a time in microseconds")


def _unreadable(why: str) -> UserError:
    return UserError(
        f"the profile that ONNX Runtime wrote cannot be read: {why}; run the command again, with "
        "fewer `runs` if it stays so."
    )
