"""What a part found, in a file that is whole after every row: a killed part keeps its rows."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def write_json(path: Path, value: Any) -> None:
    """Put a value at `path` in one step; a reader or a crash never sees half of it."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(value, indent=1), encoding="utf-8")
    part.replace(path)


@dataclass
class Findings:
    """Facts (name and value), sentences, and tables of a title, columns and rows."""

    path: Path
    facts: dict[str, str] = field(default_factory=dict)
    sentences: list[str] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Findings:
        """Return what a part has written so far; nothing where it has not come to that."""
        if not path.is_file():
            return cls(path)
        kept = json.loads(path.read_text(encoding="utf-8"))
        return cls(path, kept["facts"], kept["sentences"], kept["tables"])

    def fact(self, name: str, value: object) -> None:
        self.facts[name] = str(value)
        self._save()

    def say(self, sentence: str) -> None:
        self.sentences.append(sentence)
        self._save()

    def row(self, title: str, columns: tuple[str, ...], cells: tuple[object, ...]) -> None:
        """Add a row to the table of that title, which begins with its first row."""
        if len(cells) != len(columns):
            raise ValueError(f"{len(cells)} cells for {len(columns)} columns of '{title}'")
        table = next((one for one in self.tables if one["title"] == title), None)
        if table is None:
            table = {"title": title, "columns": list(columns), "rows": []}
            self.tables.append(table)
        table["rows"].append([str(cell) for cell in cells])
        self._save()

    def _save(self) -> None:
        kept = {"facts": self.facts, "sentences": self.sentences, "tables": self.tables}
        write_json(self.path, kept)
