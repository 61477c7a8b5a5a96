"""Whether a `.tflite` model from elsewhere may be loaded: looked at, and then tried in a child."""

from __future__ import annotations

from ..protocol import BackendError
from ..trial import try_artifact

_IDENTIFIER = b"TFL3"


def check_header(model: bytes) -> None:
    """Raise BackendError unless the bytes begin as a LiteRT model does."""
    root = int.from_bytes(model[:4], "little")
    if model[4:8] != _IDENTIFIER or not 8 <= root < len(model) - 4:
        raise BackendError(
            "this is not a LiteRT model: it does not begin as a .tflite file does (TFL3)."
        )


def check_runs_alone(model: bytes) -> None:
    """Raise BackendError unless a process of its own loads and runs the model once.

    The runtime's own checks find most damage; what they miss ends that process, not this one.
    """
    check_header(model)
    try_artifact("litert", model)
