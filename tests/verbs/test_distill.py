"""`vitprof.distill` on digits."""

from __future__ import annotations

import json

import pytest
import vitprof
from vitprof import UserError

from .learned import QUICK, SMALL, TINY, learned

pytestmark = pytest.mark.slow

MEASURED = {"sessions": 1, "test_images": 50}


def test_a_student_learns_and_both_are_measured(tmp_path) -> None:
    out = tmp_path / "small"
    pair = vitprof.distill(
        learned().path, "digits", student=SMALL, out=out, epochs=1, **QUICK, **MEASURED
    )
    assert list(pair.to_frame()["name"]) == ["teacher", "student"]
    assert pair.smaller == pytest.approx(TINY.params / SMALL.params)
    report = json.loads((out / "report.json").read_text())
    assert report == json.loads(json.dumps(pair.report()))
    assert list(report) == [
        "teacher",
        "student",
        "runtime",
        "epochs",
        "weight",
        "temperature",
        "smaller",
        "models",
        "remarks",
        "out",
    ]
    assert vitprof.evaluate(out, "digits").spec.params == SMALL.params
    assert "teacher" in repr(pair)


def test_a_student_learns_by_autovits_losses(tmp_path) -> None:
    pair = vitprof.distill(
        learned().path,
        "digits",
        student=SMALL,
        out=tmp_path / "small",
        distill="soft",
        alpha=0.7,
        temperature=2,
        epochs=0.2,
        **QUICK,
        **MEASURED,
    )
    report = json.loads((tmp_path / "small" / "report.json").read_text())
    own = {name: report.get(name) for name in ("distill", "alpha", "temperature", "weight")}
    assert own == {"distill": "soft", "alpha": 0.7, "temperature": 2, "weight": None}
    assert (pair.weight, pair.temperature, pair.learning.alpha) == (None, 2, 0.7)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "give `student`, or `preset`"),
        ({"preset": "vit-b-deit-ti", "student": SMALL}, "give `student`, or `preset`"),
        ({"preset": "vit-b-deit-ti"}, "`preset` vit-b-deit-ti is of a teacher that is a ViT-B"),
        ({"student": SMALL, "temperature": 0}, "`temperature` is 0; it has to be above 0"),
        ({"student": SMALL, "alpha": 0.5}, "add one of them"),
        ({"student": SMALL, "run_batch": 0}, "`run_batch` is 0"),
    ],
)
def test_errors_name_the_parameter(tmp_path, changed, words) -> None:
    with pytest.raises(UserError, match=words):
        vitprof.distill(learned().path, "digits", out=tmp_path / "out", **{**QUICK, **changed})
    assert not (tmp_path / "out").exists()
