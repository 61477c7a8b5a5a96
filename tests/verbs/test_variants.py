"""`vitprof.variants` ranks what a table covers."""

from __future__ import annotations

from pathlib import Path

import pytest
import vitprof
from vitprof.models.ablations import single_variants
from vitprof.tables import Row, Setting


@pytest.fixture(scope="module")
def lut() -> vitprof.LatencyTable:
    """1 ms per 100 MMACs of every block of M4's single variants."""
    variants = single_variants(vitprof.create_spec("efficientvit-m4"))
    blocks = dict.fromkeys(block for variant in variants for block in variant.spec.blocks())
    rows = [
        Row(b, latency_ms=b.macs / 1e8, low_ms=b.macs / 2e8, high_ms=b.macs / 5e7) for b in blocks
    ]
    return vitprof.LatencyTable(rows, Setting("cpu", "onnxruntime"))


def test_combinations_are_ranked_shown_and_saved(lut, tmp_path: Path) -> None:
    found = vitprof.variants(table=lut, choices="depth,qk", sort="macs")
    frame = found.to_frame()
    assert len(frame) == len(found.ranked) == 15
    assert list(frame["macs"]) == sorted(frame["macs"], reverse=True)
    assert list(frame["latency_ms"]) == pytest.approx(list(frame["macs"] / 1e8))
    assert repr(found).startswith("15 variants of efficientvit-m4")
    assert found.report(top=2)["ranked"] == found.report()["ranked"][:2]
    found.save(tmp_path / "out")
    assert (tmp_path / "out" / "variants.png").stat().st_size > 10_000
    assert len((tmp_path / "out" / "variants.csv").read_text().splitlines()) == 16


@pytest.mark.parametrize("limit", [2.9, "2.9", "2.9ms", "2900us", "0.0029s"])
def test_a_latency_is_a_number_or_a_text_with_a_unit(lut, limit) -> None:
    found = vitprof.variants(table=lut, choices=["depth", "qk"], max_latency=limit)
    assert 0 < len(found.ranked) < 15
    assert max(each.ms for each in found.ranked) <= 2.9


def test_what_makes_no_sense_is_one_sentence(lut, refused) -> None:
    with refused("`max_latency`", "'soon'", "5ms"):
        vitprof.variants(table=lut, max_latency="soon")
    with refused("`choices`", "did you mean 'depth'"):
        vitprof.variants(table=lut, choices=["deph"])
    with refused("'swin' are not listed"):
        vitprof.variants("swin-tiny", lut)
    with refused("'vit', not 'efficientvit'"):
        vitprof.variants("deit-tiny", lut, family="efficientvit")
    with refused("`sort`", "did you mean 'macs'"):
        vitprof.variants(table=lut, sort="mac")
