"""`vitprof predict` on a table of known content."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import vitprof
from vitprof.tables import LatencyTable, Row
from vitprof.tables.calibration.calibrate import calibrated


def test_json_has_the_promised_keys_and_the_sum_of_blocks(run, lut) -> None:
    answer = run("predict", "--table", lut, "--model", "deit-small", "--json")
    assert answer.code == 0
    spec = vitprof.create_spec("deit-small")
    result = answer.json
    assert set(result) >= {"model", "latency_ms", "low_ms", "high_ms", "by_op", "extrapolated"}
    assert result["model"] == "deit-small"
    assert abs(result["latency_ms"] - spec.macs / 1e8) < 1e-4
    assert abs(sum(result["by_op"].values()) - result["latency_ms"]) < 1e-4
    assert result["low_ms"] < result["latency_ms"] < result["high_ms"]
    assert result["extrapolated"] == []


def test_text_names_blocks_and_shares(run, lut) -> None:
    answer = run("predict", "--table", lut, "--model", "deit-small")
    assert answer.code == 0
    assert "12 x mlp(embed=384, mlp=1536, tokens=197)" in answer.out
    assert "%" in answer.out


def test_a_specs_file_is_a_model(run, lut, tmp_path) -> None:
    path = tmp_path / "spec.json"
    path.write_text(vitprof.ViTSpec.uniform(192, 12, 3, name="mine").to_json())
    assert run("predict", "--table", lut, "--model", path, "--json").json["model"] == "mine"


def test_outside_the_grid_is_an_error_with_axis_and_range(run, lut) -> None:
    answer = run("predict", "--table", lut, "--model", "vit-large")
    assert answer.code == 2
    assert answer.is_one_sentence
    assert "embed=1024" in answer.err
    assert "192 to 768" in answer.err


def test_extrapolation_is_allowed_when_asked_for_and_marked(run, lut) -> None:
    answer = run("predict", "--table", lut, "--model", "vit-large", "--extrapolate", "--json")
    assert answer.code == 0
    assert "attention.embed" in answer.json["extrapolated"]


def test_an_interval_that_says_nothing_is_unknown(run, lut) -> None:
    table = LatencyTable.read_csv(lut)
    rows = [
        replace(row, low_ms=0.1 * row.latency_ms, high_ms=9 * row.latency_ms) for row in table.rows
    ]
    LatencyTable(rows, table.header).to_csv(lut)
    ask = ("predict", "--table", lut, "--model", "vit-large", "--extrapolate")
    assert "(interval unknown)" in run(*ask).out
    answer = run(*ask, "--json").json
    assert (answer["low_ms"], answer["high_ms"]) == (None, None)


def test_the_constant_and_unstable_points_are_explained(run, lut) -> None:
    plain = run("predict", "--table", lut, "--model", "deit-small").out
    assert "(constant)" not in plain
    assert "unstable" not in plain
    table = LatencyTable.read_csv(lut)
    rows = [
        replace(row, verdict="unstable") if row.subject.op == "mlp" else row for row in table.rows
    ]
    specs = [vitprof.ViTSpec.uniform(192, depth, 3, 768, name=str(depth)) for depth in range(1, 5)]
    whole = [
        Row(spec, "in_model", latency_ms=ms, low_ms=0.99 * ms, high_ms=1.01 * ms)
        for spec in specs
        for ms in [table.predict(spec).ms + 1]
    ]
    calibrated(LatencyTable([*rows, *whole], table.header)).to_csv(lut)
    answer = run("predict", "--table", lut, "--model", "deit-small")
    assert "(constant) is added once per model" in answer.out
    share = run("predict", "--table", lut, "--model", "deit-small", "--json").json["unstable_share"]
    assert f"{share:.0%} of it is read from unstable points" in answer.out
    assert 0.5 < share < 0.8


def test_another_setting_is_refused(run, lut) -> None:
    for option, value in (("device", "t4"), ("batch", 8), ("dtype", "fp16"), ("threads", 2)):
        answer = run("predict", "--table", lut, "--model", "deit-tiny", f"--{option}", value)
        assert answer.code == 2
        assert f"{option} " in answer.err
        assert str(value) in answer.err


def test_bad_specs_are_one_sentence(run, lut, tmp_path) -> None:
    layer = '{"heads": 3, "qk": 64, "v": 64, "mlp": 768}'
    for text in (
        "",
        "[]",
        "{",
        '{"family": "vit"}',
        '{"family": "vit", "embed": 190, "depth": 12, "heads": 3, "mlp": 768}',
        '{"family": "vit", "embed": -192, "depth": 12, "heads": 3, "mlp": 768}',
        '{"family": "vit", "embed": 1e99, "depth": 12, "heads": 3, "mlp": 768}',
        f'{{"family": "vit", "embed": 192, "layers": [{layer}], "colour": 1}}',
    ):
        path = tmp_path / "spec.json"
        path.write_text(text)
        answer = run("predict", "--table", lut, "--model", path)
        assert answer.code == 2, text
        assert answer.is_one_sentence, answer.err


def test_an_id_that_is_not_in_the_cache_names_the_option(run, lut, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    answer = run("predict", "--table", lut, "--model", "google/vit-base-patch16-224")
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert "not in the local Hugging Face cache; give --download, or a folder" in answer.err
    assert list(tmp_path.glob("models--*")) == []


def test_an_id_in_the_cache_is_a_model(run, lut, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    home = tmp_path / "models--facebook--deit-small-patch16-224"
    snapshot = home / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("0" * 40)
    config = {"model_type": "vit", "hidden_size": 384, "num_attention_heads": 6}
    config |= {"intermediate_size": 1536, "id2label": {str(n): "" for n in range(1000)}}
    (snapshot / "config.json").write_text(json.dumps(config))
    ask = ("predict", "--table", lut, "--json", "--model")
    answer = run(*ask, "facebook/deit-small-patch16-224").json
    assert answer["model"] == "deit-small-patch16-224"
    assert answer["latency_ms"] == run(*ask, "deit-small").json["latency_ms"]


def test_a_limit_is_kept_or_not_with_the_exit_code_to_match(run, lut) -> None:
    ms = run("predict", lut, "deit-small", "--json").json["latency_ms"]  # the interval is 5 %
    for limit, code, start in (
        (2 * ms, 0, f"Fits: {ms:.4g} ms (50.0%) under"),
        (1.01 * ms, 0, "Fits, but not for certain: "),
        (0.99 * ms, 1, "Does not fit, but not for certain: "),
        (0.5 * ms, 1, f"Does not fit: {ms / 2:.4g} ms (100.0%) over"),
    ):
        answer = run("predict", lut, "deit-small", "--max-latency", f"{limit}ms")
        assert answer.code == code
        assert answer.out.startswith(start), answer.out.splitlines()[0]
        asked = run("predict", lut, "deit-small", "--max-latency", limit, "--json")
        assert asked.code == code
        assert asked.json["fits"] is (code == 0)
        assert asked.json["certain"] is ("certain" not in start)
        assert abs(asked.json["margin_ms"] - (limit - ms)) < 1e-6
        assert asked.json["max_latency_ms"] == pytest.approx(limit, rel=1e-6)


def test_without_a_limit_nothing_is_judged(run, lut) -> None:
    answer = run("predict", lut, "deit-small", "--json").json
    assert [answer[key] for key in ("max_latency_ms", "fits", "certain", "margin_ms")] == [None] * 4


def test_what_has_no_price_leaves_the_question_open(run, lut) -> None:
    table = LatencyTable.read_csv(lut)
    rows = [row for row in table.rows if row.subject.op != "classifier"]
    LatencyTable(rows, table.header).to_csv(lut)
    ask = ("predict", lut, "deit-small", "--partial", "--max-latency")
    answer = run(*ask, "1s")
    assert answer.code == 1
    assert answer.out.startswith("Cannot tell: ")
    answer = run(*ask, "1ms")
    assert answer.code == 1
    assert answer.out.startswith("Does not fit: ")


def test_a_bad_limit_is_one_sentence(run, lut) -> None:
    for limit in ("0", "-3ms", "fast", "0.5x", "nan"):
        answer = run("predict", lut, "deit-small", "--max-latency", limit)
        assert (answer.code, answer.is_one_sentence) == (2, True), answer.err
        assert "--max-latency" in answer.err


def test_table_and_model_by_place_are_those_by_option(run, lut, monkeypatch) -> None:
    monkeypatch.chdir(lut.parent)
    expected = run("predict", "--table", lut, "--model", "deit-small", "--json").json
    for places in (
        (lut, "deit-small"),
        ("deit-small", lut),
        ("deit-small",),
        (lut, "--model", "deit-small"),
        ("--table", lut, "deit-small"),
    ):
        assert run("predict", *places, "--json").json == expected, places


def test_what_is_given_twice_or_not_at_all_is_said(run, lut) -> None:
    for places, words in (
        ((lut, "deit-small", "deit-tiny"), "3 arguments are too many"),
        ((lut, "deit-small", "--model", "deit-tiny"), "the model is given twice"),
        ((lut, "deit-small", "--table", lut), "the table is given twice"),
        ((lut,), "no model is given"),
        ((), "no model is given"),
    ):
        answer = run("predict", *places)
        assert (answer.code, answer.is_one_sentence) == (2, True)
        assert words in answer.err


def test_json_lists_the_blocks_that_the_latency_is_made_of(run, lut) -> None:
    answer = run("predict", lut, "deit-small", "--json").json
    blocks = answer["by_block"]
    assert {block["op"] for block in blocks} == set(answer["by_op"])
    total = sum(block["count"] * block["each_ms"] for block in blocks)
    assert abs(total + answer["offset_ms"] - answer["latency_ms"]) < 1e-6


def test_an_unfinished_table_says_that_it_is(run, lut) -> None:
    table = LatencyTable.read_csv(lut)
    rows = [row for row in table.rows if row.subject.op == "attention"]
    LatencyTable(rows, table.header, unfinished=True).to_csv(lut)
    answer = run("predict", lut, "deit-small")
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert "is unfinished" in answer.err
    assert "mlp" in answer.err
