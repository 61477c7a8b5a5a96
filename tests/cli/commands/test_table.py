"""`vitprof table info` on a table of known content."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from vitprof.models import ViTSpec
from vitprof.tables import LatencyTable, Row
from vitprof.tables.calibration.calibrate import calibrated

CAUSE = "its 3 sessions differ by 30 %: measure it with more sessions on a quiet machine"


@pytest.fixture
def shaky(lut: Path) -> Path:
    """The table of `lut` with intervals of 3 % and three unstable points."""
    table = LatencyTable.read_csv(lut)
    rows = [
        replace(row, low_ms=0.97 * row.latency_ms, high_ms=1.03 * row.latency_ms)
        for row in table.rows
    ]
    unstable = [replace(row, verdict="unstable", error=CAUSE) for row in rows[:3]]
    LatencyTable([*unstable, *rows[3:]], table.header).to_csv(lut)
    return lut


def test_info_ends_with_the_verdict_and_lists_no_points(run, shaky: Path) -> None:
    answer = run("table", "info", shaky)
    assert answer.code == 0
    last = answer.out.splitlines()[-1]
    assert last.startswith("Usable: blocks are known within ±3.0%")
    assert "3 of 94 points unstable" in last
    assert "--sessions 5 --fresh" in last
    assert CAUSE not in answer.out + answer.err


def test_unstable_points_are_listed_on_request(run, shaky: Path) -> None:
    answer = run("table", "info", shaky, "--unstable")
    assert answer.code == 0
    assert answer.out.count(CAUSE) == 3
    assert "3 of 94 points are unstable" in answer.out
    found = run("table", "info", shaky, "--unstable", "--json").json
    assert [point["cause"] for point in found["unstable"]] == [CAUSE] * 3
    assert found["assessment"]["unstable"] == 3
    assert "unstable" not in run("table", "info", shaky, "--json").json


def test_failed_points_are_always_listed(run, lut: Path) -> None:
    table = LatencyTable.read_csv(lut)
    subject = table.rows[0].subject
    failed = Row(subject, verdict="failed", error="no kernel for this")
    LatencyTable([failed, *table.rows[1:]], table.header).to_csv(lut)
    answer = run("table", "info", lut)
    assert f"failed: {subject}: no kernel for this" in answer.err
    assert answer.out.splitlines()[-1].startswith("Doubtful: ")


@pytest.fixture
def unlike(lut: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Two tables of the same blocks; whole models of the second take three times as long."""
    table = LatencyTable.read_csv(lut)
    paths = []
    for name, factor in (("fast", 1.0), ("slow", 3.0)):
        specs = [ViTSpec.uniform(192, d, 3, 768, name=f"{name}-{d}") for d in range(1, 7)]
        took = [factor * table.predict(spec).ms for spec in specs]
        rows = [
            Row(spec, "in_model", latency_ms=ms, low_ms=0.99 * ms, high_ms=1.01 * ms)
            for spec, ms in zip(specs, took, strict=True)
        ]
        paths.append(tmp_path / f"{name}.csv")
        calibrated(LatencyTable([*table.rows, *rows], table.header)).to_csv(paths[-1])
    return paths[0], paths[1]


def test_merging_says_how_well_each_part_and_the_whole_fit(run, unlike, tmp_path: Path) -> None:
    fast, _ = unlike
    answer = run("table", "merge", fast, fast, "--out", tmp_path / "both.csv")
    assert answer.code == 0
    *parts, both = answer.out.splitlines()
    assert len(parts) == 2
    assert all(part.startswith(f"{fast}: 100 rows; whole vit models err by") for part in parts)
    assert both.startswith(f"{tmp_path / 'both.csv'}: 100 rows; whole vit models err by")


def test_merging_refuses_a_worse_fit_unless_forced(run, unlike, tmp_path: Path) -> None:
    out = tmp_path / "both.csv"
    answer = run("table", "merge", *unlike, "--out", out)
    assert answer.code == 2
    assert answer.is_one_sentence
    assert "--force" in answer.err
    assert not out.exists()
    forced = run("table", "merge", *unlike, "--out", out, "--force", "--json")
    assert forced.code == 0
    assert forced.json["rows"] == 106
    errors = [part["held_out"]["vit"] for part in forced.json["parts"]]
    assert forced.json["held_out"]["vit"] > 0.1 > max(errors)
    assert len(LatencyTable.read_csv(out).rows) == 106
