"""Runs in MLflow: an experiment "vitprof", a run a result."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from urllib.parse import urlsplit

from ...errors import UserError
from ...shown import shown
from ...temporary_folder import TemporaryFolder
from .record import Record

EXPERIMENT = "vitprof"
# MLflow takes no more parameters and metrics in one request.
MOST_AT_ONCE = 100
MOST_METRICS_AT_ONCE = 1000
_SQLITE = "sqlite:///"
# A server that does not answer is given up after seconds, not after MLflow's own minutes.
_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


class MLflowTracker:
    """Keeps runs at a tracking URI. Raises UserError where that cannot be used."""

    def __init__(self, uri: str) -> None:
        for name, value in _PATIENCE.items():
            os.environ.setdefault(name, value)
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        from mlflow import MlflowClient

        try:
            self._client = MlflowClient(tracking_uri=uri)
            self._experiment = self._find_experiment(uri)
        except Exception as error:  # each store has its own
            reason = " ".join(str(error).split("\n")[0].split())[:300].rstrip(".")
            raise UserError(
                f"MLflow cannot keep runs at {shown(_without_password(uri))}: "
                f"{reason or type(error).__name__}; give another `log`."
            ) from error

    def log(self, record: Record) -> str:
        """Keep a run with its parameters, metrics, curves and files."""
        from mlflow.entities import Metric, Param, RunTag

        run = self._client.create_run(self._experiment, run_name=record.name)
        key, now = run.info.run_id, run.info.start_time
        try:
            self._client.log_batch(
                key,
                metrics=[Metric(name, value, now, 0) for name, value in record.metrics.items()],
                tags=[RunTag("command", record.name)],
            )
            curves = [
                Metric(name, value, now, step)
                for step, values in record.curves
                for name, value in values.items()
            ]
            for start in range(0, len(curves), MOST_METRICS_AT_ONCE):
                self._client.log_batch(key, metrics=curves[start : start + MOST_METRICS_AT_ONCE])
            parameters = [Param(name, value) for name, value in record.parameters.items()]
            for start in range(0, len(parameters), MOST_AT_ONCE):
                self._client.log_batch(key, params=parameters[start : start + MOST_AT_ONCE])
            with TemporaryFolder() as folder:
                record.write_files(folder.path)
                self._client.log_artifacts(key, str(folder.path))
        except BaseException:
            self._client.set_terminated(key, "FAILED")
            raise
        self._client.set_terminated(key)
        return f"MLflow's run {key}"

    def _find_experiment(self, uri: str) -> str:
        found = self._client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            return str(found.experiment_id)
        beside = None
        if uri.startswith(_SQLITE):  # else MLflow puts files into the folder that one stands in
            path = Path(uri.removeprefix(_SQLITE)).absolute()
            beside = path.with_name(f"{path.stem}-artifacts").as_uri()
        return str(self._client.create_experiment(EXPERIMENT, artifact_location=beside))


def _without_password(uri: str) -> str:
    parts = urlsplit(uri)
    if parts.password is None:
        return uri
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
