"""Keeping every logger silent for a while."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator


@contextlib.contextmanager
def no_logging() -> Iterator[None]:
    """Let no logger say anything inside the block: torch's, which say much, are many."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
