"""`vitprof.ceilings` with a real runtime, on matrices so small that it takes no time."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import vitprof
from vitprof.errors import UserError
from vitprof.models import Block
from vitprof.profiler import ceilings as module
from vitprof.tables import LatencyTable
from vitprof.verbs.ceilings import CeilingsResult, ceilings_of_file


@pytest.fixture(autouse=True)
def small_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SIDES", (32, 64))
    monkeypatch.setattr(module, "RUNS", 3)
    dims = dict(module.STREAM.as_dict()) | {"rows": 64, "columns": 64}
    monkeypatch.setattr(module, "STREAM", Block.of("kernel_elementwise", **dims))


def test_the_ceilings_of_a_table_of_this_machine(table: LatencyTable, tmp_path: Path) -> None:
    found = vitprof.ceilings(table)
    assert found.gmacs_per_s > 0
    assert found.gbytes_per_s > 0
    assert 0 <= found.gmacs_difference < 1
    assert found.slowdown is None or found.slowdown > 0
    assert found.setting == table.setting
    assert found.runtime.startswith("onnxruntime ")
    assert list(found.to_frame()["unit"]) == ["GMAC/s", "GB/s"]
    path = tmp_path / "ceilings.json"
    found.save(path)
    assert json.loads(path.read_text()) == found.report()
    known = ceilings_of_file(path, table)
    assert known is not None
    assert known["gmacs_per_s"] == found.gmacs_per_s
    page = vitprof.report(table, ceilings=path)
    assert page.record["ceilings"][0]["gbytes_per_s"] == found.gbytes_per_s
    assert list(page.to_frame()["ceilings"]) == [True]


def test_a_report_measures_them_itself(table: LatencyTable) -> None:
    page = vitprof.report(table, ceilings="measure")
    assert page.record["ceilings"][0]["runtime"].startswith("onnxruntime ")


def test_a_table_of_another_machine_has_no_ceilings_here(table: LatencyTable) -> None:
    other = {**table.environment, "machine": {"cpu": "another"}}
    elsewhere = LatencyTable(table.rows, replace(table.header, environment=other))
    with pytest.raises(UserError, match="another machine"):
        vitprof.ceilings(elsewhere)


@pytest.mark.parametrize(
    ("difference", "slowdown", "said"),
    [
        (0.02, None, None),
        (0.02, 1.04, None),
        (0.02, 1.17, "its reference took 1.17 times its undisturbed time"),
        (0.15, None, "The third best session is 15% below the best"),
        (0.15, 0.98, "The third best session is 15% below the best"),
    ],
)
def test_why_ceilings_may_be_too_low(
    table: LatencyTable, difference: float, slowdown: float | None, said: str | None
) -> None:
    found = CeilingsResult(40.0, 10.0, difference, 0.01, slowdown, table.setting, "onnxruntime 1")
    assert found.is_doubtful is (said is not None)
    assert found.doubt is None if said is None else said in (found.doubt or "")
