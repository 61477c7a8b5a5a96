"""A breakdown as trace events, which Perfetto and chrome://tracing open.

The format is Google's "Trace Event Format": complete events (ph "X") with a start and a duration in
microseconds, on a track given by pid and tid; an event that lies within another is drawn below it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from ...tables import Setting
from .breakdown import Breakdown, NodeTime
from .origins.labels import BlockLabel

_TRACK = 1


def trace_events(
    found: Sequence[Breakdown], setting: Setting, versions: Mapping[str, object]
) -> dict[str, Any]:
    """Return one median run of each model: a process a model, and one track in it.

    Blocks are slices with their nodes inside, in the order of execution. Nodes follow each other
    without gaps, and their times are those that add up to the latency. A block whose nodes do not
    all follow each other has several slices.
    """
    events = [event for number, one in enumerate(found, 1) for event in _of_model(number, one)]
    return {
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {
            "models": ", ".join(one.model for one in found),
            "times": "shares of an instrumented run, scaled to the latency without",
            **{f"setting.{name}": value for name, value in setting.as_dict().items()},
            **{f"runtime.{name}": value for name, value in versions.items()},
        },
    }


def _of_model(pid: int, one: Breakdown) -> list[dict[str, Any]]:
    track = {"pid": pid, "tid": _TRACK}
    events: list[dict[str, Any]] = [
        {"name": "process_name", "ph": "M", **track, "args": {"name": one.model or "model"}},
        {"name": "thread_name", "ph": "M", **track, "args": {"name": "one run, block by block"}},
    ]
    nodes, ends = one.nodes, _ends_ns(one)
    starts = [0, *ends[:-1]]
    for label, places in groupby(range(len(nodes)), key=lambda place: _label(nodes[place])):
        inside = list(places)
        if label is not None:
            args = {"op": label.op} if label.op else {}
            events.append(
                _slice(label.name, "block", starts[inside[0]], ends[inside[-1]], track, args)
            )
        for place in inside:
            node = nodes[place]
            events.append(
                _slice(_name(node), node.node.kind, starts[place], ends[place], track, _args(node))
            )
    return events


def _ends_ns(one: Breakdown) -> list[int]:
    """Return when each node ends, in whole ns: rounded after adding, so that nothing adds up."""
    ends, now = [], 0.0
    for node in one.nodes:
        now += node.ms
        ends.append(round(1e6 * now))
    return ends


def _slice(
    name: str, category: str, start: int, end: int, track: Mapping[str, int], args: dict[str, Any]
) -> dict[str, Any]:
    times = {"ts": start / 1e3, "dur": (end - start) / 1e3}
    return {"name": name, "cat": category, "ph": "X", **times, **track, "args": args}


def _label(node: NodeTime) -> BlockLabel | None:
    return None if node.origin is None else node.origin.block


def _name(node: NodeTime) -> str:
    origin = node.origin
    came_from = (origin.module or origin.node) if origin is not None else ""
    return f"{came_from}: {node.node.op}" if came_from else node.node.name


def _args(node: NodeTime) -> dict[str, Any]:
    known = {
        "node": node.node.name,
        "op": node.node.op,
        "from": node.origin.node if node.origin is not None else "",
        "share": round(node.share, 6),
        "macs": node.node.work.macs,
        "bytes": node.node.work.bytes,
        "gmacs_per_s": node.gmacs_per_s,
        "gbytes_per_s": node.gbytes_per_s,
    }
    return {name: value for name, value in known.items() if value not in (None, "")}
