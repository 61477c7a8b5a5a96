from __future__ import annotations

import json

import pytest
from vitprof.search.evaluation_log import EvaluationLog

ASKED = {"seed": 3, "space": {"name": "tiny"}}


def test_what_was_appended_is_found_again(tmp_path) -> None:
    path = tmp_path / "log.jsonl"
    log = EvaluationLog(path, ASKED)
    log.append((1, 2), 0.5)
    log.append((0, 0), 0.25)
    assert EvaluationLog(path, ASKED).found == {(1, 2): 0.5, (0, 0): 0.25}


def test_a_torn_last_line_is_dropped_and_written_anew(tmp_path) -> None:
    path = tmp_path / "log.jsonl"
    EvaluationLog(path, ASKED).append((1, 2), 0.5)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"candidate": [0, ')
    log = EvaluationLog(path, ASKED)
    assert log.found == {(1, 2): 0.5}
    log.append((7, 7), 0.75)
    assert EvaluationLog(path, ASKED).found == {(1, 2): 0.5, (7, 7): 0.75}


def test_a_torn_head_begins_anew(tmp_path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"vitprof-sea')
    EvaluationLog(path, ASKED).append((1,), 1.0)
    assert EvaluationLog(path, ASKED).found == {(1,): 1.0}


def test_going_on_without_a_seed_is_refused(tmp_path, refused) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps({"vitprof-search": 1, "space": {"name": "tiny"}}) + "\n")
    with refused("does not say with which seed"):
        EvaluationLog(path, ASKED)


def test_another_search_is_refused_by_what_differs(tmp_path, refused) -> None:
    path = tmp_path / "log.jsonl"
    EvaluationLog(path, ASKED)
    with refused("another seed", "3", "now 4"):
        EvaluationLog(path, {**ASKED, "seed": 4})


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[1]",
        '{"candidate": [1, true], "figure": 0.5}',
        '{"candidate": 1, "figure": 0.5}',
        '{"candidate": [1], "figure": NaN}',
        '{"candidate": [1], "figure": "0.5"}',
        '{"candidate": [1]}',
    ],
)
def test_a_damaged_line_is_named(tmp_path, refused, line) -> None:
    path = tmp_path / "log.jsonl"
    EvaluationLog(path, ASKED).append((1,), 0.5)
    with path.open("a") as file:
        file.write(line + "\n")
    with refused("log.jsonl, line 3"):
        EvaluationLog(path, ASKED)


def test_another_file_is_refused(tmp_path, refused) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"something": "else"}\n')
    with refused("not a log of a search"):
        EvaluationLog(path, ASKED)
