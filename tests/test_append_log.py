"""Logs that grow line by line: cut anywhere they go on, damaged elsewhere they are refused."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
from vitprof import UserError, append_log
from vitprof.append_log import JsonLog, write_line
from vitprof.profiler.deployed.facts import Facts
from vitprof.profiler.deployed.facts_log import FactsLog
from vitprof.search.evaluation_log import EvaluationLog

RECORDS = [{"nth": 1, "text": "ü"}, {"nth": 2}, {"nth": 3}]
FACTS = Facts("a", "onnxruntime", "fp32", 1, 1, 10, 20, 30, 1.0, 0.9, 1.1, 100.0, 40, 50)


def opened(path: Path, header: dict[str, Any] | None = None) -> JsonLog:
    return JsonLog(
        path, "vitprof-test", header or {"seed": 3}, what="a test", remedy="give another `out`"
    )


def records(path: Path) -> list[dict[str, Any]]:
    return [record for _, record in opened(path).records]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "log.jsonl"


@pytest.fixture
def whole(path: Path) -> bytes:
    log = opened(path)
    for record in RECORDS:
        log.append(record)
    return path.read_bytes()


def test_what_was_appended_is_found_again(whole: bytes, path: Path) -> None:
    log = opened(path)
    assert [record for _, record in log.records] == RECORDS
    assert log.records[0][0] == f"{path}, line 2"
    assert log.header == {"seed": 3}
    assert path.read_bytes() == whole
    assert log.differing({"seed": 3}) is None
    assert log.differing({"seed": 4}) == "seed"
    assert log.differing({}) == "seed"


def test_cut_at_every_byte_it_goes_on_with_the_whole_lines(whole: bytes, path: Path) -> None:
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        kept = max(whole[:length].count(b"\n") - 1, 0)
        log = opened(path)
        assert [record for _, record in log.records] == RECORDS[:kept]
        log.append({"nth": 9})
        assert records(path) == [*RECORDS[:kept], {"nth": 9}]


def test_a_line_broken_in_two_is_refused_with_its_number(whole: bytes, path: Path) -> None:
    for place in (place for place, byte in enumerate(whole[:-1]) if byte != ord("\n")):
        path.write_bytes(whole[:place] + b"\n" + whole[place + 1 :])
        with pytest.raises(UserError, match=r"log\.jsonl(, line \d+ is| is not a log of a test)"):
            opened(path)


@pytest.mark.parametrize(
    "text",
    ["", "not a log\n", '{"other": 1}\n', "a text without a newline", "# vitprof-table: 1\n"],
)
def test_another_file_is_left_as_it_is(text: str, path: Path) -> None:
    path.parent.mkdir()
    path.write_text(text)
    if not text:
        opened(path)
        return
    with pytest.raises(UserError, match=r"is not a log of a test; give another `out`\."):
        opened(path)
    assert path.read_text() == text


def test_another_version_is_refused(path: Path) -> None:
    opened(path)
    path.write_text(path.read_text().replace(": 1,", ": 12,"))
    with pytest.raises(UserError, match="is of another version of vitprof"):
        opened(path)


class FullDisk(FileIO):
    """Takes a few bytes and no more."""

    def write(self, data: Any) -> int:
        return super().write(data[:4])


def test_a_full_disk_leaves_the_file_as_it_was(whole: bytes, path: Path) -> None:
    with FullDisk(path, "ab") as file, pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        write_line(file, b'{"nth": 4}\n')
    assert path.read_bytes() == whole


def test_a_place_that_cannot_be_written_is_one_sentence(path: Path, ordinary_user: None) -> None:
    with pytest.raises(UserError, match=r"log\.jsonl cannot be read"):
        opened(path)


def evaluations(path: Path) -> tuple[Callable[[], None], dict[Any, Any]]:
    log = EvaluationLog(path, {"seed": 3})
    return lambda: log.append((7,), 0.5), log.found


def facts(path: Path) -> tuple[Callable[[], None], dict[Any, Any]]:
    log = FactsLog(path, {"seed": 3}, {"m": "digest"})
    return lambda: log.add(f"v{len(log.found)}", "m", FACTS, 1.0), log.found


@pytest.mark.parametrize("log_of", [evaluations, facts])
def test_the_logs_of_searches_and_of_facts_go_on_from_every_cut(
    log_of: Callable[[Path], tuple[Callable[[], None], dict[Any, Any]]], tmp_path: Path
) -> None:
    path = tmp_path / "log.jsonl"
    append, found = log_of(path)
    append()
    whole, all_found = path.read_bytes(), dict(found)
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        append, found = log_of(path)
        assert found == (all_found if length == len(whole) else {})
        append()
        assert path.read_bytes() == whole + (b"" if length < len(whole) else _last(path))
        path.unlink()


def _last(path: Path) -> bytes:
    return path.read_bytes().splitlines(keepends=True)[-1]


def test_a_variant_that_is_damaged_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    FactsLog(path, {"seed": 3}, {"m": "digest"}).add("v", "m", FACTS, 1.0)
    lines = path.read_text().splitlines()
    record = json.loads(lines[1])
    for broken in ({**record, "facts": 3}, {**record, "reference_ms": None}, {"variant": "v"}):
        path.write_text("\n".join([lines[0], json.dumps(broken)]) + "\n")
        with pytest.raises(UserError, match=r"facts\.jsonl, line 2 is not a measured variant"):
            FactsLog(path, {"seed": 3}, {"m": "digest"})


def test_models_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    FactsLog(path, {"seed": 3}, {"m": "digest"}).add("v", "m", FACTS, 1.0)
    with pytest.raises(UserError, match="measured with another model m"):
        FactsLog(path, {"seed": 3}, {"m": "another"})
    with pytest.raises(UserError, match="measured with another seed"):
        FactsLog(path, {"seed": 4}, {"m": "digest"})


def test_a_pipe_or_a_device_is_no_log_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log.jsonl")
    with pytest.raises(UserError, match="pipe"):
        opened(tmp_path / "log.jsonl")
    with pytest.raises(UserError, match="/dev/null' is a character device"):
        opened(Path(os.devnull))


def test_a_log_that_another_process_has_begun_meanwhile_is_read_and_not_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.jsonl"
    real, asked = append_log.only_begun, []

    def only_begun(place: Path, beginning: bytes) -> bool:
        """Let another process begin the log between the first look and the second."""
        answer = real(place, beginning)
        if not asked:
            asked.append(1)
            monkeypatch.setattr(append_log, "only_begun", real)
            opened(path).append({"number": 7})
        return answer

    path.write_bytes(b"")
    monkeypatch.setattr(append_log, "only_begun", only_begun)
    with pytest.MonkeyPatch.context() as unlocked:
        # One process cannot wait for itself.
        unlocked.setattr(append_log, "locked", lambda _: contextlib.nullcontext())
        log = opened(path)
    assert [record for _, record in log.records] == [{"number": 7}]
    assert path.read_bytes().count(b"\n") == 2
