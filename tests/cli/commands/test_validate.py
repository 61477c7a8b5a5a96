"""`vitprof validate` for real, on a tiny table, and what it refuses."""

from __future__ import annotations

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from vitprof.profiler.validation.twice import Answer
from vitprof.tables import LatencyTable

pytestmark = pytest.mark.slow

ERRORS = {"mape", "bias", "worst", "within_5", "within_10", "kendall_tau"}
LINES = ("naive_sum", "macs_line", "macs_blocks_line")
LEARNED = ("operator_model", "mlp", "random_forest")
QUICK = ("--samples", "3", "--sessions", "1")


def test_json_picture_and_csv_say_the_same(run, measured, tmp_path) -> None:
    path, _ = measured
    before = path.read_bytes()
    out, plot = tmp_path / "models.csv", tmp_path / "validate.png"
    answer = run(
        "validate", "--table", path, *QUICK, "--train", "3", "--out", out, "--plot", plot, "--json"
    )
    assert answer.code == 0, answer.err
    result = answer.json
    assert result["samples"] == 3
    for part in ("table", "noise_floor", "table_raw", "noise_floor_raw"):
        assert set(result[part]) == ERRORS
    assert list(result["rivals"]) == [*LINES, *LEARNED]
    for name, rival in result["rivals"].items():
        assert set(rival) == ERRORS | {"trained_on", "training_s"}
        assert rival["trained_on"] == (0 if name == "naive_sum" else 3)
    assert 0 <= result["coverage"] <= 1

    frame = pd.read_csv(out)
    assert list(frame.columns) == [
        "model",
        "measured_ms",
        "first_ms",
        "again_ms",
        "predicted_ms",
        "low_ms",
        "high_ms",
        *(f"{name}_ms" for name in (*LINES, *LEARNED)),
    ]
    assert list(frame["model"]) == ["unseen-0", "unseen-1", "unseen-2"]
    errors = frame["predicted_ms"] / frame["measured_ms"] - 1
    assert result["table"]["mape"] == pytest.approx(errors.abs().mean(), abs=1e-4)
    assert result["table"]["bias"] == pytest.approx(errors.mean(), abs=1e-4)
    floor = (frame["first_ms"] / frame["again_ms"] - 1).abs().mean()
    assert 0 < result["noise_floor"]["mape"] < floor, "of one session each it is larger"
    assert result["interval"][0] <= result["table"]["mape"] <= result["interval"][1]
    assert (result["rounds"], result["asked"]) == (2, 3)
    assert result["stopped"] in ("rounds", "settled")
    assert result["seconds"] > 0
    inside = (frame["low_ms"] <= frame["measured_ms"]) & (frame["measured_ms"] <= frame["high_ms"])
    assert result["coverage"] == pytest.approx(inside.mean(), abs=1e-4)
    assert np.ptp(matplotlib.image.imread(plot)[:, :, :3], axis=2).max() > 0.2
    assert path.read_bytes() == before


def test_for_people_every_predictor_has_a_line(run, measured) -> None:
    path, _ = measured
    answer = run("validate", "--table", path, *QUICK)
    assert answer.code == 0, answer.err
    for words in (
        "this table",
        "sum of lone blocks",
        "a·MACs + b",
        "noise floor: measured again",
        "not corrected for drift",
        "95 % interval",
        "of the 3 measurements",
        "after 2 rounds in",
    ):
        assert words in answer.out
    assert "MLP" not in answer.out


def test_interrupted_after_two_rounds_it_prints_the_answer_so_far(
    run, measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = measured
    monkeypatch.setattr(Answer, "is_settled", property(interrupted))
    answer = run("validate", "--table", path, "--samples", "4", "--time", "10m", "--json")
    assert answer.code == 130
    assert "interrupted" in answer.err
    assert (answer.json["rounds"], answer.json["stopped"]) == (2, "interrupted")
    assert answer.json["samples"] == 4


def interrupted(_: Answer) -> bool:
    raise KeyboardInterrupt


@pytest.mark.long
def test_the_seed_makes_the_same_models_again(run, measured, tmp_path) -> None:
    """The models can be asked about afterwards: the seed makes them again."""
    path, _ = measured
    copies = []
    for seed in ("3", "3", "4"):
        out = tmp_path / "models.csv"
        assert run("validate", "--table", path, *QUICK, "--seed", seed, "--out", out).code == 0
        copies.append(pd.read_csv(out)["predicted_ms"].tolist())
    assert copies[0] == copies[1] != copies[2]


def test_a_table_of_another_machine_is_refused(run, measured) -> None:
    path, _ = measured
    cpu = LatencyTable.read_csv(path).environment["machine"]["cpu"]
    path.write_text(path.read_text().replace(cpu, "Some Other CPU"))
    answer = run("validate", "--table", path, *QUICK)
    assert answer.code == 2
    assert answer.is_one_sentence
    assert "another machine" in answer.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--samples", "2"), ["--samples", "2"]),
        (("--samples", "some"), ["--samples", "some"]),
        (("--train", "-1"), ["--train", "-1"]),
        (("--sessions", "0"), ["--sessions", "0"]),
        (("--seed", "x"), ["--seed"]),
        (("--time", "soon"), ["soon", "60s, 2m or 1h"]),
        (("--family", "vitt"), ["vitt", "did you mean 'vit'"]),
    ],
    ids=" ".join,
)
def test_a_bad_value_is_one_sentence_and_nothing_is_written(
    arguments: tuple[str, ...], words: list[str], run, measured, tmp_path, monkeypatch
) -> None:
    path, _ = measured
    monkeypatch.chdir(tmp_path)
    answer = run("validate", "--table", path, "--plot", "validate.png", *arguments)
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    for word in words:
        assert word in answer.err
    assert answer.out == ""
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_table_is_one_sentence(run, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    answer = run("validate", "--table", "missing.csv")
    assert answer.code == 2
    assert answer.is_one_sentence
    assert "missing.csv" in answer.err


def test_an_unfinished_table_is_refused(run, measured) -> None:
    path, _ = measured
    path.write_text(path.read_text().replace('"state": "complete"', '"state": "measuring"'))
    before = path.read_bytes()
    answer = run("validate", "--table", path)
    assert answer.code == 2
    assert answer.is_one_sentence
    assert "unfinished" in answer.err
    assert path.read_bytes() == before


def test_models_are_compiled_at_once_before_the_first_round(run, measured, tmp_path) -> None:
    path, _ = measured
    kept = tmp_path / "kept"
    answer = run("validate", "--table", path, *QUICK, "--jobs", "2", "--artifacts", kept)
    assert answer.code == 0, answer.err
    assert "compiling: 3/3 2 at once" in answer.err
    # The reference is compiled when it is opened.
    assert len(list(kept.glob("*.artifact"))) == 4
    refused = run("validate", "--table", path, "--jobs", "-1")
    assert refused.code == 2
    assert refused.is_one_sentence
