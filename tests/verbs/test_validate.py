"""`vitprof.validate` and the table's own method."""

from __future__ import annotations

from pathlib import Path

import pytest
import vitprof

pytestmark = pytest.mark.slow


def test_a_table_is_validated_and_drawn(table, tmp_path: Path) -> None:
    stages: list[str] = []
    result = table.validate(
        samples=3, sessions=2, time="10m", seed=2, progress=lambda stage, *_: stages.append(stage)
    )
    assert list(dict.fromkeys(stages)) == ["validating"]
    frame = result.to_frame()
    assert len(frame) == result.report()["samples"] == 3
    errors = frame["predicted_ms"] / frame["measured_ms"] - 1
    assert result.report()["table"]["mape"] == pytest.approx(errors.abs().mean())
    assert result.errors.mape == result.report()["table"]["mape"]
    assert result.report()["rounds"] == 2
    assert result.interval[0] <= result.errors.mape <= result.interval[1]
    assert repr(result).startswith("3 unseen models on cpu: the table errs by")
    assert "<table" in result._repr_html_()
    result.plot(tmp_path / "validate.png")
    assert (tmp_path / "validate.png").stat().st_size > 10_000


def test_a_family_the_table_lacks_and_two_answers_are_refused(table, refused) -> None:
    with refused("`space` has a family of its own", "`family`"):
        vitprof.validate(table.source, family="vit", space="autovit-xxs")
    with refused("vitt", "did you mean 'vit'"):
        vitprof.validate(table, family="vitt")
