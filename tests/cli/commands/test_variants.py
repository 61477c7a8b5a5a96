"""`vitprof variants` on a table that no machine measured."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from vitprof.models import create_spec
from vitprof.models.ablations import single_variants
from vitprof.tables import LatencyTable, Row, Setting


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory, row_of, setting: Setting) -> Path:
    """1 ms per 100 MMACs of every block of M4's single variants but those with a layer norm."""
    spec = create_spec("efficientvit-m4")
    kept = [v for v in single_variants(spec) if "norm" not in v.changed]
    blocks = dict.fromkeys(block for variant in kept for block in variant.spec.blocks())
    rows: list[Row] = [row_of(block, block.macs / 1e8) for block in blocks]
    path = tmp_path_factory.mktemp("variants") / "lut.csv"
    LatencyTable(rows, setting).to_csv(path)
    return path


def test_json_says_what_each_choice_costs_and_ranks(run, table: Path) -> None:
    answer = run("variants", "--table", table, "--choices", "depth,qk", "--json")
    assert answer.code == 0, answer.err
    base = create_spec("efficientvit-m4").macs / 1e8
    assert answer.json["latency_ms"] == pytest.approx(base)
    depth = next(each for each in answer.json["choices"] if each["variant"] == "depth=0.5")
    assert depth["more_ms"] == pytest.approx(depth["latency_ms"] - base, rel=1e-5)
    assert list(answer.json["not_covered"]) == ["norm=layer"]
    assert answer.json["variants"] == 3 * 5
    ranked = [each["latency_ms"] for each in answer.json["ranked"]]
    assert ranked == sorted(ranked)


def test_a_budget_keeps_what_fits_and_the_file_has_all(run, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "v.csv"
    answer = run(
        "variants",
        "--table",
        table,
        "--choices",
        "depth,qk",
        "--max-latency",
        "2.9ms",
        "--sort",
        "macs",
        "--top",
        "1",
        "--out",
        out,
    )
    assert answer.code == 0, answer.err
    lines = list(csv.DictReader(out.open()))
    assert 0 < len(lines) < 15
    assert all(float(line["latency_ms"]) <= 2.9 for line in lines)
    macs = [int(line["macs"]) for line in lines]
    assert macs == sorted(macs, reverse=True)
    assert f"{len(lines)} combinations within 2.9ms" in answer.out
    assert "vitprof measure --family efficientvit --ablations efficientvit-m4" in answer.err


def test_the_papers_table_with_what_is_not_covered(run, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    answer = run("variants", "--published", "--table", table, "--out", out)
    assert answer.code == 1, answer.err  # BN -> LN is not covered
    assert "#7 QKV allocation -> none" in answer.out
    assert "not covered: BN -> LN" in answer.err
    assert "#3: the paper has fewer layers" in answer.err
    lines = list(csv.DictReader(out.open()))
    assert [line["number"] for line in lines] == [str(n) for n in range(1, 12)]
    assert lines[9]["predicted_ms"] == ""
    answer = run("variants", "--published", "--table", table, "--json")
    assert len(answer.json["rows"]) == 11


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--max-latency", "soon"), "5ms"),
        (("--max-latency", "0ms"), "above 0"),
        (("--choices", "deph"), "did you mean 'depth'"),
        (("--model", "deit-tiny"), "family 'vit'"),
        (("--family", "swin"), "not listed"),
        (("--model", "efficientvit-m5"), "outside the table"),
        (("--plot", "v.txt"), "not a picture"),
        (("--published", "--top", "3"), "--top ranks combinations"),
        (("--verify",), "--verify goes with --published"),
        (("--published", "--time", "5m"), "--time limits measuring; add --verify"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(run, table: Path, arguments, words: str) -> None:
    answer = run("variants", "--table", table, *arguments)
    assert (answer.code, answer.is_one_sentence) == (2, True), answer.err
    assert words in answer.err


def test_the_papers_table_is_written_by_the_files_ending(run, table: Path, tmp_path: Path) -> None:
    saved = tmp_path / "variants.json"
    answer = run("variants", "--table", table, "--choices", "qk", "--json")
    saved.write_text(answer.out)
    for name, file_format in (("v.tex", "latex"), ("v.md", "markdown")):
        out = tmp_path / name
        answer = run("variants", "--table", table, "--choices", "qk", "--out", out)
        assert answer.code == 0, answer.err
        exported = run("table", "export", saved, "--format", file_format)
        assert exported.code == 0, exported.err
        assert exported.out == out.read_text()
        assert "efficientvit-m4" in exported.out
    answer = run("table", "export", saved, "--at", "typical")
    assert answer.code == 2
    assert answer.is_one_sentence
