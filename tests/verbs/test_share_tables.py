"""Sharing tables by a folder and by a hub, of which a stand-in is served here."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import stand_in_hub
import vitprof
from vitprof.models import Block
from vitprof.tables import LatencyTable, Row, Setting
from vitprof.tables.header import TableHeader
from vitprof.verbs.share_tables import PulledTables, PushedTable


def table_of(device: str, count: int = 20, unstable: int = 0, failed: int = 0) -> LatencyTable:
    rows = []
    for n in range(count):
        verdict = "failed" if n < failed else "unstable" if n < failed + unstable else "stable"
        times = {"error": "x"} if verdict == "failed" else {"latency_ms": n + 1.0}
        if verdict != "failed":
            times |= {"low_ms": n + 0.9, "high_ms": n + 1.1}
        block = Block.of("mlp", embed=8 + n, mlp=32, tokens=5)
        rows.append(Row(block, verdict=verdict, **times))  # type: ignore[arg-type]
    environment = {"machine": {"cpu": f"CPU of {device}"}}
    header = TableHeader(Setting("cpu", "onnxruntime"), environment=environment)
    return LatencyTable(rows, header, source=f"{device}.csv")


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    place = tmp_path / "shared"
    for device in ("pixel", "laptop"):
        vitprof.push_table(table_of(device), place, name=device)
    return place


def test_a_table_is_shared_and_found_again(tmp_path: Path) -> None:
    pushed = vitprof.push_table(table_of("pixel"), tmp_path / "s", licence="CC-BY-4.0")
    assert isinstance(pushed, PushedTable)
    assert pushed.name == "cpu-cpu-of-pixel-onnxruntime-fp32-b1-t1"
    assert len(pushed.files) == len(pushed.to_frame()) == 3
    pulled = vitprof.pull_tables(tmp_path / "s", out=tmp_path / "out")
    assert isinstance(pulled, PulledTables)
    table = pulled.tables[pushed.name]
    assert table.header.licence == "CC-BY-4.0"
    assert table.to_text() == (tmp_path / "out" / f"{pushed.name}.csv").read_text()
    assert "CC-BY-4.0" in (tmp_path / "out" / f"{pushed.name}.md").read_text()
    assert not pulled.is_doubtful
    assert pulled.title == f"1 tables of {tmp_path / 's'}"
    again = vitprof.push_table(table_of("pixel"), tmp_path / "s", licence="CC-BY-4.0")
    assert again.files == []


def test_doubtful_tables_are_refused_unless_told(tmp_path: Path) -> None:
    for table, words in [
        (table_of("a", unstable=3), r"3 of 20 rows .*\(0 failed, 3 unstable\), more than 10%"),
        (table_of("a", failed=3), r"\(3 failed, 0 unstable\)"),
    ]:
        with pytest.raises(vitprof.UserError, match=words):
            vitprof.push_table(table, tmp_path / "s", name="a")
    assert not (tmp_path / "s").exists()
    vitprof.push_table(table_of("a", unstable=2), tmp_path / "s", name="a")
    vitprof.push_table(table_of("b", unstable=20), tmp_path / "s", name="b", most_doubtful="100%")
    assert "20 unstable" in (tmp_path / "s" / "tables" / "b.md").read_text()


def test_unfinished_and_empty_tables_are_refused(tmp_path: Path) -> None:
    table = table_of("a")
    unfinished = LatencyTable(table.rows, table.header, unfinished=True)
    with pytest.raises(vitprof.UserError, match="is unfinished"):
        vitprof.push_table(unfinished, tmp_path / "s")
    with pytest.raises(vitprof.UserError, match="no rows"):
        vitprof.push_table(table.with_rows([]), tmp_path / "s")


def test_device_and_name_choose(shared: Path) -> None:
    assert list(vitprof.pull_tables(shared).tables) == ["laptop", "pixel"]
    assert list(vitprof.pull_tables(shared, device="OF PIX").tables) == ["pixel"]
    assert list(vitprof.pull_tables(shared, names=["laptop"]).tables) == ["laptop"]
    with pytest.raises(vitprof.UserError, match=r"no table of a device 'tpu'; it has laptop, pix"):
        vitprof.pull_tables(shared, device="tpu")
    with pytest.raises(vitprof.UserError, match="no table 'x'"):
        vitprof.pull_tables(shared, names=["x"])


def test_a_damaged_table_is_told_and_the_others_are_copied(shared: Path, tmp_path: Path) -> None:
    path = shared / "tables" / "pixel.csv"
    path.write_text(path.read_text().replace(",stable,", ",steady,", 1))
    pulled = vitprof.pull_tables(shared, out=tmp_path / "out")
    assert pulled.is_doubtful
    assert list(pulled.tables) == ["laptop"]
    assert "pixel.csv, line 4" in pulled.refused["pixel"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["laptop.csv", "laptop.md"]


def test_nothing_is_written_over_unless_told(shared: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    vitprof.pull_tables(shared, out=out)
    vitprof.pull_tables(shared, out=out)
    (out / "pixel.csv").write_text("mine")
    with pytest.raises(vitprof.UserError, match=r"pixel\.csv exists and is another"):
        vitprof.pull_tables(shared, out=out)
    assert (out / "pixel.csv").read_text() == "mine"
    vitprof.pull_tables(shared, out=out, fresh=True)
    assert (out / "pixel.csv").read_text() != "mine"


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(vitprof.UserError, match="holds no tables"):
        vitprof.pull_tables(tmp_path)
    with pytest.raises(vitprof.UserError, match="cannot be made"):
        vitprof.push_table(table_of("a"), tmp_path / "no" / "such")
    with pytest.raises(vitprof.UserError, match="licence"):
        vitprof.push_table(table_of("a"), tmp_path, licence="a\nb")


# --- the hub --------------------------------------------------------------------------------------


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[stand_in_hub.Hub]:
    """A data set someone/tables at a hub on this machine, empty but for its README."""
    pytest.importorskip("huggingface_hub")
    made = stand_in_hub.Hub("someone/tables")
    made.files["README.md"] = b"---\ntags: [latency]\n---\n\n# Ours\n"
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_TOKEN", "hf_of_nobody")
    with stand_in_hub.served(made) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield made


def test_tables_go_to_the_hub_in_one_commit_and_back(hub, tmp_path: Path) -> None:
    pushed = vitprof.push_table(table_of("pixel"), "hf:someone/tables", name="pixel")
    assert pushed.address == f"https://huggingface.co/datasets/someone/tables/commit/{hub.revision}"
    assert sorted(hub.files) == ["README.md", "tables/pixel.csv", "tables/pixel.md"]
    assert len(hub.commits) == 1
    assert hub.files["README.md"].startswith(b"---\ntags: [latency]\n---\n\n# Ours\n")
    vitprof.push_table(table_of("laptop"), "hf:someone/tables", name="laptop")
    assert b"[pixel](tables/pixel.md)" in hub.files["README.md"]
    assert b"[laptop](tables/laptop.md)" in hub.files["README.md"]
    pulled = vitprof.pull_tables("hf:someone/tables", device="pixel", out=tmp_path / "out")
    assert list(pulled.tables) == ["pixel"]
    assert pulled.tables["pixel"].to_text() == table_of("pixel").to_text()
    again = vitprof.push_table(table_of("pixel"), "hf:someone/tables", name="pixel")
    assert (again.files, again.address, len(hub.commits)) == ([], "", 2)


def test_another_table_at_the_hub_stays(hub) -> None:
    vitprof.push_table(table_of("pixel"), "hf:someone/tables", name="pixel")
    before = dict(hub.files)
    with pytest.raises(vitprof.UserError, match="hf:someone/tables has another table named pixel"):
        vitprof.push_table(table_of("laptop"), "hf:someone/tables", name="pixel")
    assert hub.files == before


def test_a_commit_in_between_is_not_written_over(hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from vitprof.tables.sharing.hub import HubRepository

    fetch = HubRepository.fetch

    def fetch_then_another_commits(self: HubRepository, folder: Path, cards: bool) -> None:
        fetch(self, folder, cards)
        hub.files["tables/pixel.csv"] = b"someone else's"

    monkeypatch.setattr(HubRepository, "fetch", fetch_then_another_commits)
    with pytest.raises(vitprof.UserError, match="hf:someone/tables cannot be used"):
        vitprof.push_table(table_of("pixel"), "hf:someone/tables", name="pixel")
    assert hub.files["tables/pixel.csv"] == b"someone else's"


def test_only_tables_of_a_bounded_size_are_downloaded(hub, monkeypatch) -> None:
    vitprof.push_table(table_of("pixel"), "hf:someone/tables", name="pixel")
    hub.files |= {"model.bin": b"x", "tables/a/b.csv": b"x", "tables/Big.csv": b"x"}
    hub.downloads.clear()
    vitprof.pull_tables("hf:someone/tables")
    assert sorted(hub.downloads) == ["tables/pixel.csv"]
    monkeypatch.setattr("vitprof.tables.sharing.hub.LARGEST_TABLE", 10)
    hub.downloads.clear()
    with pytest.raises(vitprof.UserError, match=r"pixel\.csv is larger than"):
        vitprof.pull_tables("hf:someone/tables")
    assert hub.downloads == []


def test_a_damaged_table_at_the_hub_is_refused_with_its_line(hub) -> None:
    vitprof.push_table(table_of("pixel"), "hf:someone/tables", name="pixel")
    text = hub.files["tables/pixel.csv"]
    hub.files["tables/pixel.csv"] = text.replace(b",stable,", b",steady,", 1)
    pulled = vitprof.pull_tables("hf:someone/tables")
    assert pulled.refused["pixel"].startswith("hf:someone/tables/tables/pixel.csv, line 4")


def test_a_hub_that_is_not_there_is_one_sentence(hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(vitprof.UserError, match="hf:someone/others cannot be used"):
        vitprof.pull_tables("hf:someone/others")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(vitprof.UserError, match="hf:someone/tables cannot be used"):
        vitprof.pull_tables("hf:someone/tables")
    for name in ("someone", "../x/y", "a/b/c", "a/..b"):
        with pytest.raises(vitprof.UserError, match="names no repository"):
            vitprof.pull_tables(f"hf:{name}")


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(vitprof.UserError, match=r"vitprof\[hub\]"):
        vitprof.pull_tables("hf:someone/tables")


def test_reports_are_json(shared: Path) -> None:
    report = vitprof.pull_tables(shared).report()
    assert json.loads(json.dumps(report))["tables"][0]["name"] == "laptop"
    pushed = vitprof.push_table(replace_first(table_of("x")), shared, name="x")
    assert json.loads(json.dumps(pushed.report()))["rows"] == 20


def replace_first(table: LatencyTable) -> LatencyTable:
    return table.with_rows([replace(table.rows[0], latency_ms=0.95), *table.rows[1:]])
