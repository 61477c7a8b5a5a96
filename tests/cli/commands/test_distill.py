"""`vitprof distill` on digits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ..conftest import TINY

pytestmark = pytest.mark.slow

QUICK = (
    "--data",
    "digits",
    "--epochs",
    1,
    "--augment",
    "none",
    "--autocast",
    "fp32",
    "--sessions",
    1,
    "--test-images",
    100,
)


@pytest.fixture
def student(tmp_path: Path) -> Path:
    path = tmp_path / "student.json"
    path.write_text(json.dumps({**TINY, "embed": 16, "heads": 2, "mlp": 16}))
    return path


def test_a_student_is_trained_and_both_are_measured(run, trained, student, tmp_path) -> None:
    out = tmp_path / "out"
    answer = run(
        "distill", "--teacher", trained, "--student", student, *QUICK, "--out", out, "--json"
    )
    assert answer.code in (0, 1), answer.err
    report = answer.json
    teacher, pupil = report["models"]
    assert (teacher["name"], pupil["name"]) == ("teacher", "student")
    assert report["smaller"] == pytest.approx(teacher["params"] / pupil["params"])
    assert pupil["params"] < teacher["params"] / 3
    told = run("eval", "--model", out, "--data", "digits", "--json")
    assert told.code == 0, told.err
    assert {"spec.json", "model.safetensors", "facts.csv", "facts.png", "report.json"} <= {
        path.name for path in out.iterdir()
    }


@pytest.mark.long
def test_the_teacher_is_listened_to(run, trained, student, tmp_path) -> None:
    weights = []
    for weight in (0, 5):
        out = tmp_path / f"weight-{weight}"
        answer = run(
            "distill",
            "--teacher",
            trained,
            "--student",
            student,
            *QUICK,
            "--weight",
            weight,
            "--out",
            out,
        )
        assert answer.code in (0, 1), answer.err
        weights.append((out / "model.safetensors").read_bytes())
    assert weights[0] != weights[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "give --student, or --preset"),
        (("--preset", "vit-b-deit"), "did you mean 'vit-b-deit-ti'"),
        (("--preset", "vit-b-deit-ti"), "is of a teacher that is a ViT-B"),
    ],
)
def test_a_student_has_to_be_named(run, trained, tmp_path, options, words) -> None:
    answer = run("distill", "--teacher", trained, *options, *QUICK, "--out", tmp_path / "out")
    assert answer.code == 2
    assert answer.is_one_sentence
    assert words in answer.err
    assert not (tmp_path / "out").exists()


def test_a_student_of_texts_is_refused(run, trained, tmp_path) -> None:
    answer = run(
        "distill",
        "--teacher",
        trained,
        "--student",
        "bert-tiny",
        "--data",
        "digits",
        "--out",
        tmp_path / "out",
    )
    assert answer.code == 2
    assert answer.is_one_sentence
    assert "the student bert-tiny takes texts, and its teacher images" in answer.err


def test_a_student_of_other_classes_is_refused(run, trained, tmp_path) -> None:
    path = tmp_path / "other.json"
    path.write_text(json.dumps({**TINY, "classes": 7, "name": "other"}))
    answer = run(
        "distill", "--teacher", trained, "--student", path, *QUICK, "--out", tmp_path / "out"
    )
    assert answer.code == 2
    assert answer.is_one_sentence
    assert "the student other has 7 classes and its teacher tiny 10" in answer.err
