"""The unit of an imported file: given or defined by the format, and never assumed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from vitprof import UserError
from vitprof.models import Block
from vitprof.tables.importers import import_table
from vitprof.tables.importers.units import Latencies, in_words

FileOf = Callable[..., Path]
LAYER = Block.of("layer", embed=768, heads=12, qk=64, v=64, mlp=3072, tokens=197)


@pytest.mark.parametrize(("unit", "factor"), [("s", 1e3), ("ms", 1), ("us", 1e-3), ("ns", 1e-6)])
def test_rows_are_in_milliseconds(unit: str, factor: float, file_of: FileOf) -> None:
    text = json.dumps({"transffn_16_48_2_hard_swish_ln": 0.75})
    found = import_table("nnmeter", file_of("nnmeter", text), "p", unit=unit)
    assert found.table.rows[0].latency_ms == pytest.approx(0.75 * factor)
    origin = found.table.header.imported[0]
    assert (origin["unit"], origin["unit_from"]) == (unit, "given at import")
    assert found.overruled is None


@pytest.mark.parametrize("kind", ["nvit", "nnmeter"])
def test_a_format_without_a_unit_needs_one(kind: str, file_of: FileOf) -> None:
    with pytest.raises(UserError, match=r"states no unit.*`unit` \(s, ms, us, ns\)\. By its mag"):
        import_table(kind, file_of(kind), "p")


@pytest.mark.parametrize("kind", ["ofa", "neusight"])
def test_a_format_that_defines_its_unit_needs_none(kind: str, file_of: FileOf) -> None:
    found = import_table(kind, file_of(kind), "p")
    assert found.table.header.imported[0]["unit"] == "ms"
    assert "format of" in found.table.header.imported[0]["unit_from"]


def test_the_given_unit_stands_above_the_formats_and_that_is_told(file_of: FileOf) -> None:
    plain = import_table("ofa", file_of("ofa"), "p")
    in_us = import_table("ofa", file_of("ofa"), "p", unit="us")
    assert in_us.overruled == "ms"
    assert [row.latency_ms for row in in_us.table.rows] == pytest.approx(
        [row.latency_ms / 1000 for row in plain.table.rows]
    )
    assert import_table("ofa", file_of("ofa"), "p", unit="ms").overruled is None


def test_an_unknown_unit_names_the_nearest(file_of: FileOf) -> None:
    with pytest.raises(UserError, match=r"unknown unit 'mss' .did you mean 'ms'"):
        import_table("ofa", file_of("ofa"), "p", unit="mss")


def test_macs_tell_which_units_are_possible() -> None:
    """DeiT-B's twelve layers in 0.97: a GPU's seconds at batch 256, never its milliseconds."""
    sentence = Latencies([LAYER], [0.97 / 12], 256).suggestion()
    assert "By its magnitude it is s (4.6" in sentence
    assert "TMAC/s) at batch 256" in sentence
    assert "ms (" not in sentence
    alone = Latencies([LAYER], [0.97 / 12], 1).suggestion()
    assert "s (18 GMAC/s) or ms (18 TMAC/s) at batch 1" in alone


def test_without_macs_the_size_alone_tells() -> None:
    block = Block.of("nnmeter_transffn", resolution=16, embed=48, expansion=2)
    assert "it is ms: half" in Latencies([block], [0.75], 1).suggestion()
    assert "it is s: half" in Latencies([block], [0.0005], 1).suggestion()
    assert "it is us or ns" not in Latencies([block], [1e-9], 1).suggestion()
    assert "none of them" in Latencies([block], [1e-9], 1).suggestion()


@pytest.mark.parametrize(
    ("rate", "words"), [(18e9, "18 GMAC/s"), (2.5e15, "2.5 PMAC/s"), (12.0, "12 MAC/s")]
)
def test_rates_in_words(rate: float, words: str) -> None:
    assert in_words(rate) == words
