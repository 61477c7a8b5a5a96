"""Node data, read by Model Explorer's own classes."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import dacite
import pytest
from model_explorer.node_data_builder import GraphNodeData
from vitprof.errors import UserError
from vitprof.profiler.breakdown.breakdown import Breakdown
from vitprof.profiler.breakdown.classes import MATMUL
from vitprof.profiler.breakdown.model_explorer import node_data
from vitprof.profiler.breakdown.origins.labels import BlockLabel
from vitprof.profiler.breakdown.origins.traced import UNATTRIBUTED, Origin, Traced
from vitprof.profiler.breakdown.profile import Node, Profile
from vitprof.tables import Setting

BODY = BlockLabel("body")
ORIGINS = (
    Origin("/fc", "fc", BODY, "/fc"),
    Origin("/fc", "fc", BODY, "/fc"),
    Origin("/split", "", BODY, "/split_1"),
    Origin("", "", UNATTRIBUTED),
)


def found() -> Breakdown:
    nodes = tuple(Node(f"n{ms}", "Gemm", MATMUL, ms) for ms in (1.0, 2.0, 3.0, 4.0))
    return Breakdown("toy", 20.0, 19.0, 21.0, Profile(10.0, nodes), traced=Traced(ORIGINS, (BODY,)))


def test_each_node_of_the_file_has_the_ms_of_what_ran_for_it() -> None:
    data = json.loads(json.dumps(node_data(found(), Setting("cpu", "onnxruntime"))))
    read = dacite.from_dict(GraphNodeData, data, dacite.Config(strict=True))
    assert {name: one.value for name, one in read.results.items()} == pytest.approx(
        {"/fc": 6.0, "/split_1": 6.0}
    )
    assert math.fsum(one.value for one in read.results.values()) == pytest.approx(20.0 - 8.0)
    assert [item.stop for item in read.gradient] == [0, 0.25, 1]
    assert read.name == "ms (cpu, onnxruntime, fp32, batch 1)"
    # What its own writer makes of it is what was written.
    assert json.loads(read.to_json_string())["results"] == data["results"]


def test_without_traced_nodes_there_is_nothing_to_show() -> None:
    traced = Traced(tuple(replace(one, unique="") for one in ORIGINS), (BODY,))
    with pytest.raises(UserError, match="nothing to show"):
        node_data(replace(found(), traced=traced), Setting("cpu", "onnxruntime"))
