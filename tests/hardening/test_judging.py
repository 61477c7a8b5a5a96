"""The campaign's judgement: a loss, a doubled row and a growth are seen, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hardening_parts.commands import Place
from hardening_parts.comparing import differences, doubled_points, kept_lines, lost_lines
from hardening_parts.soak import judged
from hardening_parts.writes import calls_to_fail, kind_of, names_the_place

CSV = '# vitprof-table: 1\n# {{"seconds": {seconds}, "device": "cpu"}}\nop,embed,latency_ms\n{rows}'


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders with the same results and other times."""
    folders = (tmp_path / "a", tmp_path / "b")
    for seconds, folder in enumerate(folders):
        folder.mkdir()
        report = {"top1": 0.5, "models": [{"seconds": seconds, "params": 7}]}
        (folder / "report.json").write_text(json.dumps(report))
        (folder / "lut.csv").write_text(CSV.format(seconds=seconds, rows="mlp,8,1.5\n"))
        (folder / "model.safetensors").write_bytes(b"\xff\x00")
        (folder / "plot.png").write_bytes(bytes([seconds, 1]))
    return folders


def test_times_are_no_difference(two: tuple[Path, Path]) -> None:
    assert differences(*two, ("seconds",)) == []
    assert differences(*two, ()) == ["lut.csv differs", "report.json differs"]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("report.json", b'{"top1": 0.4}', "report.json differs"),
        ("report.json", b'{"top1": 0.', "report.json differs"),
        ("model.safetensors", b"\xff\x01", "model.safetensors differs"),
        ("plot.png", b"", "plot.png is empty"),
        ("lut.csv", CSV.format(seconds=1, rows="mlp,8,1.4\n").encode(), "lut.csv differs"),
        (".vitprof-1.part", b"", ".vitprof-1.part is left over"),
    ],
)
def test_what_differs_is_named(
    two: tuple[Path, Path], name: str, content: bytes, told: str
) -> None:
    (two[1] / name).write_bytes(content)
    assert differences(*two, ("seconds",)) == [told]
    (two[1] / "report.json").unlink()
    assert "report.json is missing" in differences(*two, ("seconds",))


def test_a_lost_and_a_doubled_row_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "lut.csv"
    path.write_text(CSV.format(seconds=1, rows="mlp,8,1.5\nmlp,16,2.5\nmlp,24,"))
    before = kept_lines(path)
    assert before == ["mlp,8,1.5", "mlp,16,2.5"]
    assert lost_lines(before, [*before, "mlp,24,3.5"]) == []
    assert lost_lines(before, before[:1]) == ["mlp,16,2.5"]
    assert lost_lines(["x", "x"], ["x"]) == ["x"]
    path.write_text(CSV.format(seconds=1, rows="mlp,8,1.5\nmlp,8,2.5\n"))
    assert len(doubled_points(path)) == 1


def test_every_kind_of_call_is_among_those_that_fail() -> None:
    made = [f"write work/out/.vitprof-{n}.part" for n in range(997)]
    made[500] = "rename work/out/model.safetensors"
    made[20] = made[900] = "fsync work/out/lut.csv"
    assert list(calls_to_fail(made[:5], 60, 0)) == [1, 2, 3, 4, 5]
    some = calls_to_fail(made, 60, 0)
    assert len(some) == len(set(some)) == 60
    assert {1, 21, 501, 901, 997} <= set(some)
    assert calls_to_fail(made, 60, 0) == some
    assert list(calls_to_fail(made, 2, 0)) == [1, 21, 501, 901, 997]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("write tmp/tmpab12_x9z/model.onnx", "write tmp/tmpq0w9e8r7/model.onnx", True),
        ("open work/out/state-12.pt", "open work/out/state-7.pt", True),
        ("open work/out/state.pt", "write work/out/state.pt", False),
        ("open work/out/report.json", "open work/out/spec.json", False),
    ],
)
def test_kinds_of_calls(one: str, other: str, same: bool) -> None:
    assert (kind_of(one) == kind_of(other)) is same


def test_a_sentence_names_the_file_or_its_folder(tmp_path: Path) -> None:
    place = Place(tmp_path)
    struck = f"write {place.work}/out/.vitprof-12.part"
    assert names_the_place("vitprof: out/lut.csv cannot be written.", struck, place)
    part = f"write {place.work}/.vitprof-12.part"
    assert names_the_place("vitprof: lut.csv cannot be written.", part, place, ["lut.csv"])
    assert not names_the_place("vitprof: a file cannot be written.", struck, place)
    lock = f"open {place.locks}/host.lock"
    assert names_the_place("vitprof: the folder out cannot be made.", lock, place, ["out"])
    assert not names_the_place("vitprof: a file cannot be written.", lock, place, ["out"])


def test_growth_is_told_from_a_flat_line() -> None:
    flat = [{"memory_mib": 100 + n % 3, "files": 9} for n in range(60)]
    assert judged(flat) == {"memory_mib": "", "files": ""}
    leaking = [{"memory_mib": 100 + n, "files": 9 + n // 20} for n in range(60)]
    assert judged(leaking) == {"memory_mib": "from 119.5 to 151.5", "files": "from 10 to 11"}
