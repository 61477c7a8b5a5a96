"""`vitprof compare a.csv b.csv` of tables that cover no model."""

from __future__ import annotations

import json

import matplotlib.image
import pandas as pd
import pytest

KEYS = [f"transffn_{side}_{embed}_2_hard_swish_ln" for side in (4, 8) for embed in (48, 64, 96)]


@pytest.fixture
def phones(run, tmp_path):
    """Two phones by nn-Meter's format; the second takes twice as long, one block five times."""
    paths = []
    for name, factor, odd in (("one", 1, 1), ("two", 2, 5)):
        values = {key: (n + 1) * (odd if n == 3 else factor) / 8 for n, key in enumerate(KEYS)}
        source = tmp_path / f"{name}.json"
        source.write_text(json.dumps(values))
        paths.append(tmp_path / f"{name}.csv")
        command = ("table", "import", "--from", "nnmeter", source, "--device", name)
        assert run(*command, "--unit", "ms", "--out", paths[-1]).code == 0
    return paths


def test_two_imported_tables_are_compared_by_their_blocks(run, phones, tmp_path) -> None:
    out, plot = tmp_path / "blocks.csv", tmp_path / "blocks.png"
    answer = run("compare", *phones, "--json", "--out", out, "--plot", plot)
    assert answer.code == 0, answer.err
    assert "compared by their blocks" in answer.err
    assert answer.json["blocks"] == len(KEYS)
    assert answer.json["scale"] == pytest.approx((2**5 * 5) ** (1 / 6), rel=1e-4)
    assert answer.json["parted"][0]["ratio"] == pytest.approx(5)
    assert len(pd.read_csv(out)) == len(KEYS)
    assert matplotlib.image.imread(plot).shape[0] > 400


def test_for_people_ops_and_the_farthest_blocks_are_listed(run, phones) -> None:
    answer = run("compare", "--table", phones[0], "--table", phones[1], "--blocks")
    assert answer.code == 0, answer.err
    assert "one and two have 6 blocks in common (one has 6, two has 6)." in answer.out
    assert "nnmeter_transffn" in answer.out
    assert "The blocks farthest from" in answer.out
    assert answer.err == ""


def test_what_does_not_go_together_is_one_sentence(run, phones, lut) -> None:
    for command, words in [
        (("compare", *phones, lut, "--blocks"), "compares two --table, and 3"),
        (("compare", *phones, "--blocks", "--model", "deit-tiny"), "remove --model"),
        (("compare", phones[0], lut), "share no block"),
        (("compare", phones[0], phones[0], "--blocks"), "given twice"),
    ]:
        answer = run(*command)
        assert (answer.code, answer.is_one_sentence) == (2, True), answer.err
        assert words in answer.err, answer.err


def test_tables_that_cover_models_are_still_compared_by_models(run, lut, tmp_path) -> None:
    other = tmp_path / "other.csv"
    other.write_text(lut.read_text())
    answer = run("compare", lut, other, "--samples", "4", "--json")
    assert answer.code == 0, answer.err
    assert "models" in answer.json
    by_blocks = run("compare", lut, other, "--blocks", "--json")
    assert by_blocks.json["scale"] == pytest.approx(1)
