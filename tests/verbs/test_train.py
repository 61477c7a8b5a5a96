"""`vitprof.train` on digits."""

from __future__ import annotations

import gc
import json
import math

import pandas as pd
import pytest
import torch
import vitprof
from vitprof import UserError
from vitprof.training.saved_run import SavedRun

from .learned import QUICK, SMALL, TINY, learned

pytestmark = pytest.mark.slow


def test_a_model_is_trained_and_its_folder_is_one() -> None:
    run = learned()
    assert run.top1 > 0.3
    assert run.top1 < run.top3 <= 1
    assert run.spec.classes == 10
    assert vitprof.create_spec(run.path).params == run.spec.params
    report = json.loads((run.path / "report.json").read_text())
    assert report == run.report()
    assert list(report) == [
        "model",
        "images",
        "test_images",
        "epochs",
        "top1",
        "top3",
        "top5",
        "out",
    ]


def test_its_history_ends_with_the_accuracy() -> None:
    run = learned()
    history = run.history
    assert list(history.columns) == ["stage", "step", "epoch", "learning_rate", "loss", "top1"]
    assert list(history["step"]) == list(range(1, len(run.losses) + 1))
    assert tuple(history["loss"]) == run.losses
    assert history["epoch"].iloc[-1] == 6
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    assert history["learning_rate"].max() == pytest.approx(1e-3, rel=0.01)
    assert history["top1"].iloc[-1] == pytest.approx(run.top1)
    assert history["top1"].isna().sum() == len(history) - 1
    written = pd.read_csv(run.path / "history.csv")
    pd.testing.assert_frame_equal(written, history, rtol=1e-5)


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_testing_on_the_way_shows_what_the_run_would_give_and_changes_nothing(
    tmp_path, ema
) -> None:
    how = {"batch": 256, **QUICK, "ema": ema, "decay": False, "warmup": 0.0}
    plain = vitprof.train(SMALL, "digits", out=tmp_path / "plain", epochs=2, **how)
    shown = []
    tested = vitprof.train(
        SMALL,
        "digits",
        out=tmp_path / "tested",
        epochs=2,
        test_every=0.5,
        progress=lambda stage, done, total, detail: shown.append(detail),
        **how,
    )
    assert tested.losses == plain.losses
    assert tested.top1 == plain.top1
    tests = tested.history.dropna(subset="top1")
    assert list(tests["epoch"]) == pytest.approx([0.5, 1, 1.5, 2], abs=0.11)
    # Without a schedule a shorter run is the first half of this one.
    half = vitprof.train(SMALL, "digits", out=tmp_path / "half", epochs=1, **how)
    assert tests["top1"].iloc[1] == pytest.approx(half.top1)
    assert any(f"top-1 {100 * half.top1:.2f} %" in words for words in shown)
    assert len(tested.figure().axes) == 2


def test_a_tiny_distance_of_tests_tests_after_every_step(tmp_path) -> None:
    run = vitprof.train(
        SMALL, "digits", out=tmp_path / "out", epochs=1, batch=256, test_every=1e-300, **QUICK
    )
    assert run.history["top1"].notna().all()
    assert list(run.history["step"]) == list(range(1, len(run.losses) + 1))


def test_a_distance_of_tests_is_above_0(tmp_path) -> None:
    for wrong in (0, -1.0, math.nan, math.inf):
        with pytest.raises(UserError, match="`test_every`"):
            vitprof.train(SMALL, "digits", out=tmp_path / "out", test_every=wrong)
    assert not (tmp_path / "out").exists()


def test_it_shows_and_saves_itself(tmp_path) -> None:
    run = learned()
    assert "top-1" in repr(run)
    assert "<table" in run._repr_html_()
    assert run.to_frame()["top1"].iloc[0] == pytest.approx(run.top1, abs=1e-6)
    run.plot(tmp_path / "loss.png")
    run.save(tmp_path / "saved")
    assert (tmp_path / "loss.png").stat().st_size > 1000
    assert len((tmp_path / "saved" / "history.csv").read_text().splitlines()) == 1 + len(run.losses)


def test_an_interrupted_run_keeps_its_history(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(SavedRun, "is_due", lambda self: True)
    how = {"out": tmp_path / "out", "epochs": 1, "batch": 256, **QUICK}

    def stop(stage: str, done: int, total: int, detail: str) -> None:
        if stage == "training" and done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vitprof.train(SMALL, "digits", progress=stop, **how)
    with pytest.raises(UserError, match="epochs 1 -> 2"):
        vitprof.train(SMALL, "digits", **{**how, "epochs": 2})
    run = vitprof.train(SMALL, "digits", **how)
    whole = vitprof.train(SMALL, "digits", **{**how, "out": tmp_path / "whole"})
    assert run.losses == whole.losses
    histories = [(tmp_path / name / "history.csv").read_text() for name in ("out", "whole")]
    assert histories[0] == histories[1]
    assert run.top1 == whole.top1
    with pytest.raises(UserError, match="finished run"):
        vitprof.train(SMALL, "digits", **how)
    assert vitprof.train(SMALL, "digits", **how, fresh=True).top1 == whole.top1


def test_a_teacher_is_heard_as_autovit_writes_it(tmp_path) -> None:
    taught = {"teacher": learned().path, "epochs": 0.3, **QUICK}

    def losses(name: str, **given: object) -> tuple[float, ...]:
        return vitprof.train(SMALL, "digits", out=tmp_path / name, **{**taught, **given}).losses

    plain = losses("plain", teacher=None)
    assert losses("deaf", alpha=0.0) == pytest.approx(plain)
    hard = losses("hard")
    assert hard == losses("half", distill="hard", alpha=0.5) != plain
    soft = losses("soft", distill="soft", alpha=1.0, tau=2.0)
    assert soft != losses("softer", distill="soft", alpha=1.0, tau=4.0)
    record = json.loads((tmp_path / "soft" / "run.json").read_text())
    assert [record[name] for name in ("distill", "alpha", "tau")] == ["soft", 1.0, 2.0]


def test_two_classes_have_no_top3(tmp_path) -> None:
    import numpy as np

    pixels = np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "two.npz", images=pixels, labels=np.arange(40) % 2)
    run = vitprof.train(SMALL, tmp_path / "two.npz", out=tmp_path / "out", epochs=0, batch=8)
    assert math.isnan(run.top3)
    assert run.losses == ()
    assert run.spec.classes == 2


def test_a_teacher_is_asked_about_an_image_once_by_all_runs(tmp_path, monkeypatch) -> None:
    from vitprof.training.teachers.adapted import Adapted

    asked, answer = [], Adapted.forward

    def counted(self: Adapted, images: torch.Tensor) -> torch.Tensor:
        asked.append(len(images))
        return answer(self, images)

    monkeypatch.setattr(Adapted, "forward", counted)
    how = {**QUICK, "augment": "none", "epochs": 2, "batch": 256}
    teacher = {"teacher": learned().path, "teacher_cache": tmp_path / "kept"}
    first = vitprof.train(TINY, "digits", out=tmp_path / "a", **how, **teacher)
    many = sum(asked)
    assert 1280 <= many <= first.images
    gc.collect()
    again = vitprof.train(TINY, "digits", out=tmp_path / "b", **how, **teacher)
    assert sum(asked) == many
    assert again.losses == pytest.approx(first.losses, abs=1e-3)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"batch": 0}, "`batch` is 0"),
        ({"epochs": -1}, "`epochs` is -1"),
        ({"augment": "ligth"}, "`augment` 'ligth' is unknown.*did you mean 'light'"),
        ({"autocast": "fp8"}, "`autocast` 'fp8'"),
        ({"optimizer": "moun"}, "`optimizer` 'moun' is unknown.*did you mean 'muon'"),
        ({"train_device": "tpu"}, "`train_device` tpu"),
        ({"teacher": "nowhere"}, "`teacher` nowhere is not a folder"),
        ({"distill": "soft"}, "give `teacher`"),
        ({"teacher_cache": "kept"}, "`teacher_cache` keeps a teacher's answers; give `teacher`"),
        ({"teacher": "x", "teacher_cache": "kept", "augment": "light"}, "use `augment` none"),
        ({"teacher": "x", "distill": "warm"}, "'warm' is not a way to learn"),
        ({"teacher": "x", "alpha": 2}, "`alpha` 2 is not a weight"),
        ({"teacher": "x", "tau": 2}, "`tau` is the temperature of `distill` soft"),
        ({"batch": 2000}, "take a smaller `batch`"),
        ({"init": "mimetik"}, "'mimetik' is unknown .did you mean 'mimetic'"),
        ({"patch_dropout": 1}, "`patch_dropout` is 1.0; it has to be from 0 to below 1"),
    ],
)
def test_errors_name_the_parameter(tmp_path, changed, words) -> None:
    with pytest.raises(UserError, match=words):
        vitprof.train(TINY, "digits", out=tmp_path / "out", **{**QUICK, **changed})


def test_mimetic_weights_are_where_a_training_begins_and_never_over_others(tmp_path) -> None:
    options = {"epochs": 0.0, "augment": "none"}
    found = [
        vitprof.train(TINY, "digits", out=tmp_path / init, init=init, **options)
        for init in ("default", "mimetic")
    ]
    plain, mimetic = (vitprof.create_model(run.path, checkpoint=run.path) for run in found)
    assert not torch.equal(plain.pos_embed, mimetic.pos_embed)
    with pytest.raises(UserError, match="it has some already"):
        vitprof.train(found[0].path, "digits", out=tmp_path / "out", init="mimetic", **options)
