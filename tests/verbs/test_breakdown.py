"""`vitprof.breakdown`, for real on the smallest model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import vitprof
from vitprof.profiler.breakdown.classes import CLASSES


def test_the_parts_add_up_and_are_drawn(tmp_path: Path) -> None:
    result = vitprof.breakdown("vit-micro-8", sessions=1, runs=3, warmup=1, top=2)
    frame = result.to_frame()
    assert list(frame["class"]) == list(CLASSES)
    assert frame["share"].sum() == pytest.approx(1)
    assert frame["ms"].sum() == pytest.approx(frame["latency_ms"][0])
    (one,) = result.report()["models"]
    assert len(one["nodes"]) == 2
    assert result.report()["setting"] == result.setting.as_dict()
    assert repr(result).startswith("Run time by class of operation: onnxruntime, fp32, batch 1")
    assert "<table" in result._repr_html_()
    result.plot(tmp_path / "parts.svg")
    assert (tmp_path / "parts.svg").read_bytes().startswith(b"<?xml")


def test_what_tells_no_nodes_time_is_refused(refused) -> None:
    with refused("'t4' cannot be broken down", "`device` is cpu"):
        vitprof.breakdown("vit-micro-8", device="t4")
    with refused("trch", "did you mean 'torch'", "`backend` is onnxruntime or openvino or torch"):
        vitprof.breakdown("vit-micro-8", backend="trch")


@pytest.mark.parametrize("backend", ["onnxruntime", "torch"])
def test_blocks_and_nodes_add_up_to_the_latency(backend: str, tmp_path: Path) -> None:
    result = vitprof.breakdown(
        "vit-micro-8", backend=backend, sessions=1, runs=3, warmup=1, nodes=True
    )
    (one,) = result.report()["models"]
    blocks, nodes = result.to_frame("block"), result.to_frame("node")
    assert list(blocks["block"])[:3] == ["patch_embed", "blocks.0.attention", "blocks.0.mlp"]
    for frame in (blocks, nodes):
        assert frame["ms"].sum() == pytest.approx(one["latency_ms"], rel=1e-9)
    assert [block["block"] for block in one["blocks"]] == list(blocks["block"])
    assert [node["module"] for node in one["nodes"]] == list(nodes["module"])
    assert len(one["nodes"]) == one["nodes_in_all"] > 50
    assert one["unattributed_share"] == 0
    result.save_trace(tmp_path / "trace.json")
    trace = json.loads((tmp_path / "trace.json").read_text())
    assert trace == json.loads(json.dumps(result.trace()))
    slices = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    assert len(slices) >= len(blocks) + len(nodes)
    assert trace["otherData"]["runtime.torch"] == result.versions["torch"]
    result.plot(tmp_path / "blocks.svg")
    # matplotlib writes its texts as comments too
    assert "<!-- blocks.0.attention -->" in (tmp_path / "blocks.svg").read_text()


def test_nodes_that_nobody_asked_for_are_refused(tmp_path: Path, refused) -> None:
    result = vitprof.breakdown("vit-micro-8", sessions=1, runs=1, warmup=0)
    for level in ("block", "node"):
        with refused("ask for them with `nodes`"):
            result.to_frame(level)
    with refused("ask for them with `nodes`"):
        result.save_trace(tmp_path / "trace.json")
    assert not list(tmp_path.iterdir())
    with refused("`level` is class, block, node, not 'op'"):
        result.to_frame("op")
