"""What a table's rows tell of how they ran, in the middle and in words."""

from __future__ import annotations

from vitprof.models import Block
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.told_by_runtime import ToldByRuntime

SETTING = Setting("cpu", "executorch", "xnnpack")


def row(width: int, **told: object) -> Row:
    block = Block.of("mlp", embed=8, mlp=width, tokens=5)
    return Row(block, latency_ms=1.0, low_ms=0.9, high_ms=1.1, **told)  # type: ignore[arg-type]


def test_rows_that_ran_as_asked_say_nothing() -> None:
    told = ToldByRuntime.of([row(8, cores=1.01, effective_dtype="fp32"), row(16)], SETTING)
    assert told.sentences() == []
    assert told.report() == {
        "cores": 1.01,
        "rows_above_threads": 0,
        "effective_dtype": {"fp32": 1},
        "delegated": None,
    }


def test_what_ran_otherwise_is_said() -> None:
    rows = [
        row(8, cores=2.0, effective_dtype="bf16", delegated=0.5),
        row(16, cores=1.9, effective_dtype="bf16", delegated=0.75),
        row(24, cores=1.0, effective_dtype="fp32", delegated=1.0),
        Row(row(32).subject, verdict="failed", error="it broke"),
    ]
    cores, precision, share = ToldByRuntime.of(rows, SETTING).sentences()
    assert cores.startswith("2 rows kept more cores busy than `threads` 1: 1.90 in the middle")
    assert precision == "computed in bf16 (2 rows), fp32 (1 rows), asked for in fp32."
    assert share.startswith("a delegate runs 50% to 100% of the operators, 75% in the middle")


def test_it_is_in_what_a_table_tells() -> None:
    rows = [row(8, delegated=0.25), row(16, delegated=0.5)]
    told = LatencyTable(rows, SETTING).report()["runtime"]
    assert told["delegated"] == {"least": 0.25, "middle": 0.5, "most": 0.5}
