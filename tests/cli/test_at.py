"""`--at`: the speed of the machine at which every command states latencies."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import vitprof
from vitprof.tables import LatencyTable

SMALL_MS = vitprof.create_spec("deit-small").macs / 1e8


@pytest.mark.parametrize(("at", "factor"), [("undisturbed", 1.0), ("typical", 1.2), ("p90", 1.4)])
def test_predict_states_the_speed_that_was_asked_for(run, restless_lut, at, factor) -> None:
    found = run("predict", "--table", restless_lut, "--model", "deit-small", "--at", at, "--json")
    answer = found.json
    assert answer["at"] == at
    assert answer["latency_ms"] == pytest.approx(factor * SMALL_MS)
    speeds = [answer[name] for name in ("undisturbed_ms", "typical_ms", "p90_ms")]
    assert speeds == pytest.approx([SMALL_MS, 1.2 * SMALL_MS, 1.4 * SMALL_MS])


def test_predict_says_in_a_sentence_what_a_restless_machine_takes(run, restless_lut) -> None:
    answer = run("predict", "--table", restless_lut, "--model", "deit-small")
    said = (
        f"  {SMALL_MS:.4g} ms undisturbed; {1.2 * SMALL_MS:.4g} ms at this machine's typical speed"
    )
    assert f"{said}, {1.4 * SMALL_MS:.4g} ms at its 90th percentile." in answer.out
    answer = run("predict", "--table", restless_lut, "--model", "deit-small", "--at", "p90")
    assert f"  {1.4 * SMALL_MS:.4g} ms at its 90th percentile; {SMALL_MS:.4g} ms" in answer.out


def test_a_quiet_machine_needs_no_second_sentence(run, restless_lut) -> None:
    table = LatencyTable.read_csv(restless_lut)
    ((reference, showed),) = table.header.readings.items()
    drift = replace(showed.drift, typical_ms=10.05, p10_ms=9.99, p90_ms=10.09)
    table.header = replace(table.header, readings={reference: replace(showed, drift=drift)})
    table.to_csv(restless_lut)
    answer = run("predict", "--table", restless_lut, "--model", "deit-small")
    assert "undisturbed" not in answer.out


def test_an_old_table_says_which_speeds_it_has(run, lut) -> None:
    answer = run("predict", "--table", lut, "--model", "deit-small", "--json").json
    assert [answer[key] for key in ("at", "undisturbed_ms", "typical_ms", "p90_ms")] == [None] * 4
    for command in (
        ("predict", "--model", "deit-small"),
        ("compare",),
        ("variants",),
        ("validate",),
        ("space", "autovit-xxs"),
    ):
        answer = run(*command, "--table", lut, "--at", "p90")
        assert answer.code == 2
        assert answer.is_one_sentence
        assert "cannot be stated at --at p90: it was measured without a reference" in answer.err


def test_a_speed_that_there_is_not_is_refused(run, restless_lut) -> None:
    answer = run("predict", "--table", restless_lut, "--model", "deit-small", "--at", "p99")
    assert answer.code == 2
    assert "--at is one of undisturbed, typical, p90" in answer.err


def test_compare_says_its_speed_in_a_line(run, restless_lut) -> None:
    models = ("--model", "deit-tiny", "--model", "deit-small")
    plain = run("compare", "--table", restless_lut, *models)
    assert "Latencies are" not in plain.out
    slow = run("compare", "--table", restless_lut, *models, "--at", "p90")
    assert "Latencies are at the machine's 90th percentile (--at p90)." in slow.out
    found = run("compare", "--table", restless_lut, *models, "--at", "p90", "--json").json
    assert found["at"] == "p90"
    assert found["models"][1]["predicted_ms"] == pytest.approx(1.4 * SMALL_MS)
    other = restless_lut.with_name("other.csv")
    other.write_bytes(restless_lut.read_bytes())
    both = ("--table", restless_lut, "--table", other, *models, "--at", "typical")
    assert "at the machine's typical speed" in run("compare", *both).out
    assert run("compare", *both, "--json").json["tables"]["other"]["at"] == "typical"


def test_a_table_is_shown_and_exported_at_a_speed(run, restless_lut) -> None:
    plain = LatencyTable.read_csv(restless_lut)
    exported = run("table", "export", restless_lut, "--format", "json", "--at", "typical")
    rows = json.loads(exported.out)["rows"]
    assert rows[0]["latency_ms"] == pytest.approx(1.2 * plain.rows[0].latency_ms)
    assert run("table", "info", restless_lut, "--at", "p90").code == 0
    assert run("table", "info", restless_lut, "--at", "p9").code == 2


def test_a_space_costs_what_its_table_says_at_that_speed(run) -> None:
    answer = run("space", "autovit-xxs", "--at", "p90")
    assert answer.code == 2
    assert "--table" in answer.err
    assert run("space", "--at", "p90").code == 2


def test_every_verb_takes_it(restless_lut: Path) -> None:
    typical = vitprof.predict("deit-small", restless_lut, at="typical")
    assert typical.at == "typical"
    assert typical.ms == pytest.approx(1.2 * SMALL_MS)
    assert typical.report()["at"] == "typical"
    table = vitprof.LatencyTable.read_csv(restless_lut)
    assert vitprof.compare(["deit-tiny", "deit-small"], table, at="p90").at == "p90"
