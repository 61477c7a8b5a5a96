"""`vitprof.evaluate` on digits."""

from __future__ import annotations

import pytest
import vitprof
from vitprof import UserError

from .learned import TINY, learned


def test_it_says_what_training_said() -> None:
    run, seen = learned(), []
    found = vitprof.evaluate(run.path, "digits", progress=lambda *step: seen.append(step))
    assert (found.top1, found.top3) == (run.top1, run.top3)
    assert found.count == 359
    assert seen[-1] == ("testing", 359, 359, "images")
    assert list(found.report())[:3] == ["model", "images", "top1"]
    assert found.to_frame()["top1"].iloc[0] == pytest.approx(found.top1, abs=1e-6)
    assert repr(found).startswith(f"{run.spec.name}: top-1 ")
    assert "<table" in found._repr_html_()


def test_a_spec_takes_its_weights_from_a_checkpoint() -> None:
    weights = learned().path / "model.safetensors"
    assert vitprof.evaluate(TINY, "digits", checkpoint=weights).top1 == learned().top1


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "has no weights; give `checkpoint`"),
        ({"sequence_length": 8}, "`sequence_length` is for models of texts"),
        ({"batch": 0}, "`batch` is 0"),
    ],
)
def test_errors_name_the_parameter(changed, words) -> None:
    with pytest.raises(UserError, match=words):
        vitprof.evaluate(TINY, "digits", **changed)
