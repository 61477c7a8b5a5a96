"""The rows of a history: how many, what the file holds, what the picture shows."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.training.history import (
    COLUMNS,
    ROWS,
    History,
    HistoryRow,
    history_curves,
    history_figure,
    history_frame,
)
from vitprof.training.loop import Progress


def filled(steps: int, tests: tuple[int, ...] = ()) -> History:
    history = History()
    for step in range(1, steps + 1):
        top1 = 0.5 if step in tests else None
        history.add("training", Progress(step, 1 / step, 1e-3), steps, 100, top1)
    return history


@given(st.integers(1, 20_000))
def test_a_stage_has_so_many_rows_at_most_and_its_last_step(steps: int) -> None:
    history = History()
    # Only steps that may get a row, and their neighbours: all of them take too long.
    every = -(-steps // ROWS)
    near = {step + by for step in range(0, steps + 1, every) for by in (-1, 0, 1)}
    for step in sorted(step for step in near | {steps} if 1 <= step <= steps):
        history.add("training", Progress(step, 1.0, 1e-3), steps, 100)
    assert len(history.rows) <= ROWS + 1
    assert history.rows[-1].step == steps
    assert len(history.rows) == steps or len(history.rows) >= ROWS // 2


def test_a_short_run_has_a_row_a_step_and_a_tested_step_always_has_one() -> None:
    assert [row.step for row in filled(3).rows] == [1, 2, 3]
    rows = filled(10 * ROWS, (17,)).rows
    assert [row.step for row in rows[:3]] == [10, 17, 20]
    assert [row.top1 for row in rows[:3]] == [None, 0.5, None]


def test_the_file_has_the_rows(monkeypatch) -> None:
    history = filled(2)
    history.tested("training", 0.75)
    history.add("finetuning 0.5x", Progress(1, 0.125, 5e-4), 1, 4)
    rows = list(csv.reader(io.StringIO(history.to_csv())))
    assert rows == [
        list(COLUMNS),
        ["training", "1", "0.01", "0.001", "1", ""],
        ["training", "2", "0.02", "0.001", "0.5", "0.75"],
        ["finetuning 0.5x", "1", "0.25", "0.0005", "0.125", ""],
    ]


def test_an_accuracy_belongs_to_the_last_row_of_its_stage_alone() -> None:
    history = filled(2)
    history.add("pruning", Progress(1, 0.125, 5e-4), 1, 4)
    history.tested("finetuning", 0.75)
    history.tested("training", 0.5)
    assert [row.top1 for row in history.rows] == [None, 0.5, None]
    History().tested("training", 0.5)


def test_a_tracker_gets_a_step_and_its_numbers() -> None:
    rows = filled(1, (1,)).rows
    numbers = {"epoch": 0.01, "learning_rate": 1e-3, "loss": 1.0, "top1": 0.5}
    assert history_curves(rows) == [(1, {f"training/{name}": v for name, v in numbers.items()})]


def test_the_state_gives_the_history_again() -> None:
    history = filled(5, (2,))
    assert History.from_state(history.state()).rows == history.rows
    for damaged in (3, [[1, 2]], [None], [["training", 1, "x", 1.0, 1.0, None]]):
        with pytest.raises((TypeError, ValueError)):
            History.from_state(damaged)


def test_the_picture_has_the_accuracies_where_there_are_some() -> None:
    rows = filled(5).rows
    assert [axes.get_ylabel() for axes in history_figure(rows, "digits").axes] == [
        "loss, running mean"
    ]
    rows = filled(5, (2, 4)).rows
    loss, top1 = history_figure(rows, "digits").axes
    assert list(loss.lines[0].get_ydata()) == [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]
    assert list(top1.lines[0].get_xdata()) == [0.02, 0.04]
    assert list(top1.lines[0].get_ydata()) == [50, 50]
    assert history_figure((), "nothing was trained").axes


def test_an_empty_history_is_a_table_without_rows() -> None:
    assert list(history_frame(()).columns) == list(COLUMNS)
    frame = history_frame([HistoryRow("training", 1, 0.5, 1e-3, 2.0)])
    assert frame["top1"].isna().all()
