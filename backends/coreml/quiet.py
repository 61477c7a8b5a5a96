"""Keeping coremltools silent: it logs, warns and draws progress bars wherever it is used."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

from ..no_logging import no_logging


@contextlib.contextmanager
def quiet_coremltools() -> Iterator[list[str]]:
    """Let nothing reach stdout or stderr; yield the list that its logged errors are put into.

    Its progress bars have no switch, so what is written to the standard streams meanwhile is
    dropped: keep nothing else of worth in here. Streams, logger and filters are restored.
    """
    # Before the streams are swapped: its loggers keep the stderr of the moment it is imported.
    import torch  # noqa: F401

    messages: list[str] = []
    logger = logging.getLogger("coremltools")
    handlers, propagate = logger.handlers[:], logger.propagate
    logger.handlers[:], logger.propagate = [_Remember(messages)], False
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            # It imports torchao where that is installed, which logs through torch's loggers.
            with no_logging(), contextlib.suppress(ImportError):
                import coremltools  # noqa: F401
            yield messages
    finally:
        logger.handlers[:], logger.propagate = handlers, propagate


class _Remember(logging.Handler):
    def __init__(self, messages: list[str]) -> None:
        super().__init__(logging.ERROR)
        self.messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
