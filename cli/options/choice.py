"""Options of `vitprof choose` that say what there is to choose from, and under which limits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import UserError, did_you_mean
from .common import grouped_options

if TYPE_CHECKING:
    from ...search.deployments.deployments import Ladder
    from ...search.deployments.score import MeasuredLimits
    from ...search.limits import Limit

PRECISIONS = ("fp32", "int8", "int8-static")


@dataclass(frozen=True)
class ChoiceLimits:
    """What the variant may cost at most, as written."""

    max_latency: str | None
    max_memory: str | None
    max_params: str | None
    max_macs: str | None
    max_cpu: str | None
    min_accuracy: float | None

    def measured(self) -> MeasuredLimits:
        """Return the limits on what is measured; raises UserError for what is no amount."""
        from ...search.deployments.score import MeasuredLimits
        from ...search.limits import Limit

        return MeasuredLimits(
            None if self.max_latency is None else Limit.of("ms", self.max_latency).most,
            None if self.max_memory is None else Limit.of("bytes", self.max_memory).most,
            None if self.max_cpu is None else _percent(self.max_cpu),
            None if self.min_accuracy is None else self.min_accuracy / 100,
        )

    def known(self) -> tuple[Limit, ...]:
        """Return the limits on what is known beforehand."""
        from ...search.limits import Limit

        pairs = (("params", self.max_params), ("macs", self.max_macs))
        return tuple(Limit.of(unit, text) for unit, text in pairs if text is not None)


def choice_limit_options(function: Any) -> Any:
    return grouped_options(function, "limits", ChoiceLimits, (
        click.option("--max-latency", help="Of one image, e.g. 3ms."),
        click.option("--max-memory", help="Peak resident set of the process, e.g. 100MiB."),
        click.option("--max-params", help="Parameters, e.g. 2M."),
        click.option("--max-macs", help="MACs of an image, e.g. 150M."),
        click.option("--max-cpu", help="Of one core, while it runs, e.g. 120%."),
        click.option("--min-accuracy", type=click.FloatRange(0, 100), help="In percent."),
    ))  # fmt: skip


@dataclass(frozen=True)
class FoundLadder:
    """A ladder of models, and the folder of each."""

    ladder: Ladder
    folders: dict[str, Path]


def ladder_of(folder: Path) -> FoundLadder:
    """Return the models of a folder that prune-heads wrote, the whole first; or of a model's.

    Raises UserError for a folder that is neither.
    """
    from ...models import create_spec
    from ...search.deployments.deployments import Ladder

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


def chosen_precisions(text: str) -> list[str]:
    found = [part.strip() for part in text.split(",") if part.strip()]
    for one in found:
        if one not in PRECISIONS:
            raise UserError(f"unknown precision '{one}'{did_you_mean(one, PRECISIONS)}.")
    return found


def numbers_of_threads(text: str) -> list[int]:
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = [0]
    if not all(0 < count <= 1024 for count in found):
        raise UserError(f"--threads {text} is no list of numbers from 1 to 1024, such as 1,2.")
    return found


def _percent(text: str) -> float:
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise UserError(f"--max-cpu {text} is no share of a core; write it as 100%.")
    return value
