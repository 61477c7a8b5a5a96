"""--log: refused before the work, kept after it, and never at the cost of the result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from vitprof.verbs import tracking

COMPARE = ("compare", "--model", "deit-tiny", "--model", "deit-small", "--json")


def test_a_tracker_that_is_none_is_refused_before_the_table_is_read(run) -> None:
    answer = run(*COMPARE, "--table", "missing.csv", "--log", "mlfow:x")
    assert answer.code == 2
    assert answer.is_one_sentence
    assert "--log is mlflow:URI or wandb:FOLDER" in answer.err
    assert answer.out == ""


def test_a_tracker_that_fails_at_the_end_costs_no_result(
    run, lut: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone:
        def log(self, record: tracking.Record) -> str:
            raise ConnectionError("the server has gone")

    monkeypatch.setattr(tracking, "open_tracker", lambda place: Gone())
    answer = run(*COMPARE, "--table", lut, "--log", "mlflow:http://x")
    assert answer.code == 0
    assert len(answer.json["models"]) == 2
    assert "warning: the result was not logged: ConnectionError: the server has gone" in answer.err


@pytest.mark.slow
@pytest.mark.long
def test_a_comparison_is_kept_offline(
    run, lut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "own"))
    answer = run(*COMPARE, "--table", lut, "--log", f"wandb:{tmp_path / 'runs'}")
    assert answer.code == 0, answer.err
    assert "logged: the run" in answer.err
    (report,) = (tmp_path / "runs" / "wandb").glob("offline-run-*/files/report.json")
    assert json.loads(report.read_text())["models"][0]["model"] == answer.json["models"][0]["model"]
