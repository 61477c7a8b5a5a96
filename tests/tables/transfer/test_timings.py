"""Files of timings: what is read, in which unit, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from vitprof.errors import UserError
from vitprof.tables.transfer.timings import read_timings

WIDE = """model,FLOPS,size,p|1large|float|mean,p|1large|float|std,q|1|quant|mean
vit-a,1e9,4000000,250000,12,N/A
swin-b,2e9,8000000,500000.5,13,9000
"""


@pytest.fixture
def file(tmp_path: Path):
    def write(text: str, name: str = "phones.csv") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_the_published_kind(file) -> None:
    found = read_timings(file(WIDE), "us")
    assert found.models == ["vit-a", "swin-b"]
    assert found.settings == ["p|1large|float", "q|1|quant"]
    assert found.ms[:, 0].tolist() == [250.0, 500.0005]
    assert math.isnan(found.ms[0, 1])
    assert found.sizes["flops"].tolist() == [1e9, 2e9]
    assert found.column("q|1|quant")[1] == 9.0
    assert found.without(["q|1|quant"]).settings == ["p|1large|float"]


@pytest.mark.parametrize(("unit", "ms"), [("us", 0.003), ("ms", 3.0), ("s", 3000.0)])
def test_one_phone_states_its_unit(file, unit: str, ms: float) -> None:
    found = read_timings(file(f"model,latency_{unit}\nvit-a,3\n", "mine.csv"))
    assert (found.settings, found.ms.tolist()) == (["mine"], [[ms]])
    assert read_timings(file(f"model,latency_{unit}\nvit-a,3\n"), "us").ms[0, 0] == ms
    assert read_timings(file("model,latency\nvit-a,3\n"), unit).ms.tolist() == [[ms]]


@pytest.mark.parametrize(
    ("text", "unit", "said"),
    [
        (WIDE, None, r"states no unit of its column 'p\|1large\|float\|mean'"),
        (WIDE, "min", "is not one of us, ms, s"),
        ("name,latency_ms\na,1\n", None, "the first column is 'name'"),
        ("model,speed\na,1\n", None, "no column holds latencies"),
        ("model,latency_ms\n", None, "no line of timings"),
        ("", None, "no line of timings"),
        ("model,latency_ms\na,1\na,2\n", None, "line 3: the model 'a' is empty or appears twice"),
        ("model,latency_ms\na,-1\n", None, "line 2: latency_ms is '-1', not a number above 0"),
        ("model,latency_ms\na,fast\n", None, "is 'fast', not a number"),
        ("model,latency_ms\na,inf\n", None, "is 'inf', not a number"),
        ("model,latency_ms\na,1,2\n", None, "3 fields instead of 2"),
        ("model,latency_ms,latency_ms\na,1,2\n", None, "'latency_ms' appears twice"),
    ],
)
def test_what_is_refused(file, text: str, unit: str | None, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_timings(file(text), unit)


def test_an_unknown_column_and_a_file_that_is_none(file, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no column 'p\|1largo\|float'.*did you mean"):
        read_timings(file(WIDE), "us").column("p|1largo|float")
    with pytest.raises(UserError, match="does not exist"):
        read_timings(tmp_path / "none.csv")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="binary or not UTF-8"):
        read_timings(tmp_path / "b.csv")
