"""What a user should know that is not the result: logged by the logger "vitprof".

The command line prints such notes on stderr. In Python they follow the usual rules of `logging`:
warnings are shown, information only where logging is set up for it.
"""

from __future__ import annotations

import logging

LOGGER = logging.getLogger("vitprof")


def note(text: str) -> None:
    """Tell something that is worth knowing."""
    LOGGER.info(text)


def warn(text: str) -> None:
    """Tell something that makes the result doubtful."""
    LOGGER.warning(text)
