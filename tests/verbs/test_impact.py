"""`vitprof.impact` on a tiny model of digits."""

from __future__ import annotations

import csv

import pytest
import vitprof
from vitprof import UserError
from vitprof.models.removal import removable
from vitprof.tables import LatencyTable, Row, Setting

from .learned import TINY, learned

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def table() -> LatencyTable:
    specs = [learned().spec, *(module.left for module in removable(learned().spec))]
    blocks = dict.fromkeys(block for spec in specs for block in spec.blocks())
    rows = [Row(block, latency_ms=block.macs / 1e6 + 0.01) for block in blocks]
    return LatencyTable(rows, Setting("cpu", "onnxruntime", "CPUExecutionProvider"))


@pytest.fixture(scope="module")
def worth(table):
    return vitprof.impact(learned().path, table, data="digits", images=120)


def test_every_module_is_weighed(worth, table) -> None:
    frame = worth.to_frame()
    assert set(frame["module"]) == {module.name for module in removable(TINY)}
    assert (frame["latency_ms"] == table.predict(worth.spec).ms).all()
    first = worth.impacts[0]
    assert frame["points_lost"].iloc[0] == first.points_lost
    assert frame["ms_saved"].iloc[0] == pytest.approx(first.ms - first.ms_without)
    assert len(worth.images) == 120
    assert worth.calibration is None  # nothing has batch norms


def test_it_shows_and_saves_itself(worth, tmp_path) -> None:
    assert "of 120 images" in repr(worth)
    assert "<table" in worth._repr_html_()
    worth.save(tmp_path)
    lines = list(csv.DictReader((tmp_path / "impact.csv").open()))
    assert [line["module"] for line in lines] == list(worth.to_frame()["module"])
    assert (tmp_path / "impact.png").read_bytes().startswith(b"\x89PNG")
    worth.plot(tmp_path / "impact.svg")
    assert "layers.0.attention" in (tmp_path / "impact.svg").read_text()


def test_what_cannot_be_is_one_sentence_in_words_of_python(table) -> None:
    with pytest.raises(UserError, match="`calibration_images` 1: one image has no variance"):
        vitprof.impact(learned().path, table, data="digits", calibration_images=1)
    with pytest.raises(UserError, match="has no weights; give `checkpoint`"):
        vitprof.impact(TINY, table, data="digits")
