"""How a lost worker is described, from what Ray says of it."""

from __future__ import annotations

import pytest
from vitprof.profiler.fleet.members import is_silent, last_words

errors = pytest.importorskip("ray.exceptions")

GONE = errors.ReferenceCountingAssertionError("ab" * 14, None, "")


@pytest.mark.parametrize(
    "error",
    [
        GONE,
        errors.ObjectLostError("ab" * 14, None, ""),
        errors.OwnerDiedError("ab" * 14, None, ""),
        errors.RayTaskError(
            "start", "Traceback:", GONE, "worker", 1, "192.0.2.1"
        ).as_instanceof_cause(),
        errors.UnserializableException(f"Traceback:\nray.exceptions.{type(GONE).__name__}: {GONE}"),
    ],
    ids=["counted", "lost", "owner", "task", "text"],
)
def test_an_answer_that_is_lost_tells_nothing_more(error: Exception) -> None:
    assert is_silent(error, errors)


def test_what_a_worker_itself_says_is_kept() -> None:
    cause = OSError("no space left")
    error = errors.RayTaskError(
        "start", "Traceback:\nOSError: no space left", cause, "worker", 1, "192.0.2.1"
    ).as_instanceof_cause()
    assert not is_silent(error, errors)
    assert last_words(error) == "OSError: no space left"
