"""`vitprof.transfer`: from tables alone, and with probes measured on this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import vitprof
from vitprof.models import Block
from vitprof.spaces.vit import ViTSlabs
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.calibration.calibrate import calibrated

# Four blocks.
ONE_LAYER = "embed=32;attention.heads=2;attention.qk=16;attention.v=16;mlp.mlp=64"
SPACE = ViTSlabs()
MODELS = SPACE.calibration_models(8, seed=0)


def cost(subject: object, scale: float, per_block: float) -> float:
    if isinstance(subject, Block):
        return scale * (subject.macs / 1e8 + per_block)
    return 1.04 * sum(cost(block, scale, per_block) for block in subject.blocks())


def table_of(name: str, scale: float, per_block: float, subjects=None) -> LatencyTable:
    rows = []
    for subject in subjects or [*SPACE.blocks(), *MODELS]:
        ms = cost(subject, scale, per_block)
        context = "alone" if isinstance(subject, Block) else "in_model"
        times = {"latency_ms": ms, "low_ms": 0.99 * ms, "high_ms": 1.01 * ms}
        rows.append(Row(subject, context=context, session_ms=(ms,) * 3, **times))
    made = LatencyTable(rows, Setting(name, "made-up", ""), {"machine": name}, source=f"{name}.csv")
    return calibrated(made)


@pytest.fixture
def probes() -> LatencyTable:
    few = [*MODELS[:5], *SPACE.blocks()[5:90:20]]
    return table_of("c", 5.0, 0.03, few)


def test_a_table_from_probes_measured_elsewhere(probes, tmp_path: Path) -> None:
    out = tmp_path / "c.csv"
    found = vitprof.transfer(
        [table_of("a", 1.0, 0.02), table_of("b", 2.0, 0.05)], probes=probes, out=out
    )
    assert isinstance(found.table, vitprof.LatencyTable)
    answer = found.table.predict("deit-small")
    spec = vitprof.create_spec("deit-small")
    assert answer.ms == pytest.approx(cost(spec, 5.0, 0.03), rel=0.02)
    assert answer.low_ms < cost(spec, 5.0, 0.03) < answer.high_ms
    report = found.report()
    assert report["transferred"] + report["measured"] == report["rows"] == 102
    assert report["measured"] == len(report["probes"]) == len(probes.rows)
    assert report["left_out"] == []
    assert out.read_bytes() == found.table.to_text().encode()
    assert LatencyTable.read_csv(out).setting.device == "c"
    assert "transferred" in found.title
    assert len(found.figure().axes) == 2
    assert list(found.to_frame().columns)[:2] == ["probe", "measured_ms"]


def test_one_source_needs_no_list(probes) -> None:
    assert vitprof.transfer(table_of("a", 1.0, 0.02), probes=probes).weights == {"a.csv": 1.0}


def test_a_family_that_no_source_has_is_named(probes, caplog) -> None:
    vitprof.transfer(table_of("a", 1.0, 0.02), probes=probes, family="swin")
    assert "no source has" in caplog.text
    assert "are left out" in caplog.text


def test_a_measured_table_is_not_written_over(probes, tmp_path: Path, refused) -> None:
    out = tmp_path / "c.csv"
    probes.to_csv(out)
    before = out.read_bytes()
    with refused("holds a table that was not transferred", "`fresh`"):
        vitprof.transfer(table_of("a", 1.0, 0.02), probes=probes, out=out)
    assert out.read_bytes() == before
    vitprof.transfer(table_of("a", 1.0, 0.02), probes=probes, out=out, fresh=True)
    vitprof.transfer(table_of("a", 1.0, 0.02), probes=probes, out=out)  # its own is


def test_what_cannot_be_is_one_sentence(probes, tmp_path: Path, refused) -> None:
    source = table_of("a", 1.0, 0.02)
    with refused("no table to transfer from"):
        vitprof.transfer([], probes=probes)
    with refused("c.csv is a table of this very device and setting"):
        vitprof.transfer([source, table_of("c", 1.0, 0.02)], probes=probes)
    with refused("`out` is needed"):
        vitprof.transfer(source)
    with refused("3 probes are fewer than the 5 unknowns", "`probe` 5"):
        vitprof.transfer(source, probe=3, out=tmp_path / "x.csv")
    with refused("fewer than the 5 unknowns"):
        vitprof.transfer(source, probes=probes.with_rows(probes.rows[:3]))
    with refused("was measured with threads 1, not 2"):
        vitprof.transfer(source, probes=probes, threads=2)
    source.unfinished = True
    with refused("a.csv is unfinished"):
        vitprof.transfer(source, probes=probes)
    assert not (tmp_path / "x.csv").exists()


@pytest.mark.slow
def test_probes_are_measured_here_and_kept(table, tmp_path: Path, refused) -> None:
    """The table of this machine, as if it were another's."""
    out, told = tmp_path / "new.csv", []
    with refused("is a table of this very device and setting"):
        vitprof.transfer(table, out=out, probe=6)
    other = LatencyTable(
        table.rows,
        replace(table.header, environment={"machine": "another"}),
        source="other.csv",
        calibrations=table.calibrations,
    )
    found = vitprof.transfer(
        other, out=out, probe=6, sessions=1, time="1s", progress=lambda *said: told.append(said)
    )
    assert told
    assert len(found.probes) == 6
    kept = LatencyTable.read_csv(tmp_path / "new.probes.csv")
    assert len(kept.rows) == 6
    assert not kept.unfinished
    ratio = found.table.predict("vit-micro-8").ms / table.predict("vit-micro-8").ms
    assert 0.2 < ratio < 5
    # The same again measures nothing, and one more measures one.
    text = (tmp_path / "new.probes.csv").read_bytes()
    vitprof.transfer(other, out=out, probe=6, sessions=1, time="1s")
    assert (tmp_path / "new.probes.csv").read_bytes() == text
    more = vitprof.transfer(other, out=out, probe=7, sessions=1, time="1s")
    assert {probe.key for probe in found.probes} < {probe.key for probe in more.probes}
    # Measuring it takes the transferred rows out.
    measured = vitprof.measure(
        vitprof.plan(model="vit-micro-8", whole_models=0, grid=ONE_LAYER),
        out=out,
        fresh=True,
        sessions=1,
    )
    assert measured.header.transfer is None
