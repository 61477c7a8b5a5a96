"""The warning about a table that is mostly unstable."""

from __future__ import annotations

import pytest
from vitprof.models.block import Block
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.verbs.given_table import warn_if_mostly_unstable


def table(**verdicts: int) -> LatencyTable:
    named = [name for name, count in verdicts.items() for _ in range(count)]
    rows = [
        Row(Block.of("mlp", embed=8, mlp=width, tokens=4), verdict=verdict, latency_ms=1.0)
        for width, verdict in enumerate(named, 8)
    ]
    setting = Setting("cpu", "onnxruntime", "CPUExecutionProvider")
    return LatencyTable(rows, setting, source="lut.csv")


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ({"stable": 2, "unstable": 3}, "3 of the 5 measured points of lut.csv are unstable"),
        ({"stable": 2, "unstable": 2}, ""),
        ({"stable": 5}, ""),
        ({"unstable": 1, "transferred": 9}, "1 of the 1 measured points"),
        ({"imported": 4}, ""),
        ({"transferred": 4, "failed": 2}, ""),
    ],
    ids=str,
)
def test_more_than_half_of_what_was_measured(verdicts, said, caplog) -> None:
    warn_if_mostly_unstable(table(**verdicts))
    assert (said in caplog.text) if said else (not caplog.records)
