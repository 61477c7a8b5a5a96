"""A run goes on with its own options, and with those of a vitprof that knows more."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import torch
from vitprof import atomic_write
from vitprof.errors import UserError
from vitprof.progress import no_progress
from vitprof.training.plan import TrainingPlan
from vitprof.training.saved_run import ASKED, REPORT, STATE, SavedRun, train_to_end

ASKED_FOR = {"command": "train", "teacher": "", "training": TrainingPlan(epochs=40)}


def begun(folder: Path, **changed: object) -> SavedRun:
    return SavedRun(folder, {**ASKED_FOR, **changed})


def forget(folder: Path, name: str) -> None:
    """Write the options as a vitprof that did not know this one."""
    known = json.loads((folder / ASKED).read_text())
    known.get("training", {}).pop(name, None)
    known.pop(name, None)
    (folder / ASKED).write_text(json.dumps(known))


def test_the_same_options_go_on(tmp_path) -> None:
    begun(tmp_path)
    assert not begun(tmp_path).resumes


def test_a_difference_is_named_by_its_option_alone(tmp_path) -> None:
    begun(tmp_path)
    with pytest.raises(UserError) as error:
        begun(tmp_path, training=TrainingPlan(epochs=8))
    assert "another epochs (epochs 40 -> 8); repeat" in str(error.value)
    with pytest.raises(
        UserError, match=r"\(teacher none -> big, batch 128 -> 3, epochs 40 -> 8 and 1"
    ):
        begun(tmp_path, teacher="big", training=TrainingPlan(epochs=8, seed=1, batch=3))


def test_an_option_that_is_new_is_no_difference(tmp_path, caplog) -> None:
    begun(tmp_path)
    forget(tmp_path, "clip")
    forget(tmp_path, "teacher")
    with caplog.at_level(logging.INFO, "vitprof"):
        begun(tmp_path)
    assert caplog.messages == ["going on with clip 1, which was not known when the run began."]


def test_an_option_that_is_gone_is_no_difference(tmp_path, caplog) -> None:
    begun(tmp_path, curriculum="slow")
    with caplog.at_level(logging.INFO, "vitprof"):
        begun(tmp_path)
    assert caplog.messages == ["going on without curriculum slow, which is not known any more."]


def test_an_option_with_another_name_is_the_same_one(tmp_path) -> None:
    begun(tmp_path)
    text = (tmp_path / ASKED).read_text().replace('"autocast"', '"precision"')
    (tmp_path / ASKED).write_text(text)
    begun(tmp_path)
    with pytest.raises(UserError, match="autocast bf16 -> fp32"):
        begun(tmp_path, training=TrainingPlan(epochs=40, autocast="fp32"))


def test_a_finished_run_is_only_begun_anew_where_asked(tmp_path) -> None:
    begun(tmp_path).finish({"top1": 1.0})
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="finished run; give another `out`, or `fresh`"):
        begun(tmp_path)
    SavedRun(tmp_path, {"command": "other"}, fresh=True)
    assert not (tmp_path / REPORT).exists()
    assert json.loads((tmp_path / ASKED).read_text()) == {"command": "other"}
    assert (tmp_path / "mine.txt").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for fresh in (False, True):
        with pytest.raises(UserError, match="holds no run to continue"):
            SavedRun(tmp_path, ASKED_FOR, fresh=fresh)


def test_a_run_killed_between_its_report_and_its_end_leaves_nothing_behind(tmp_path) -> None:
    begun(tmp_path)
    for model in ("pruned-0.5x", "best"):
        (tmp_path / model).mkdir()
        (tmp_path / model / "spec.json").write_text("{}")
    (tmp_path / "state.pt").write_bytes(b"state")
    (tmp_path / REPORT).write_text("{}")
    (tmp_path / ".vitprof-0123456789abcdef.part").write_text("{")
    atomic_write._swept.clear()
    with pytest.raises(UserError, match="finished run"):
        begun(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {ASKED, REPORT, "best"}


def test_a_finished_run_keeps_what_a_user_put_into_its_folder(tmp_path) -> None:
    begun(tmp_path)
    (tmp_path / REPORT).write_text("{}")
    for state in (False, True):
        (tmp_path / "pruned-mine").mkdir(exist_ok=True)
        (tmp_path / "pruned-mine" / "spec.json").write_text("{}")
        if state:  # a run of its own, beside one that was killed
            (tmp_path / STATE).write_bytes(b"state")
            (tmp_path / "pruned-mine" / ASKED).write_text("{}")
        with pytest.raises(UserError, match="finished run"):
            begun(tmp_path)
        assert (tmp_path / "pruned-mine" / "spec.json").exists()


def test_a_folder_in_which_a_first_write_was_killed_is_begun_anew(tmp_path) -> None:
    (tmp_path / ".vitprof-0123456789abcdef.part").write_text("{")
    begun(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [ASKED]


@pytest.mark.parametrize("text", ["[]", "{", '{"a": NaN}', "\udcff"])
def test_options_that_are_damaged_are_refused(text, tmp_path) -> None:
    begun(tmp_path)
    (tmp_path / ASKED).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match=ASKED):
        begun(tmp_path)


@pytest.mark.parametrize("kind", ["noise", "a list", "code", "a bomb"])
def test_a_state_that_is_damaged_is_refused(kind, tmp_path, monkeypatch) -> None:
    run = begun(tmp_path)
    if kind == "noise":
        (tmp_path / STATE).write_bytes(b"no zip")
    elif kind == "a list":
        torch.save([1], tmp_path / STATE)
    elif kind == "code":
        torch.save({"step": Path.touch}, tmp_path / STATE)
    else:
        torch.save({"step": torch.zeros(100_000)}, tmp_path / STATE)
        monkeypatch.setenv("VITPROF_MEMORY_LIMIT", "100KiB")
    with pytest.raises(UserError, match=STATE):
        run.load()


def test_a_state_with_a_damaged_history_is_refused(tmp_path) -> None:
    run = begun(tmp_path)
    torch.save({"step": 1, "history": [["training", 1, "x", 1.0, 1.0, None]]}, tmp_path / STATE)
    with pytest.raises(UserError, match=f"{STATE}' cannot be read"):
        run.load()


def test_a_state_of_something_else_is_refused(tmp_path) -> None:
    run = begun(tmp_path)
    run.save({"step": "x"})

    class Training:
        def restore(self, state):
            int(state["step"])

    with pytest.raises(UserError, match=f"{STATE}' is not the state of this run"):
        train_to_end(Training(), run, no_progress)
