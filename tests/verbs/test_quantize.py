"""`vitprof.quantize` on digits."""

from __future__ import annotations

import json

import pytest
import vitprof
from vitprof import UserError

from .learned import learned

pytestmark = pytest.mark.slow

QUICK = {"sessions": 1, "test_images": 50}


def test_the_formats_stand_side_by_side(tmp_path) -> None:
    out = tmp_path / "int8"
    files = vitprof.quantize(learned().path, "digits", out=out, **QUICK)
    assert list(files.to_frame()["name"]) == ["fp32", "int8"]
    assert files.facts[1].file_bytes < files.facts[0].file_bytes
    assert json.loads((out / "report.json").read_text()) == files.report()
    assert list(files.report()) == ["model", "runtime", "models", "remarks", "out"]
    assert "2 models side by side, by onnxruntime" in repr(files)
    assert "<table" in files._repr_html_()
    files.save(tmp_path / "again")
    assert (tmp_path / "again" / "facts.csv").read_text() == (out / "facts.csv").read_text()
    files.plot(tmp_path / "facts.svg")
    assert (tmp_path / "facts.svg").stat().st_size > 1000


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"dtype": "int4"}, "no precision 'int4'"),
        ({"dtype": "fp32"}, "add `dtype` int8"),
        ({"calibration": "minmix"}, "`calibration` 'minmix'.*did you mean 'minmax'"),
        ({"sessions": 0}, "`sessions` is 0"),
        ({"resolution": 9}, "the digits are 8 x 8"),
    ],
)
def test_errors_name_the_parameter(tmp_path, changed, words) -> None:
    with pytest.raises(UserError, match=words):
        vitprof.quantize(learned().path, "digits", out=tmp_path / "out", **{**QUICK, **changed})
    assert not (tmp_path / "out").exists()


def test_a_name_and_a_file_of_weights_are_a_trained_model(tmp_path) -> None:
    folder = learned().path
    by_folder = vitprof.quantize(folder, "digits", out=tmp_path / "a", **QUICK)
    by_weights = vitprof.quantize(
        folder / "spec.json",
        "digits",
        checkpoint=folder / "model.safetensors",
        out=tmp_path / "b",
        **QUICK,
    )
    assert [one.top1 for one in by_weights.facts] == [one.top1 for one in by_folder.facts]
    with pytest.raises(UserError, match="brings its own weights"):
        vitprof.quantize("net.onnx", checkpoint="w.pth", out=tmp_path / "c", **QUICK)
