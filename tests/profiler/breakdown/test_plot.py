"""The picture of blocks: a bar a block, from top to bottom as they run."""

from __future__ import annotations

import pytest
from vitprof.profiler.breakdown.breakdown import Breakdown
from vitprof.profiler.breakdown.classes import COPY, MATMUL
from vitprof.profiler.breakdown.origins.labels import BlockLabel
from vitprof.profiler.breakdown.origins.traced import Origin, Traced
from vitprof.profiler.breakdown.plot import draw_blocks
from vitprof.profiler.breakdown.profile import Node, Profile
from vitprof.tables import Setting

CPU = Setting("cpu", "onnxruntime", "CPUExecutionProvider")


def test_every_block_has_a_bar_divided_by_class() -> None:
    labels = tuple(BlockLabel(f"blocks.{number}") for number in range(50))
    nodes, origins = [], []
    for number, label in enumerate(labels):
        for op, kind, ms in (("Gemm", MATMUL, 1.0 + number), ("Transpose", COPY, 1.0)):
            nodes.append(Node(f"{op}{number}", op, kind, ms))
            origins.append(Origin(op, "", label))
    profile = Profile(2000.0, tuple(nodes))
    traced = Traced(tuple(origins), labels)
    one = Breakdown("toy", profile.nodes_ms, 1.0, 1.0, profile, traced=traced)
    figure = draw_blocks(one, CPU)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_yticklabels()] == [label.name for label in labels]
    assert axes.yaxis_inverted()
    matmul, copy = axes.containers
    assert (matmul.get_label(), copy.get_label()) == (MATMUL, COPY)
    assert [bar.get_width() for bar in matmul] == pytest.approx([1.0 + n for n in range(50)])
    assert [bar.get_x() for bar in copy] == pytest.approx([1.0 + n for n in range(50)])
    # a line of text a bar: 50 of them have room
    assert figure.get_size_inches()[1] > 50 * 0.2
