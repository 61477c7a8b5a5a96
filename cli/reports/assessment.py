"""The verdict about a table in words: how restless the machine was, how far predictions err."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...tables.references import PRIOR_SESSION_SD

if TYPE_CHECKING:
    from ...tables.assessment import Assessment, Remedy
    from ...tables.unrest import Unrest

# Where a reference takes so much longer one time in ten, other programs run.
NOISY = 1.5
_CAUSES = {
    "sessions": "mostly the scatter of sessions",
    "fit": "mostly what the line and the interpolation leave",
}
_OPTIONS = {
    "sessions": "--sessions {}",
    "time": "--time {}s",
    "points": "--points {}",
    "whole_models": "--whole-models {}",
}


def unrest_in_words(unrest: Unrest, total_s: float | None) -> str:
    """Return one sentence: how far the machine's speed wandered, and what that cost in time."""
    unit = "its undisturbed time" if unrest.of_undisturbed else "its median time"
    text = (
        f"The machine was {'quiet' if unrest.is_quiet else 'restless'}: a reference took "
        f"{unrest.p10:.2f} to {unrest.p90:.2f} times {unit} (10th to 90th percentile)"
    )
    if unrest.is_quiet:
        return f"{text}."
    if unrest.cost_s is not None and total_s:
        text += f", which cost about {unrest.cost_s:.0f} of {total_s:.0f} s"
    return f"{text}; latencies are corrected for it."


def spread_in_words(assessment: Assessment) -> str:
    """Return how far two sessions of one point differ, or that it is assumed."""
    if assessment.session_sd is None:
        return (
            "two sessions of one point are assumed to differ by "
            f"{100 * PRIOR_SESSION_SD:.1f} % (standard deviation); too few points had several to "
            "show it"
        )
    return (
        f"two sessions of one point differ by {100 * assessment.session_sd:.1f} % "
        "(standard deviation)"
    )


def verdict_in_words(assessment: Assessment, command: str) -> str:
    """Return the line that a user needs: usable or not, the error, and what would help.

    `command` is what the remedy's options are given to.
    """
    parts = [_error_in_words(assessment)]
    if assessment.failed:
        parts.append(f"{assessment.failed} of {assessment.points} points failed")
    if assessment.unstable:
        parts.append(f"{assessment.unstable} of {assessment.points} points unstable")
    if assessment.remedy is not None:
        remedy = f"{command} with {_remedy_in_words(assessment.remedy)}"
        if _is_noisy(assessment):
            remedy += ", while nothing else runs if you can"
        parts.append(f"to improve: {remedy}")
    return f"{assessment.verdict.capitalize()}: {'; '.join(parts)}."


def _is_noisy(assessment: Assessment) -> bool:
    """Tell whether other work on the machine is what mostly widens intervals."""
    unrest = assessment.unrest
    return assessment.cause == "sessions" and unrest is not None and unrest.p90 > NOISY


def _error_in_words(assessment: Assessment) -> str:
    error = assessment.expected_error
    if math.isnan(error):
        return "how far predictions err is not known, for rows have no intervals"
    if assessment.transferred:
        text = (
            f"{assessment.transferred} of {assessment.points} points are transferred, and whole "
            f"models are expected to err by {error:.1%}"
        )
    elif assessment.by_family:
        several = len(assessment.by_family) > 1
        text = ", ".join(
            f"whole {family + ' ' if several else ''}models err by {mape:.1%}"
            for family, mape in assessment.by_family.items()
        )
        text += " held out"
    else:
        text = f"blocks are known within ±{error:.1%}"
        if assessment.session_sd is None:
            text += " by an assumed spread of sessions"
        text += ", and without whole models their sum is not checked"
    if error > assessment.accept:
        text += f", more than the {assessment.accept:.1%} accepted"
        if assessment.cause is not None:
            text += f" ({_CAUSES[assessment.cause]})"
    return text


def _remedy_in_words(remedy: Remedy) -> str:
    text = _OPTIONS[remedy.parameter].format(remedy.value)
    if remedy.fresh:
        text += " --fresh"
    return text if remedy.seconds is None else f"{text} (about {_time(remedy.seconds)})"


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
