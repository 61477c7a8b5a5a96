"""Trace events: slices of one track, nested, and together as long as the latency."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from vitprof.profiler.breakdown.breakdown import Breakdown
from vitprof.profiler.breakdown.classes import CONVOLUTION, COPY, MATMUL
from vitprof.profiler.breakdown.origins.labels import BlockLabel
from vitprof.profiler.breakdown.origins.traced import UNATTRIBUTED, Origin, Traced
from vitprof.profiler.breakdown.profile import Node, Profile
from vitprof.profiler.breakdown.trace_events import trace_events
from vitprof.profiler.breakdown.work import Work
from vitprof.tables import Setting

CPU = Setting("cpu", "onnxruntime", "CPUExecutionProvider")
STEM, BODY = BlockLabel("stem", "conv_stem"), BlockLabel("blocks.0")
# The body begins before the stem ends, as where the runtime orders nodes differently.
ROWS = (
    ("conv", "Conv", CONVOLUTION, 1.1, STEM),
    ("fc", "Gemm", MATMUL, 0.7, BODY),
    ("view", "Reshape", COPY, 0.1, STEM),
    ("fc2", "Gemm", MATMUL, 1.3, BODY),
    ("odd", "Cast", COPY, 0.4, UNATTRIBUTED),
)


def found(latency_ms: float = 1.7) -> Breakdown:
    nodes = tuple(
        Node(name, op, kind, ms, Work(1000, 8), source=str(place))
        for place, (name, op, kind, ms, _) in enumerate(ROWS)
    )
    origins = tuple(Origin(f"/{name}", "", label) for name, *_, label in ROWS)
    profile = Profile(5.0, nodes, recording_ms=0.1)
    return Breakdown("toy", latency_ms, 1.6, 1.8, profile, traced=Traced(origins, (STEM, BODY)))


def slices(latency_ms: float = 1.7) -> list[dict[str, Any]]:
    text = json.dumps(trace_events([found(latency_ms)], CPU, {"onnxruntime": "1.0"}))
    return [event for event in json.loads(text)["traceEvents"] if event["ph"] == "X"]


def test_nodes_and_blocks_add_up_to_the_latency() -> None:
    one = found()
    assert math.fsum(node.ms for node in one.nodes) == pytest.approx(1.7, rel=1e-12)
    assert math.fsum(block.part.ms for block in one.blocks) == pytest.approx(1.7, rel=1e-12)
    assert [block.label for block in one.blocks] == [STEM, BODY, UNATTRIBUTED]
    assert one.unattributed_share == pytest.approx(0.3 / 3.1)
    assert one.blocks[0].classes[CONVOLUTION].ms == pytest.approx(1.7 * 1.0 / 3.1)
    assert [node.node.name for node in one.blocks[1].nodes] == ["fc", "fc2"]


def test_without_tracing_there_are_no_blocks() -> None:
    one = Breakdown("toy", 1.7, 1.6, 1.8, found().profile)
    assert one.blocks == ()
    assert one.unattributed_share == 0
    assert all(node.origin is None for node in one.nodes)


@pytest.mark.parametrize("latency_ms", [1.7, 0.000123, 98765.4321])
def test_events_keep_the_rules_of_the_format(latency_ms: float) -> None:
    events = slices(latency_ms)
    for event in events:
        assert set(event) == {"name", "cat", "ph", "ts", "dur", "pid", "tid", "args"}
        assert event["ts"] >= 0
        assert event["dur"] >= 0
        assert (event["pid"], event["tid"]) == (1, 1)
    blocks = [event for event in events if event["cat"] == "block"]
    nodes = [event for event in events if event["cat"] != "block"]
    assert [event["name"] for event in blocks] == [
        "stem",
        "blocks.0",
        "stem",
        "blocks.0",
        "unattributed",
    ]
    for level in (blocks, nodes):
        now = 0
        for event in level:  # in whole nanoseconds, as Perfetto counts
            assert round(1e3 * event["ts"]) == now
            now += round(1e3 * event["dur"])
        assert now == round(1e6 * latency_ms)
    for event in nodes:
        inside = [
            block
            for block in blocks
            if block["ts"] <= event["ts"]
            and round(1e3 * (event["ts"] + event["dur"]))
            <= round(1e3 * (block["ts"] + block["dur"]))
        ]
        assert inside


def test_metadata_tells_model_setting_and_versions() -> None:
    trace = trace_events([found(), found()], CPU, {"onnxruntime": "1.0", "torch": None})
    assert trace["displayTimeUnit"] == "ms"
    assert trace["otherData"]["models"] == "toy, toy"
    assert trace["otherData"]["setting.backend"] == "onnxruntime"
    assert trace["otherData"]["runtime.onnxruntime"] == "1.0"
    named = [event for event in trace["traceEvents"] if event["ph"] == "M"]
    assert [event["pid"] for event in named] == [1, 1, 2, 2]
    assert {event["name"] for event in named} == {"process_name", "thread_name"}


def test_slices_are_called_after_what_they_came_from() -> None:
    (first,) = [event for event in slices() if event["args"].get("node") == "fc"]
    assert first["name"] == "/fc: Gemm"
    assert first["args"]["from"] == "/fc"
    assert first["args"]["macs"] == 1000
