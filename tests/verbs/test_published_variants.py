"""`vitprof.published_variants`: a paper's ablation table by a table that no machine measured."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import vitprof
from vitprof.models.published_ablations import published_table
from vitprof.tables import Row, Setting
from vitprof.verbs import published_variants as verb

SPECS = published_table("efficientvit").specs(vitprof.create_spec("efficientvit-m4"))


def table_of(specs: list[vitprof.Spec]) -> vitprof.LatencyTable:
    """1 ms per 100 MMACs of every block of these."""
    blocks = dict.fromkeys(block for spec in specs for block in spec.blocks())
    rows = [
        Row(b, latency_ms=b.macs / 1e8, low_ms=b.macs / 2e8, high_ms=b.macs / 5e7) for b in blocks
    ]
    return vitprof.LatencyTable(rows, Setting("cpu", "onnxruntime"))


def test_rows_are_predicted_beside_the_paper(tmp_path: Path) -> None:
    found = vitprof.published_variants(table_of(SPECS))
    frame = found.to_frame()
    assert list(frame["predicted_ms"]) == pytest.approx([spec.macs / 1e8 for spec in SPECS])
    assert list(frame["speed"]) == pytest.approx([SPECS[0].macs / s.macs for s in SPECS])
    assert frame["paper_speed"][10] == pytest.approx(87.5 / 108.6)
    assert frame["paper_top1"][0] == 71.3
    assert not found.is_doubtful
    assert found.report()["rows"][0]["measured_ms"] is None
    found.save(tmp_path / "out")
    assert len((tmp_path / "out" / "published.csv").read_text().splitlines()) == 12
    assert (tmp_path / "out" / "published.png").stat().st_size > 10_000


def test_a_row_that_is_not_covered_is_named() -> None:
    found = vitprof.published_variants(table_of([s for s in SPECS if "HSwish" not in s.name]))
    assert list(found.not_covered) == ["ReLU -> HSwish"]
    assert math.isnan(found.lines[10].ms)
    assert found.is_doubtful
    assert found.report()["rows"][10]["speed"] is None
    assert not math.isnan(found.kendall_tau)


def test_speeds_are_of_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The paper's own ONNX throughput, as if this machine had it."""
    from contextlib import contextmanager
    from types import SimpleNamespace

    @contextmanager
    def opened(table, purpose):
        yield None

    def measured(table, specs, target, on_progress, time_s):
        onnx = [row.cpu_images_per_s for row in published_table("efficientvit").rows]
        rows = [
            SimpleNamespace(latency_ms=1e3 / speed, verdict="stable", name=s.name, error="")
            for speed, s in zip(onnx, specs, strict=True)
        ]
        return SimpleNamespace(rows=rows)

    monkeypatch.setattr("vitprof.profiler.target.open_target_of", opened)
    monkeypatch.setattr("vitprof.profiler.remeasure.measure_like", measured)
    found = verb.published_variants(table_of(SPECS), measure=True)
    frame = found.to_frame()
    assert list(frame["speed"]) == pytest.approx(list(frame["paper_speed"]))
    assert found.kendall_tau == pytest.approx(1)


def test_what_makes_no_sense_is_one_sentence(refused) -> None:
    with refused("`time`", "`measure`"):
        vitprof.published_variants(table_of(SPECS), time="5m")
    with refused("no published ablation table", "'vit'"):
        vitprof.published_variants(table_of(SPECS), family="vit")
    with refused("outside the table"):
        vitprof.published_variants(table_of([vitprof.create_spec("efficientvit-m0")]))
