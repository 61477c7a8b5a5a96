"""--log: keep a result in MLflow or Weights & Biases."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ...notes import note, warn

if TYPE_CHECKING:
    from ...results import Result

F = TypeVar("F", bound=Callable[..., Any])

_META = "vitprof.trackers"


def log_option(function: F) -> F:
    """Add --log, whose trackers are opened before the command's work begins.

    So an error is reported at once.
    """

    @functools.wraps(function)
    def with_trackers(*args: Any, log: tuple[str, ...], **given: Any) -> Any:
        if log:
            from ...verbs.tracking import open_tracker

            context = click.get_current_context()
            context.meta[_META] = [open_tracker(place) for place in log]
        return function(*args, **given)

    return click.option(
        "--log",
        metavar="mlflow:URI|wandb:FOLDER",
        multiple=True,
        help="Keep the result's settings, numbers, table and picture as a run of MLflow "
        "(mlflow:sqlite:///runs.db) or of Weights & Biases (wandb:FOLDER); may be repeated.",
    )(with_trackers)  # type: ignore[return-value]


def log_result(result: Result) -> None:
    """Give the result to the trackers of --log; what fails is a warning, and costs no result."""
    context = click.get_current_context()
    for tracker in context.meta.get(_META, ()):
        from ...verbs.tracking import result_record

        asked: dict[str, Any] = {
            name: value for name, value in context.params.items() if name not in ("as_json", "log")
        }
        try:
            kept = tracker.log(result_record(context.info_name or "", result, asked))
        except Exception as error:  # a server that has gone, a full disk: libraries' own errors
            reason = " ".join(str(error).split())[:300]
            warn(f"warning: the result was not logged: {type(error).__name__}: {reason}")
        else:
            note(f"logged: {kept}")
