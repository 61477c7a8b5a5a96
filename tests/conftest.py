"""What tests of several rooms need: rows of a table, the check of an error, an ordinary user."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings
from vitprof.errors import UserError
from vitprof.models import Block, Spec
from vitprof.tables import Row, Setting

# No timing decides a test: a first call may import for a second.
settings.register_profile("vitprof", deadline=None)
settings.load_profile("vitprof")

NOBODY = 65534


@pytest.fixture(scope="session")
def refused() -> Callable[..., contextlib.AbstractContextManager[None]]:
    """Expect a UserError of one sentence that holds all the given words."""

    @contextlib.contextmanager
    def expect(*words: str) -> Iterator[None]:
        with pytest.raises(UserError) as caught:
            yield
        message = str(caught.value)
        assert "\n" not in message
        assert message.rstrip().endswith((".", ")"))
        assert len(message) < 700, message
        for word in words:
            assert word in message, f"{word!r} is not in: {message}"

    return expect


@pytest.fixture(scope="session")
def setting() -> Setting:
    return Setting("cpu", "onnxruntime", "CPUExecutionProvider")


@pytest.fixture(scope="session")
def mlp() -> Callable[..., Block]:
    """Return an MLP block: mlp(embed, mlp, tokens)."""

    def block(embed: int = 16, mlp: int = 32, tokens: int = 5) -> Block:
        return Block.of("mlp", embed=embed, mlp=mlp, tokens=tokens)

    return block


@pytest.fixture(scope="session")
def row_of() -> Callable[..., Row]:
    """Return a stable row of `ms` milliseconds with an interval of 2 % to both sides."""

    def row(subject: Block | Spec, ms: float, **others: Any) -> Row:
        fields: dict[str, Any] = {
            "low_ms": 0.98 * ms,
            "high_ms": 1.02 * ms,
            "min_ms": 0.97 * ms,
            "p10_ms": 0.98 * ms,
            "p90_ms": 1.03 * ms,
            "p99_ms": 1.2 * ms,
            "session_ms": (0.99 * ms, ms, 1.01 * ms),
            "samples": 30,
            "measured_at": "2026-01-02T03:04:05Z",
        }
        return Row(subject, latency_ms=ms, **(fields | others))

    return row


@pytest.fixture(scope="session")
def failed_row() -> Callable[..., Row]:
    """Return the row of a point that could not be measured."""

    def row(subject: Block | Spec, error: str = "the kernel is missing", **others: Any) -> Row:
        return Row(subject, verdict="failed", error=error, **others)

    return row


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Give up root's right to write everywhere for the length of a test."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
