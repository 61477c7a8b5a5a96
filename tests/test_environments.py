"""docs/environments.md against pyproject.toml and the Makefile: every extra, every environment."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/environments.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
APART = ("timm", *re.findall(r"^RUNTIMES := (.+)$", MAKEFILE, re.M)[0].split())


@pytest.mark.parametrize("extra", [name for name in EXTRAS if name != "test"])
def test_every_extra_is_there_with_its_packages(extra: str) -> None:
    packages = ", ".join(f"`{one}`" for one in EXTRAS[extra])
    assert f"| `{extra}` | {packages} |" in PAGE


def test_no_other_extra_is_there() -> None:
    listed = re.findall(r"^\| `([a-z0-9-]+)` \| `", PAGE.partition("## Environments")[0], re.M)
    assert sorted(listed) == sorted(set(EXTRAS) - {"test"})


@pytest.mark.parametrize("name", APART)
def test_every_environment_has_its_pins_tests_and_line(name: str) -> None:
    assert f"`.venv-{name}`" in PAGE
    assert f"`make test-{name}`" in PAGE
    assert (ROOT / f"constraints-{name}.txt").is_file()
    assert list((ROOT / f"tests/{name}_env").glob("check_*.py"))
    assert f".venv-{name}" in PROJECT["tool"]["ruff"]["extend-exclude"]
    assert f".venv-{name}/" in (ROOT / ".gitignore").read_text().splitlines()
