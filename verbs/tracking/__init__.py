"""Results in experiment trackers: MLflow and Weights & Biases, each imported where it is asked for.

tracker = open_tracker("mlflow:sqlite:///runs.db")  # refused now, not after an hour of work
tracker.log(result_record("bench", vitprof.bench("deit-tiny"), {"model": "deit-tiny"}))
"""

from .opened import open_tracker
from .record import Record, Tracker, result_record

__all__ = ["Record", "Tracker", "open_tracker", "result_record"]
