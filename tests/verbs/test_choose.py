"""`vitprof.choose` among two tiny models of digits, measured here."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
import vitprof
from vitprof import UserError
from vitprof.verbs.chosen import ChoiceResult

from .learned import learned

pytestmark = pytest.mark.slow

QUICK = {"sessions": 1, "judge_images": 60, "dtypes": ["fp32", "int8"]}


@cache
def chosen() -> ChoiceResult:
    out = Path(mkdtemp(prefix="vitprof-chosen-")) / "out"
    return vitprof.choose(learned().path, "digits", out=out, algorithm="exhaustive", **QUICK)


def test_the_best_score_is_chosen() -> None:
    run = chosen()
    frame = run.to_frame()
    assert set(frame["precision"]) == {"fp32", "int8"}
    assert run.score == frame["score"].max() == frame["score"].iloc[0]
    assert run.best.name == frame["name"].iloc[0]
    assert run.file.stat().st_size == run.facts.file_bytes
    assert run.tested is not None
    assert run.tested.images == 359 - 60
    assert json.loads((run.path / "report.json").read_text()) == run.report()


def test_it_shows_and_saves_itself(tmp_path) -> None:
    run = chosen()
    assert "2 measured of 2 variants" in repr(run)
    assert "<table" in run._repr_html_()
    run.plot(tmp_path / "chosen.svg")
    assert run.best.name in (tmp_path / "chosen.svg").read_text()
    run.save(tmp_path / "again")
    names = {path.name for path in (tmp_path / "again").iterdir()}
    assert names == {"best", "variants.csv", "variants.png", "report.json"}


def test_what_was_measured_serves_other_limits(tmp_path) -> None:
    facts = chosen().path / "facts.jsonl"
    kept = facts.read_text()
    slower = chosen().to_frame()["latency_ms"].max()
    run = vitprof.choose(
        [learned().path],
        "digits",
        out=tmp_path / "out",
        facts=facts,
        algorithm="exhaustive",
        max_latency=0.999 * slower,
        min_accuracy="10%",
        **QUICK,
    )
    assert facts.read_text() == kept
    assert run.facts.latency_ms < slower
    assert [row["score"] is None for row in run.measured] == [False, True]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dtypes": "int4"}, "unknown `dtypes` 'int4'"),
        ({"threads": [0]}, "`threads` [0] is not a list"),
        ({"max_cpu": "-3"}, "`max_cpu` -3"),
        ({"max_params": 10}, "over 10 parameters"),
        ({"algorithm": "greedy"}, "unknown `algorithm` 'greedy'"),
        ({"max_memory": "1MiB", "algorithm": "exhaustive"}, "MiB where 1 MiB is the limit"),
    ],
)
def test_what_cannot_be_is_one_sentence_in_words_of_python(tmp_path, options, words: str) -> None:
    asked = {**QUICK, "facts": chosen().path / "facts.jsonl", **options}
    with pytest.raises(UserError) as error:
        vitprof.choose(learned().path, "digits", out=tmp_path / "out", **asked)
    assert words in str(error.value)
    assert "--" not in str(error.value)
