"""A model at its levels, as `vitprof prune-heads` leaves it behind, or a model alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...errors import UserError
from ...models import Spec, create_spec


@dataclass(frozen=True)
class Ladder:
    """A model at its levels, the whole one first: names and specs, each smaller than the last."""

    name: str
    models: tuple[str, ...]
    specs: tuple[Spec, ...]


@dataclass(frozen=True)
class FoundLadder:
    """A ladder of models, and the folder of each."""

    ladder: Ladder
    folders: dict[str, Path]


def ladder_of(folder: Path) -> FoundLadder:
    """Return the models of a folder that prune-heads wrote, the whole first; or of a model's.

    Raises UserError for a folder that is neither.
    """
    name = folder.resolve().name
    if (folder / "whole" / "spec.json").is_file():
        found = (path.parent for path in folder.glob("level-*/spec.json"))
        levels = sorted(found, key=lambda level: int(level.name.removeprefix("level-")))
        places = {f"{name}/{level.name}": level for level in (folder / "whole", *levels)}
    elif folder.is_dir() and any(
        (folder / file).is_file() for file in ("spec.json", "config.json")
    ):
        places = {name: folder}
    else:
        raise UserError(
            f"{folder} is neither a folder of vitprof prune-heads nor one with a model."
        )
    specs = tuple(create_spec(place) for place in places.values())
    return FoundLadder(Ladder(name, tuple(places), specs), places)
