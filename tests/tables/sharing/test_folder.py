"""A folder of shared tables: what is written, and what is not believed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from vitprof.errors import UserError
from vitprof.models import Block
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.sharing import folder as shared
from vitprof.tables.sharing.folder import SharedTable, check_table_name, read_folder, written_to


@pytest.fixture
def table(setting: Setting) -> LatencyTable:
    rows = [
        Row(Block.of("mlp", embed=e, mlp=32, tokens=5), latency_ms=e, low_ms=e, high_ms=e)
        for e in (8.0, 16.0)
        for e in (int(e),)
    ]
    return LatencyTable(rows, setting)


@pytest.fixture
def place(tmp_path: Path, table: LatencyTable) -> Path:
    written_to(read_folder(tmp_path), SharedTable("first", table))
    return tmp_path


def put(place: Path, name: str, text: str) -> Path:
    path = place / "tables" / f"{name}.csv"
    path.write_text(text)
    return path


def test_a_table_is_written_with_its_card_and_index(place: Path, table: LatencyTable) -> None:
    assert sorted(str(p.relative_to(place)) for p in place.rglob("*") if p.is_file()) == [
        "README.md",
        "tables/first.csv",
        "tables/first.md",
    ]
    again = read_folder(place)
    assert again.refused == {}
    assert again.tables["first"].table.to_text() == table.to_text()
    assert written_to(again, SharedTable("first", table)) == []


def test_another_table_of_that_name_stays(place: Path, table: LatencyTable) -> None:
    before = (place / "tables" / "first.csv").read_bytes()
    other = SharedTable("first", table.with_rows(table.rows[:1]))
    with pytest.raises(UserError, match=r"another table named first \(device cpu, 2 rows\)"):
        written_to(read_folder(place), other)
    assert (place / "tables" / "first.csv").read_bytes() == before
    files = written_to(read_folder(place), other, fresh=True)
    assert files == ["tables/first.md", "tables/first.csv", "README.md"]
    assert len(read_folder(place).tables["first"].table.rows) == 1


def test_what_cannot_be_read_is_not_written_over(place: Path, table: LatencyTable) -> None:
    put(place, "odd", "not a table")
    with pytest.raises(UserError, match="is not a table that can be read"):
        written_to(read_folder(place), SharedTable("odd", table))


def test_a_damaged_table_is_refused_with_its_line_and_others_are_read(place: Path) -> None:
    lines = (place / "tables" / "first.csv").read_text().splitlines()
    lines[4] = lines[4].replace(",16,", ",sixteen,", 1)
    put(place, "broken", "\n".join(lines) + "\n")
    put(place, "empty", "")
    found = read_folder(place, "there")
    assert list(found.tables) == ["first"]
    assert set(found.refused) == {"broken", "empty"}
    assert found.refused["broken"].startswith("there/tables/broken.csv, line 5:")
    assert str(place) not in found.refused["broken"]


def test_links_are_not_followed(place: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.csv"
    outside.write_text((place / "tables" / "first.csv").read_text())
    (place / "tables" / "link.csv").symlink_to(outside)
    os.mkfifo(place / "tables" / "pipe.csv")
    (place / "tables" / "folder.csv").mkdir()
    found = read_folder(place)
    assert list(found.tables) == ["first"]
    assert "is a link" in found.refused["link"]
    assert "not a plain file" in found.refused["pipe"]
    assert "not a plain file" in found.refused["folder"]


def test_a_folder_of_tables_that_leads_elsewhere_is_refused(place: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "tables").symlink_to(place / "tables")
    with pytest.raises(UserError, match="is not a folder of its own"):
        read_folder(other)


def test_nothing_is_written_through_a_link(place: Path, table: LatencyTable, tmp_path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (place / "tables" / "second.md").symlink_to(victim)
    with pytest.raises(UserError, match="is a link"):
        written_to(read_folder(place), SharedTable("second", table))
    assert victim.read_text() == "mine"
    (place / "README.md").unlink()
    (place / "README.md").symlink_to(victim)
    with pytest.raises(UserError, match="is a link"):
        written_to(read_folder(place), SharedTable("third", table))
    assert victim.read_text() == "mine"


def test_sizes_and_numbers_are_bounded(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "LARGEST_TABLE", 100)
    assert "larger than" in read_folder(place).refused["first"]
    monkeypatch.setattr(shared, "MOST_TABLES", 1)
    put(place, "second", "x")
    with pytest.raises(UserError, match="has 2 tables, more than 1"):
        read_folder(place)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "A", "a b", "-a", "a..b", ".hidden", "a\n", "x" * 101]
)
def test_a_name_is_a_file_name_and_nothing_more(name: str) -> None:
    with pytest.raises(UserError, match="cannot be a shared table's name"):
        check_table_name(name)


def test_odd_names_in_the_folder_are_refused(place: Path) -> None:
    text = (place / "tables" / "first.csv").read_text()
    put(place, "With Space", text)
    put(place, "esc\x1b[31m", text)
    found = read_folder(place)
    assert list(found.tables) == ["first"]
    assert len(found.refused) == 2
    assert all(c.isprintable() for key in found.refused for c in key)


def test_no_folder_is_an_error_and_an_empty_one_has_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a folder"):
        read_folder(tmp_path / "nothing")
    assert read_folder(tmp_path).tables == {}
