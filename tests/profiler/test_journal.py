"""What a journal keeps, takes up again and refuses to touch."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from vitprof.errors import UserError
from vitprof.models import Block, ViTSpec
from vitprof.profiler.journal import Journal
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.header import TableHeader

Mlp = Callable[..., Block]
RowOf = Callable[..., Row]


@pytest.fixture
def header(setting: Setting) -> TableHeader:
    return TableHeader(
        setting,
        {"machine": {"cpu": "toy", "l2_kib": 512}, "runtime": {"version": "1"}},
        {"sessions": 3, "sampling": {"warmup_runs": 2}},
        observed={"governor": "powersave"},
    )


@pytest.fixture
def rows(mlp: Mlp, row_of: RowOf, failed_row: Callable[..., Row]) -> list[Row]:
    model = ViTSpec.uniform(24, 1, 1, name="a  b #1, é")
    return [
        row_of(mlp(16), 1.25),
        row_of(model, 2.5, context="in_model"),
        failed_row(mlp(32), 'no "kernel", é'),
        row_of(mlp(64), 5.0),
    ]


def partial(row: Row) -> Row:
    return replace(row, verdict="partial", session_ms=(row.latency_ms,))


def append_all(path: Path, header: TableHeader, rows: list[Row]) -> None:
    with Journal.open(path, header) as journal:
        for row in rows:
            (journal.append_session if row.verdict == "partial" else journal.append_point)(row)


def test_what_was_appended_is_taken_up_again(
    out: Path, header: TableHeader, rows: list[Row]
) -> None:
    begun = [partial(rows[3]), partial(rows[3]), partial(rows[0])]
    append_all(out, header, [*begun, *rows[:3]])
    journal = Journal.open(out, header)
    assert repr(journal.done) == repr({row.key: row for row in rows[:3]})
    assert repr(journal.partial[rows[3].key]) == repr(begun[:2])
    assert journal.header == header
    assert LatencyTable.read_csv(out).unfinished


def test_what_it_keeps_is_as_exact_as_the_file(
    out: Path, header: TableHeader, rows: list[Row]
) -> None:
    """Otherwise going on with a finished table would change its last digits."""
    third = 1 / 3
    point = replace(rows[0], latency_ms=third, low_ms=third / 2, session_ms=(third, 2 * third))
    with Journal.open(out, header) as journal:
        journal.append_session(partial(point))
        journal.append_point(point)
        kept = journal.done[point.key], journal.partial[point.key]
    with Journal.open(out, header) as journal:
        assert (journal.done[point.key], journal.partial.get(point.key, kept[1])) == kept
    assert kept[0].session_ms == (0.3333333, 0.6666667)


def test_a_row_is_in_the_file_as_soon_as_it_is_appended(
    out: Path, header: TableHeader, rows: list[Row]
) -> None:
    with Journal.open(out, header) as journal:
        for done, row in enumerate(rows, start=1):
            journal.append_point(row)
            assert len(LatencyTable.read_csv(out).rows) == done


def test_opening_again_leaves_every_byte_of_what_is_done(
    out: Path, header: TableHeader, rows: list[Row]
) -> None:
    append_all(out, header, rows[:2])
    before = out.read_bytes()
    append_all(out, header, [])
    assert out.read_bytes() == before
    append_all(out, header, rows[2:])
    assert out.read_bytes().startswith(before)


@pytest.mark.parametrize("lost", [1, 2, 20, 60])
def test_a_torn_last_line_is_dropped(
    lost: int, out: Path, header: TableHeader, rows: list[Row]
) -> None:
    append_all(out, header, rows)
    whole = out.read_bytes()
    kept = whole[: whole.rstrip(b"\n").rindex(b"\n") + 1]
    out.write_bytes(whole[:-lost])
    journal = Journal.open(out, header)
    assert out.read_bytes() == kept
    assert list(journal.done) == [row.key for row in rows[:3]]
    with journal:
        journal.append_point(rows[3])
    assert out.read_bytes() == whole


def test_a_line_torn_anywhere_even_inside_a_character_is_dropped(
    out: Path, header: TableHeader, rows: list[Row]
) -> None:
    append_all(out, header, rows[:3])
    whole = out.read_bytes()
    start = whole.rstrip(b"\n").rindex(b"\n") + 1
    for length in range(start + 1, len(whole)):
        out.write_bytes(whole[:length])
        Journal.open(out, header)
        assert out.read_bytes() == whole[:start]


def test_a_torn_first_line_is_begun_anew(out: Path, header: TableHeader, rows: list[Row]) -> None:
    append_all(out, header, [])
    first = out.read_bytes().split(b"\n")[0]
    for length in range(1, len(first) + 1):
        out.write_bytes(first[:length])
        append_all(out, header, rows[:1])
        assert len(Journal.open(out, header).done) == 1


def test_a_tail_of_zeros_as_a_power_cut_leaves_it_is_dropped(
    out: Path, header: TableHeader, rows: list[Row]
) -> None:
    append_all(out, header, rows[:2])
    whole = out.read_bytes()
    out.write_bytes(whole + bytes(100))
    assert len(Journal.open(out, header).done) == 2
    assert out.read_bytes() == whole


def test_a_finished_table_becomes_a_journal_again_and_keeps_its_rows(
    out: Path, header: TableHeader, rows: list[Row]
) -> None:
    LatencyTable(rows[:2], replace(header, seconds={"total": 3.0})).to_csv(out)
    journal = Journal.open(out, header)
    assert list(journal.done) == [row.key for row in rows[:2]]
    assert journal.header.seconds == {"total": 3.0}
    assert LatencyTable.read_csv(out).unfinished
    with journal:
        journal.append_point(rows[2])
    assert repr(LatencyTable.read_csv(out).rows) == repr(rows[:3])


def test_transferred_rows_of_a_table_are_taken_out_to_be_measured(
    out: Path, header: TableHeader, rows: list[Row]
) -> None:
    told = [replace(row, verdict="transferred", session_ms=()) for row in rows[:2]]
    said = {"expected_error": 0.02, "whole_sd": 0.02}
    LatencyTable([*told, *rows[2:]], replace(header, transfer=said)).to_csv(out)
    journal = Journal.open(out, header)
    assert set(journal.done) == {row.key for row in rows[2:]}
    assert journal.header.transfer is None
    assert "transferred" not in out.read_text()


@pytest.mark.parametrize("content", [None, b""], ids=["missing", "empty"])
def test_a_missing_or_empty_file_is_begun(
    content: bytes | None,
    out: Path,
    header: TableHeader,
) -> None:
    if content is not None:
        out.write_bytes(content)
    journal = Journal.open(out, header)
    assert (journal.done, journal.partial, journal.header) == ({}, {}, header)
    assert json.loads(out.read_text().splitlines()[1][2:])["state"] == "measuring"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"setting": {"batch": 8}}, ["setting", "batch 1 against 8"]),
        ({"environment": {"machine": {"cpu": "toy", "l2_kib": 256}}}, ["machine.l2_kib", "512"]),
        ({"environment": {"runtime": {"version": "2"}}}, ["runtime.version", "'1' and '2'"]),
        ({"protocol": {"sessions": 5}}, ["protocol", "sessions: 3 and 5"]),
        ({"protocol": {"sampling": {"warmup_runs": 9}}}, ["sampling.warmup_runs: 2 and 9"]),
    ],
)
@pytest.mark.parametrize("finished", [False, True])
def test_a_table_measured_otherwise_is_refused_and_untouched(
    change: dict[str, dict[str, Any]],
    words: list[str],
    finished: bool,
    out: Path,
    header: TableHeader,
    rows: list[Row],
    refused: Callable[..., object],
) -> None:
    append_all(out, header, rows)
    if finished:
        LatencyTable.read_csv(out).to_csv(out)
    before = out.read_bytes()
    now = header.as_dict() | {part: header.as_dict()[part] | said for part, said in change.items()}
    with refused(str(out), "`fresh`", *words):
        Journal.open(out, TableHeader.from_dict(now, "now"))
    assert out.read_bytes() == before


@pytest.mark.parametrize("content", [b" \n", b"a,b\n1,2\n", b"\x80\x04\x95", b"notes\n", b"\0" * 9])
def test_a_file_that_is_no_table_is_refused_and_untouched(
    content: bytes,
    out: Path,
    header: TableHeader,
    refused: Callable[..., object],
) -> None:
    out.write_bytes(content)
    with refused(str(out)):
        Journal.open(out, header)
    assert out.read_bytes() == content


def test_fresh_writes_over_a_table_measured_otherwise(
    out: Path, header: TableHeader, setting: Setting, rows: list[Row]
) -> None:
    append_all(out, header, rows)
    other = replace(setting, batch=8)
    journal = Journal.open(out, replace(header, setting=other), fresh=True)
    assert journal.done == {}
    assert LatencyTable.read_csv(out).setting == other
    assert LatencyTable.read_csv(out).rows == []


def test_a_missing_folder_and_a_folder_as_file_are_refused(
    out: Path, header: TableHeader, refused: Callable[..., object]
) -> None:
    with refused("missing", "does not exist"):
        Journal.open(out.parent / "missing" / "lut.csv", header)
    for fresh in (False, True):
        with refused(str(out.parent), "directory"):
            Journal.open(out.parent, header, fresh=fresh)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that only its owner may write, with room for a table in it."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_an_unwritable_folder_is_refused(
    public_folder: Path,
    header: TableHeader,
    ordinary_user: None,
    refused: Callable[..., object],
) -> None:
    if public_folder.stat().st_uid == os.geteuid():
        public_folder.chmod(0o555)
    with refused("lut.csv", "cannot be written", "Permission denied"):
        Journal.open(public_folder / "lut.csv", header)
    assert list(public_folder.iterdir()) == []


def test_a_journal_that_may_not_be_written_is_refused(
    public_folder: Path,
    header: TableHeader,
    rows: list[Row],
    request: pytest.FixtureRequest,
    refused: Callable[..., object],
) -> None:
    path = public_folder / "lut.csv"
    append_all(path, header, rows[:1])
    path.chmod(0o444)
    before = path.read_bytes()
    request.getfixturevalue("ordinary_user")
    with refused("lut.csv", "cannot be written"), Journal.open(path, header):
        pass
    assert path.read_bytes() == before


@pytest.mark.parametrize("torn", [False, True])
def test_a_write_that_fails_half_way_is_taken_back_and_reported(
    torn: bool,
    out: Path,
    header: TableHeader,
    rows: list[Row],
    monkeypatch: pytest.MonkeyPatch,
    refused: Callable[..., object],
) -> None:
    with Journal.open(out, header) as journal:
        journal.append_point(rows[0])
        whole = out.read_bytes()

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            if torn:
                patch.setattr(os, "truncate", full)
            with refused("No space left", "1 points done", "continues from"):
                journal.append_point(rows[1])
    assert list(journal.done) == [rows[0].key]
    if not torn:
        assert out.read_bytes() == whole


def test_the_reason_of_an_unreadable_place_is_a_sentence(header: TableHeader, out: Path) -> None:
    out.write_text("file")
    for place in (out / "lut.csv", out.parent / ("n" * 300)):
        with pytest.raises(UserError):
            Journal.open(place, header)


# --- the lock -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fresh", [False, True])
def test_a_journal_that_is_being_written_is_refused_to_everybody_else(
    fresh: bool,
    out: Path,
    header: TableHeader,
    rows: list[Row],
    refused: Callable[..., object],
) -> None:
    with Journal.open(out, header) as journal:
        journal.append_point(rows[0])
        before = out.read_bytes()
        with refused(str(out), "another vitprof is measuring", "`out`"):
            Journal.open(out, header, fresh=fresh)
        assert out.read_bytes() == before
        journal.append_point(rows[1])
    assert out.read_bytes().startswith(before)
    assert list(Journal.open(out, header).done) == [row.key for row in rows[:2]]


def test_of_two_that_opened_only_the_first_to_write_may(
    out: Path, header: TableHeader, refused: Callable[..., object]
) -> None:
    first, second = Journal.open(out, header), Journal.open(out, header)
    with first:
        with refused("another vitprof is measuring"), second:
            pass
        assert second._file is None
    with second:
        pass


def test_the_lock_goes_with_an_exception(
    out: Path,
    header: TableHeader,
) -> None:
    with pytest.raises(KeyboardInterrupt), Journal.open(out, header):
        raise KeyboardInterrupt
    with Journal.open(out, header):
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EBADF, errno.ENOTSUP])
def test_where_the_file_system_cannot_lock_it_measures_without(
    number: int,
    out: Path,
    header: TableHeader,
    rows: list[Row],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Network file systems refuse some locks: that does not mean that another one measures."""

    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    append_all(out, header, rows[:1])
    append_all(out, header, rows[1:])
    assert len(LatencyTable.read_csv(out).rows) == 4


def test_an_op_of_another_wheel_has_columns_of_its_own_behind_all_others(
    header: TableHeader, row_of: RowOf, install_toy: Callable[..., None], tmp_path: Path, mlp: Mlp
) -> None:
    install_toy()
    dims = {"reach": 3, "out_channels": 8, "resolution": 16}
    row = row_of(Block.of("toy_mixer", **dims), 1.25)
    path = tmp_path / "lut.csv"
    with Journal.open(path, header) as journal:
        journal.append_point(row_of(mlp(16), 2.5))
    with Journal.open(path, header) as journal:
        journal.append_point(row)
    with Journal.open(path, header) as journal:
        assert [done.subject for done in journal.done.values()] == [mlp(16), row.subject]
    table = LatencyTable(journal.done.values(), header)
    table.to_csv(path)
    columns = path.read_text().splitlines()[2].split(",")
    assert columns[-1] == "reach"
    read = LatencyTable.read_csv(path)
    assert read.rows[-1].subject == row.subject
    assert read.predict_block(row.subject).ms == pytest.approx(1.25)


def test_a_wheels_axis_may_not_be_a_column_of_every_table(
    header: TableHeader, row_of: RowOf, install_toy: Callable[..., None], tmp_path: Path, refused
) -> None:
    install_toy(('"reach"', '"error"'), ("reach=3", "error=3"))
    block = Block.of("toy_mixer", error=3, out_channels=8, resolution=16)
    with refused("the axis 'error'", "a column of every table"):
        LatencyTable([row_of(block, 1.0)], header).to_csv(tmp_path / "lut.csv")


@pytest.mark.parametrize("fresh", [False, True])
def test_a_pipe_or_a_device_is_no_place_for_a_table(
    fresh: bool, header: TableHeader, tmp_path: Path, refused: Callable[..., Any]
) -> None:
    os.mkfifo(tmp_path / "lut.csv")
    with refused("lut.csv", "pipe"):
        Journal.open(tmp_path / "lut.csv", header, fresh)
    with refused("/dev/null", "character device"):
        Journal.open(os.devnull, header, fresh)
    with refused("'-' is stdout"):
        Journal.open("-", header, fresh)


def test_behind_a_link_it_grows_where_the_link_leads(
    header: TableHeader, rows: list[Row], tmp_path: Path
) -> None:
    link, real = tmp_path / "lut.csv", tmp_path / "real.csv"
    link.symlink_to(real)
    append_all(link, header, rows[:2])
    append_all(link, header, rows[2:3])
    assert link.is_symlink()
    assert len(Journal.open(real, header).done) == 3
