"""Results in MLflow's own store and in a run of Weights & Biases that is kept offline."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure
from vitprof.results import Result
from vitprof.verbs.tracking import Record, open_tracker, result_record


@dataclass(frozen=True)
class Two(Result):
    """A result of two models."""

    title = "two models"

    def report(self) -> dict:
        models = [
            {"model": name, "latency_ms": ms, "top1": None, "stable": True, "note": "text"}
            for name, ms in (("a/b: c", 1.5), ("d", float("nan")))
        ]
        return {"results": models, "macs": 7, "setting": {"device": "cpu", "batch": 2}}

    def to_frame(self) -> pd.DataFrame:
        return pd.DataFrame(self.report()["results"])

    def figure(self) -> Figure:
        return Figure()

    def curves(self) -> list:
        return [(step, {"fine: tuning/loss": 1 / step}) for step in range(1, 1102)]


@pytest.fixture
def record() -> Record:
    return result_record("bench", Two(), {"models": ("a", "d"), "out": None, "sessions": 3})


def test_a_record_has_the_numbers_by_their_place(record: Record) -> None:
    assert record.metrics == {"results/a_b_ c/latency_ms": 1.5, "macs": 7.0}
    assert record.parameters["models"] == "a, d"
    assert record.parameters["setting.batch"] == "2"
    assert record.parameters["vitprof"]
    assert "out" not in record.parameters
    assert record.curves[1] == (2, {"fine_ tuning/loss": 0.5})


@pytest.mark.slow
def test_mlflow_keeps_numbers_settings_and_files(record: Record, tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    uri = f"sqlite:///{tmp_path}/runs.db"
    tracker = open_tracker(f"mlflow:{uri}")
    said = [tracker.log(record), open_tracker(f"mlflow:{uri}").log(record)]
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("vitprof")
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(f"MLflow's run {run.info.run_id}" for run in runs) == sorted(said)
    (run, _) = runs
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {**record.metrics, "fine_ tuning/loss": 1 / 1101}
    curve = client.get_metric_history(run.info.run_id, "fine_ tuning/loss")
    assert {point.step: point.value for point in curve} == {
        step: 1 / step for step in range(1, 1102)
    }
    assert run.data.params == dict(record.parameters)
    folder = Path(client.download_artifacts(run.info.run_id, "", str(tmp_path)))
    assert {path.name for path in folder.iterdir()} >= {"picture.png", "report.json", "table.csv"}
    assert json.loads((folder / "report.json").read_text())["macs"] == 7


@pytest.mark.slow
@pytest.mark.long
def test_weights_and_biases_keeps_them_offline(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "own"))
    tracker = open_tracker(f"wandb:{tmp_path / 'runs'}")
    assert "of Weights & Biases in" in tracker.log(record)
    (folder,) = (tmp_path / "runs" / "wandb").glob("offline-run-*")
    kept = folder / "files"
    assert json.loads((kept / "report.json").read_text())["macs"] == 7
    assert (kept / "table.csv").read_text().startswith("model,latency_ms")
    assert (kept / "picture.png").stat().st_size > 1000
    (log,) = folder.glob("*.wandb")
    sent = log.read_bytes()
    for text in (
        b"fine_ tuning/loss",
        b"results/a_b_ c/latency_ms",
        b"setting.batch",
        b"picture.png",
    ):
        assert text in sent


def test_what_cannot_be_used_is_said_at_once(tmp_path: Path, refused, monkeypatch) -> None:
    with refused("mlflow:URI or wandb:FOLDER", "'tensorboard:x'"):
        open_tracker("tensorboard:x")
    (tmp_path / "file").write_text("")
    monkeypatch.setitem(sys.modules, "wandb", None)
    with refused("library wandb", "vitprof[wandb]"):
        open_tracker(f"wandb:{tmp_path}")


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_refused(refused) -> None:
    pytest.importorskip("mlflow")
    with refused("MLflow cannot keep runs at", "'http://127.0.0.1:9'"):
        open_tracker("mlflow:http://127.0.0.1:9")


@pytest.mark.slow
def test_a_folder_that_is_a_file_is_refused(tmp_path: Path, refused) -> None:
    pytest.importorskip("wandb")
    (tmp_path / "file").write_text("")
    with refused("cannot be written"):
        open_tracker(f"wandb:{tmp_path / 'file'}")
