"""A room imports only from floors below it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import vitprof

ROOT = Path(vitprof.__file__).parent
# Below all rooms, and importing from none.
GROUND = "untrusted"
BELOW = {
    GROUND: set(),
    "models": set(),
    "backends": set(),
    "tables": {"models"},
    "training": {"models"},
    "spaces": {"models"},
    "foreign": {"models", "backends"},
    "profiler": {"models", "backends", "tables", "training", "spaces", "foreign"},
    "compress": {"models", "tables", "training"},
    "search": {"models", "tables", "training", "spaces", "compress"},
}


def rooms_imported(file: Path) -> set[str]:
    """Return the rooms of vitprof that a file imports from, anywhere in it."""
    package = ("vitprof", *file.relative_to(ROOT).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            names = [*base, *(node.module or "").split(".")]
            modules = [names, *([*names, alias.name] for alias in node.names)]
        elif isinstance(node, ast.Import):
            modules = [alias.name.split(".") for alias in node.names]
        else:
            continue
        for parts in modules:
            kept = [part for part in parts if part]
            if len(kept) > 1 and kept[0] == "vitprof":
                found.add(kept[1])
    return found


@pytest.mark.parametrize("room", BELOW)
def test_a_room_knows_only_floors_below(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    for file in files:
        above = (rooms_imported(file) & {*BELOW, "cli"}) - BELOW[room] - {room, GROUND}
        assert not above, f"{file.relative_to(ROOT)} imports {', '.join(sorted(above))}"
