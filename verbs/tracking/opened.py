"""A tracker by its place: "mlflow:URI" or "wandb:FOLDER"."""

from __future__ import annotations

from ...errors import UserError
from ...shown import shown
from .record import Tracker

KINDS = ("mlflow", "wandb")


def open_tracker(place: str) -> Tracker:
    """Return the tracker of a place, which has been tried: runs can be kept there.

    "mlflow:URI" is a tracking URI of MLflow: sqlite:///runs.db, or a server's http://host:5000.
    "wandb:FOLDER" is where Weights & Biases keeps runs: offline, unless WANDB_MODE says online.

    Raises UserError where it cannot be used, and MissingExtraError where it is not installed.
    """
    kind, _, where = place.partition(":")
    if kind not in KINDS or not where:
        raise UserError(
            f"`log` is mlflow:URI or wandb:FOLDER, not {shown(place)}; for example "
            "mlflow:sqlite:///runs.db."
        )
    try:
        if kind == "mlflow":
            from .with_mlflow import MLflowTracker

            return MLflowTracker(where)
        from .with_wandb import WandbTracker

        return WandbTracker(where)
    except ModuleNotFoundError as error:
        from ...extras import missing_extra

        raise (missing_extra(error) or error) from error
