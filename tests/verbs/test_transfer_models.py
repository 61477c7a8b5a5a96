"""`vitprof.transfer_models`: whole models on a phone, and a table of its blocks."""

from __future__ import annotations

from pathlib import Path

import pytest
import vitprof
from vitprof.models import Block, create_spec
from vitprof.tables import LatencyTable, Row, Setting

# Models that vitprof knows and whose blocks the table below has, and others.
KNOWN = ("deit-tiny", "deit-small", "deit-base", "vit-tiny", "vit-small", "vit-base")
OTHERS = ("levit-128", "levit-192", "mit-b0", "mit-b1", "cvt-13", "cvt-21")


def ms(name: str, per_gmac: float) -> float:
    macs = create_spec(name).macs if name in KNOWN else 1e9 * (3 + OTHERS.index(name))
    return per_gmac * macs / 1e9


@pytest.fixture
def timings(tmp_path: Path) -> Path:
    """Two phones with every model, and a third with six of them."""
    path = tmp_path / "phones.csv"
    lines = ["model,a|1|float|mean,b|1|float|mean,c|1|float|mean"]
    for n, name in enumerate([*KNOWN, *OTHERS]):
        own = f"{ms(name, 60e3):.1f}" if n % 2 == 0 else ""
        lines.append(f"{name},{ms(name, 10e3):.1f},{ms(name, 30e3) * 1.01**n:.1f},{own}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_column_with_few_timings_is_completed(timings: Path, tmp_path: Path) -> None:
    out = tmp_path / "c.csv"
    found = vitprof.transfer_models(timings, unit="us", target="c|1|float", out=out)
    for one in found.models:
        assert one.ms == pytest.approx(ms(one.model, 60.0), rel=0.03)
        assert one.low_ms < one.ms < one.high_ms
    assert [one.transferred for one in found.models] == [False, True] * 6
    assert len(found.to_time) == 4
    assert {one.model for one in found.models if one.transferred} >= set(found.to_time)
    assert found.held_out_error is not None
    assert found.report()["phone"] == "c|1|float"
    assert found.figure().axes
    assert "transferred by 6 timed ones" in found.title
    # What it writes is what it reads.
    again = vitprof.transfer_models(timings, unit="us", probes=_renamed(out))
    assert not any(one.transferred for one in again.models)


def _renamed(path: Path) -> Path:
    """The models alone, as an app would write them: in us, like the other file."""
    lines = [line.split(",") for line in path.read_text().splitlines()[1:]]
    text = "".join(f"{model},{1000 * float(ms)}\n" for model, ms, *_ in lines)
    path.write_text("model,latency_us\n" + text)
    return path


def test_without_timings_it_says_what_to_time(timings: Path) -> None:
    found = vitprof.transfer_models(timings, unit="us", probe=3)
    assert (len(found.to_time), found.models) == (3, ())
    assert found.title == "3 models to time on the new phone"


def test_with_a_table_of_blocks_the_phone_gets_one(timings: Path, tmp_path: Path) -> None:
    names = ("vit-tiny", "vit-small", "vit-base", "deit-base-distilled")
    blocks = dict.fromkeys(block for name in names for block in create_spec(name).blocks())
    rows = [Row(b, latency_ms=b.macs / 1e8, session_ms=(1.0,)) for b in blocks]
    source = LatencyTable(rows, Setting("cpu", "made-up", ""), source="cpu.csv")
    out = tmp_path / "blocks.csv"
    found = vitprof.transfer_models(
        timings, unit="us", target="c|1|float", sources=[source], device="phone-c", out=out
    )
    assert found.blocks is not None
    table = LatencyTable.read_csv(out)
    assert table.setting.device == "phone-c"
    assert {row.verdict for row in table.block_rows} == {"transferred"}
    assert all(isinstance(row.subject, Block) for row in table.block_rows)
    answer = table.predict("deit-small")
    assert answer.ms == pytest.approx(ms("deit-small", 60.0), rel=0.1)
    assert answer.transferred_share == 1


def test_what_cannot_be_is_one_sentence(timings: Path, tmp_path: Path, refused) -> None:
    with refused("states no unit", "`unit`"):
        vitprof.transfer_models(timings)
    with refused("`target` and `probes` both"):
        vitprof.transfer_models(timings, unit="us", target="c|1|float", probes=timings)
    mine = tmp_path / "mine.csv"
    mine.write_text("model,latency_us\nresnet,1\n")
    with refused("none of the 1 models of", "time some of those"):
        vitprof.transfer_models(timings, unit="us", probes=mine)
    with refused("has no column 'd'"):
        vitprof.transfer_models(timings, unit="us", target="d")
