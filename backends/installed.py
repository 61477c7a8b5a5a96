"""What is installed, without importing it."""

from __future__ import annotations

from importlib import metadata


def installed(package: str) -> str | None:
    """Return the version of a package, None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
