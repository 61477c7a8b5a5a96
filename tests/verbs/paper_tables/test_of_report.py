"""Results with the papers' columns; the figures are those of the result itself."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import vitprof
from vitprof.models import ViTSpec
from vitprof.models.ablations import single_variants
from vitprof.models.published_ablations import published_table
from vitprof.spaces.vit import ViTSlabs
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.verbs.paper_tables.of_report import paper_table, table_of_report

BASE = ViTSpec.uniform(32, 2, 4, mlp=64, resolution=8, patch=2, classes=10, name="base")
SMALL = ViTSpec.uniform(16, 2, 2, mlp=32, resolution=8, patch=2, classes=10, name="base-0.5x")


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def table_of(blocks, ms_a_mac: float = 1e-6, batch: int = 1) -> LatencyTable:
    rows = [
        Row(b, latency_ms=ms, low_ms=ms, high_ms=ms)
        for b in dict.fromkeys(blocks)
        for ms in [b.macs * ms_a_mac + 0.01]
    ]
    return LatencyTable(rows, Setting("cpu", "onnxruntime", batch=batch))


@pytest.fixture
def pruned(tmp_path: Path) -> Path:
    """The folder of a run to two targets, as prune writes it, but for the weights."""
    models = []
    for target, spec, top1 in (("0.8x", BASE, 0.9), ("0.5x", SMALL, 0.85)):
        folder = tmp_path / "run" / target
        folder.mkdir(parents=True)
        (folder / "spec.json").write_text(spec.to_json())
        models.append(
            {"target": target, "predicted_ms": 1.0, "measured_ms": None, "top1": top1}
            | {"params": spec.params, "macs": spec.macs}
        )
    (tmp_path / "run" / "base.json").write_text(BASE.to_json())
    base = {"model": "b=|&", "predicted_ms": 2.0, "latency_ms": 2.0, "measured_ms": None}
    base |= {"params": BASE.params, "macs": BASE.macs, "top1": 0.91}
    report = {"base": base, "setting": {"device": "cpu", "batch": 1}, "models": models}
    (tmp_path / "run" / "report.json").write_text(json.dumps(report))
    return tmp_path / "run"


def test_a_pruned_run_has_nvits_columns(pruned: Path) -> None:
    first, _, last = rows_of(paper_table(pruned).written("csv"))
    assert list(first) == [
        *("Model", "Params (M)", "Params (x)", "FLOPs (G)", "FLOPs (x)", "Latency (ms)"),
        *("Speed-up (x), cpu, batch 1", "Top-1 (%)"),
    ]
    assert (first["Model"], first["Params (x)"]) == ("b=|&", "1.00")
    assert last["Model"] == "b=|& 0.5x"
    assert float(last["Params (M)"]) == pytest.approx(SMALL.params / 1e6, rel=5e-3)
    assert last["FLOPs (x)"] == f"{BASE.macs / SMALL.macs:.2f}"
    assert (last["Speed-up (x), cpu, batch 1"], last["Top-1 (%)"]) == ("2.00", "85.00")


def test_speed_ups_at_other_batches_are_of_their_tables(pruned: Path) -> None:
    blocks = [b for spec in (BASE, SMALL) for b in ViTSlabs.covering(spec).blocks()]
    table = table_of(blocks, batch=256)
    _, same, last = rows_of(paper_table(pruned, [table]).written("csv"))
    expected = table.predict(BASE).ms / table.predict(SMALL).ms
    assert last["Speed-up (x), cpu, batch 256"] == f"{expected:.2f}" != "1.00"
    assert same["Speed-up (x), cpu, batch 256"] == "1.00"


def test_specs_outside_the_run_are_not_read(pruned: Path, refused) -> None:
    table = table_of([*BASE.blocks()])
    report = json.loads((pruned / "report.json").read_text())
    report["models"][0]["target"] = "../run/0.8x"
    (pruned / "report.json").write_text(json.dumps(report))
    with refused("is not a target's folder"):
        paper_table(pruned, [table])
    (pruned / "base.json").unlink()
    report["models"][0]["target"] = "0.8x"
    (pruned / "report.json").write_text(json.dumps(report))
    with refused("base.json is missing", "vitprof prune wrote"):
        paper_table(pruned, [table])


def test_variants_have_efficientvits_columns() -> None:
    specs = [variant.spec for variant in single_variants(vitprof.create_spec("efficientvit-m4"))]
    found = vitprof.variants(
        table=table_of([b for s in specs for b in s.blocks()]), choices="depth,qk"
    )
    first, *others = rows_of(table_of_report(found.report()).written("csv"))
    assert first["Ablation"] == "efficientvit-m4"
    assert float(first["Throughput (images/s)"]) == pytest.approx(1e3 / found.base.ms, rel=1e-3)
    assert [row["Ablation"] for row in others] == [each.words for each in found.single]
    assert float(others[0]["Throughput (x)"]) == pytest.approx(
        found.base.ms / found.single[0].ms, abs=5e-3
    )


def test_the_published_table_is_beside_the_papers_figures() -> None:
    specs = published_table("efficientvit").specs(vitprof.create_spec("efficientvit-m4"))
    found = vitprof.published_variants(table_of([b for s in specs for b in s.blocks()]))
    rows = rows_of(table_of_report(found.report()).written("csv"))
    assert rows[0]["# Ablation"] == "1 EfficientViT-M4"
    assert (rows[0]["Top-1 in the paper (%)"], rows[0]["GPU in the paper (x)"]) == ("71.3", "1.00")
    assert rows[10]["ONNX in the paper (x)"] == f"{87.5 / 108.6:.2f}"
    assert "Latency measured (ms)" not in rows[0]


def test_a_search_has_the_best_once_and_then_the_front() -> None:
    best = {"name": "best", "values": {"d": 2}, "figure": 0.8, "predicted_ms": [1.0, 3.0]}
    best |= {"measured_ms": [None, None], "params": 2e6, "macs": 3e8, "peak_bytes": 2**20}
    other = {**best, "name": "front-2", "values": {"d": 1}, "figure": 0.7}
    report = {"best": best, "front": [{**best, "name": "front-1"}, other], "proxy": None}
    rows = rows_of(table_of_report(report).written("csv"))
    assert [row["Model"] for row in rows] == ["best", "front-2"]
    assert rows[0]["Top-1 on held-out images (%)"] == "80.00"
    assert (rows[0]["FLOPs (G)"], rows[0]["Latency predicted (ms)"]) == ("0.3", "1")


def test_a_choice_has_a_row_for_each_that_was_measured() -> None:
    one = {"name": "m, int8", "top1": 0.5, "top3": 0.75, "latency_ms": 2.5, "score": None}
    one |= {"params": 1e6, "macs": 1e8, "peak_bytes": 2**21, "file_bytes": 2**20}
    (row,) = rows_of(table_of_report({"best": one, "measured": [one]}).written("csv"))
    assert row["Model"] == "m, int8"
    assert (row["Top-3 (%)"], row["Peak memory (MiB)"], row["File (MiB)"]) == (
        "75.00",
        "2.0",
        "1.0",
    )
    assert "Score" not in row


def test_what_is_no_result_is_one_sentence(tmp_path: Path, refused) -> None:
    with refused("has no report.json", "prune, search or choose"):
        paper_table(tmp_path)
    (tmp_path / "x.json").write_text('{"a": 1}')
    with refused("not a result of prune, search"):
        paper_table(tmp_path / "x.json")
    (tmp_path / "x.json").write_text('{"results": [{"latency_ms": NaN}]}')
    with refused("x.json"):
        paper_table(tmp_path / "x.json")
    (tmp_path / "x.json").write_text('{"results": [{"model": "m"}]}')
    with refused("no model with a latency"):
        paper_table(tmp_path / "x.json")
    (tmp_path / "x.json").write_text('{"results": [{"model": "m", "latency_ms": 2}]}')
    with refused("`speed_up`", "is none"):
        table_of_report({"front": []}, tables=[table_of([*BASE.blocks()])])
    with refused("'xml'", "csv, markdown, latex"):
        paper_table(tmp_path / "x.json").written("xml")
