"""What a model is called in a sentence that says why it cannot be run."""

from __future__ import annotations

from ..models import Spec
from ..shown import one_line


def what_failed(spec: Spec) -> str:
    """Return the path of a model that came from a file, otherwise its name."""
    path = getattr(getattr(spec, "source", None), "path", None)
    if path is not None:
        return f"'{one_line(str(path))}'"
    return spec.name or "the model"
