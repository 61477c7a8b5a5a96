"""A family of another wheel, installed for one test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

WHEEL = Path(__file__).with_name("toy_wheel")
GROUP = "vitprof.families"


@pytest.fixture
def install_toy(install_wheel: Callable[..., None]) -> Callable[..., None]:
    """Install the family "toy"; pairs of texts change its module first: (old, new)."""

    def install(*changes: tuple[str, str], name: str = "toy") -> None:
        modules = {path.stem: path.read_text() for path in WHEEL.glob("*.py")}
        for old, new in changes:
            assert old in modules["toy_family"]
            modules["toy_family"] = modules["toy_family"].replace(old, new)
        install_wheel("toy-vision", {GROUP: {name: "toy_family:FAMILY"}}, **modules)

    return install
