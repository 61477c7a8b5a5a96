"""`vitprof table import`, and predicting from what came of it."""

from __future__ import annotations

import json

import pytest
from vitprof.tables import LatencyTable

NVIT = {
    "EMB_192": {"QK_3_64": {"V_64": {"MLP_1": 0.5, "MLP_768": 1.5}}},
    "EMB_384": {"QK_3_64": {"V_64": {"MLP_1": 1.0, "MLP_768": 3.0}}},
}


@pytest.fixture
def nvit(run, tmp_path):
    source, out = tmp_path / "nvit.json", tmp_path / "lut.csv"
    source.write_text(json.dumps(NVIT))
    command = ("table", "import", "--from", "nvit", source, "--device", "v100", "--out", out)
    answer = run(*command, "--unit", "ms")
    assert answer.code == 0, answer.err
    assert "4 rows of device v100, imported from NViT in ms: 4 layer" in answer.out
    return out


def test_an_imported_table_predicts_what_it_has_when_asked_to(run, nvit) -> None:
    whole = run("predict", "--table", nvit, "--model", "deit-tiny")
    assert (whole.code, whole.is_one_sentence) == (2, True)
    assert "'patch_embed', 'classifier'" in whole.err
    assert "--partial" in whole.err
    part = run("predict", "--table", nvit, "--model", "deit-tiny", "--partial", "--json")
    assert part.code == 0
    assert part.json["latency_ms"] == pytest.approx(12 * 1.5)
    assert (part.json["low_ms"], part.json["high_ms"]) == (None, None)
    assert [name.partition("(")[0] for name in part.json["missing"]] == [
        "patch_embed",
        "classifier",
    ]
    text = run("predict", "--table", nvit, "--model", "deit-tiny", "--partial")
    assert "18 ms  (interval unknown)" in text.out
    assert "missing: patch_embed(" in text.err


def test_json_lists_what_was_not_understood_and_the_exit_code_says_so(run, tmp_path) -> None:
    source, out = tmp_path / "n.json", tmp_path / "lut.csv"
    source.write_text('{"transffn_16_48_2_hard_swish_ln": 1.0, "transffn_what": 2.0}')
    command = ("table", "import", "--from", "nnmeter", source, "--device", "p", "--out", out)
    command = (*command, "--unit", "ms")
    answer = run(*command, "--json")
    assert answer.code == 1
    assert answer.json["unknown"] == ["transffn_what"]
    assert answer.json["ops"] == {"nnmeter_transffn": 1}
    assert "transffn_what" in answer.err
    again = run(*command)
    assert (again.code, again.is_one_sentence) == (2, True)
    assert "--fresh" in again.err
    forced = run(*command, "--force")
    assert forced.code == 1, "the old name"
    assert "--force is now called --fresh" in forced.err
    assert len(LatencyTable.read_csv(out).rows) == 1


def test_a_bad_file_leaves_nothing_behind(run, tmp_path) -> None:
    source, out = tmp_path / "n.json", tmp_path / "lut.csv"
    source.write_text('{"transffn_16_48_2_hard_swish_ln": 0}')
    answer = run("table", "import", "--from", "nnmeter", source, "--device", "p", "--out", out)
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert not out.exists()


def test_info_and_export_take_imported_tables(run, nvit) -> None:
    info = run("table", "info", nvit, "--json")
    assert info.code == 0
    assert info.json["imported"]["tool"] == "NViT"
    assert info.json["verdicts"] == {"imported": 4}
    assert run("table", "info", nvit).code == 0
    assert run("table", "export", nvit, "--format", "markdown").code == 0
