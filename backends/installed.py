"""What is installed, without importing it."""

from __future__ import annotations

import importlib.util
from importlib import metadata


def installed(package: str) -> str | None:
    """Return the version of a package, None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def why_no_torch(what: str) -> str | None:
    """Return why `what` cannot be done without PyTorch, None where it is installed."""
    if importlib.util.find_spec("torch") is not None:
        return None
    return f"{what} needs PyTorch, which is not installed: pip install 'vitprof[measure]'."
