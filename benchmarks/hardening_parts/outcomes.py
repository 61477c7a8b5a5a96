"""What a part of the campaign found: rows of counts, in a JSON file a part."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from vitprof.atomic_write import write_atomically


@dataclass(frozen=True)
class Outcome:
    """The calls of one target.

    what: the kind of input or fault ("mutated tables"); target: the command it was done to.
    done: ended as they should without it; refused: ended with exit 2 and a sentence.
    faults: everything else; first_seed: of the first fault, to repeat it.
    """

    what: str
    target: str
    calls: int
    done: int
    refused: int
    faults: int
    first_seed: int | None = None


def write_rows(folder: Path, part: str, rows: Iterable[Outcome]) -> None:
    """Write a part's rows; those of other targets that stand there stay."""
    kept = {(row.what, row.target): row for row in read_rows(folder, part)}
    kept |= {(row.what, row.target): row for row in rows}
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(row) for row in kept.values()], indent=1)
    write_atomically(folder / f"{part}.json", text + "\n")


def read_rows(folder: Path, part: str) -> Sequence[Outcome]:
    """Return a part's rows; none where it has not been run."""
    path = folder / f"{part}.json"
    return [Outcome(**row) for row in json.loads(path.read_text())] if path.is_file() else []
