"""Progress where no terminal is: plain lines, by a scripted clock."""

from __future__ import annotations

from vitprof.progress import shown_progress
from vitprof.progress_lines import progress_lines


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_line_after_some_time_with_what_is_left_and_one_at_the_end() -> None:
    clock, said = Clock(), []
    with progress_lines(clock, said.append) as update:
        for done in range(1, 5):
            clock.now += 20
            update("measuring", done, 4, "points")
    assert said == [
        "measuring: 2/4 points, 20 s, 20 s left",
        "measuring: 4/4 points, 60 s",
        "measuring: 4/4 points, 60 s",
    ]


def test_stages_that_take_turns_do_not_fill_the_log() -> None:
    clock, said = Clock(), []
    with progress_lines(clock, said.append) as update:
        for epoch in range(5):
            clock.now += 1
            update("training", epoch + 1, 5, "loss 1.2")
            update("testing", 1, 1)
    assert said == ["training: 5/5 loss 1.2, 4 s", "testing: 1/1, 4 s"]


def test_an_open_end_and_long_times_in_words() -> None:
    clock, said = Clock(), []
    with progress_lines(clock, said.append) as update:
        update("waiting", 0, 0)
        clock.now += 7384
        update("waiting", 7384, 0)
    assert said[-1] == "waiting: 7384, 2:03 h"


def test_work_that_never_began_says_nothing(capsys) -> None:
    with shown_progress(True):
        pass
    assert capsys.readouterr().err == ""


def test_without_a_terminal_the_lines_go_to_stderr(capsys) -> None:
    with shown_progress(True) as update:
        update("measuring", 3, 3, "points [bold]")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("measuring: 3/3 points [bold], ")
