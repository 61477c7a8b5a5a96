"""`vitprof.prune_heads` on digits."""

from __future__ import annotations

import json

import pytest
import vitprof
from vitprof import UserError

from .learned import learned

pytestmark = pytest.mark.slow

QUICK = {"sessions": 1, "test_images": 50, "reconstruct": 64}


def test_every_level_is_a_smaller_model(tmp_path) -> None:
    out = tmp_path / "levels"
    found = vitprof.prune_heads(learned().path, "digits", out=out, heads=[2, 3], **QUICK)
    assert [level.heads_in_all for level in found.levels] == [8, 6, 3]
    assert [len(level.gone) for level in found.levels] == [0, 2, 3]
    for level, one in zip(found.levels, found.facts, strict=True):
        assert vitprof.create_spec(level.path) == level.spec
        assert one.params == level.spec.params
        assert one.name == level.path.name
    report = json.loads((out / "report.json").read_text())
    assert report == json.loads(json.dumps(found.report()))
    assert list(report) == [
        "model",
        "runtime",
        "norm",
        "reconstruct",
        "levels",
        "models",
        "remarks",
        "out",
    ]
    assert report["levels"][2]["heads_in_all"] == 3
    assert list(found.to_frame()["name"]) == ["whole", "level-1", "level-2"]
    assert "3 models side by side" in repr(found)
    assert "<table" in found._repr_html_()
    found.plot(tmp_path / "heads.svg")
    assert (tmp_path / "heads.svg").stat().st_size > 1000


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"heads": "1,x"}, "`heads` 1,x is not a list"),
        ({"heads": [9]}, "only 6 can, for each layer keeps one"),
        ({"heads": []}, "not a list of heads"),
        ({"levels": 7}, "use fewer `levels`"),
        ({"levels": 0}, "`levels` is 0"),
        ({"norm": "l2"}, "`norm` l2 is none of its choices"),
        ({"reconstruct": -1}, "`reconstruct` -1 is not a whole number from 0 on"),
        ({"batch": 0}, "`batch` is 0"),
    ],
    ids=str,
)
def test_what_cannot_be_is_one_sentence(tmp_path, given, words) -> None:
    with pytest.raises(UserError) as caught:
        vitprof.prune_heads(learned().path, "digits", out=tmp_path / "out", **{**QUICK, **given})
    assert words in str(caught.value)
    assert not (tmp_path / "out").exists()
