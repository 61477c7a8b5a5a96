"""What a choice of deployments is asked: limits, ways, images and tables, checked and opened."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UserError, did_you_mean
from ...notes import note
from ...progress import OnProgress
from ...quantities import Quantity, bytes_of, latency_ms, share
from ...search.deployment_space.deployment import Deployment, Way
from ...search.deployment_space.limits import Limits

if TYPE_CHECKING:
    from ...profiler.sustained.sensors import Gauge
    from ...tables import LatencyTable
    from ...tables.speed import Speed
    from ...training.data.images import Dataset, Images
    from .files import Workers
    from .sources import MadeVariant

ALL = "all"
DTYPES = ("fp32", "bf16", "int8", "int8-static")
Numbers = int | str | Sequence[int]


@dataclass(frozen=True)
class Judge:
    """The images: all of a resolution, those to judge by, and the others, if any."""

    data_at: Callable[[int | None], Dataset]
    judged: Callable[[int], Images]
    others: Callable[[int], Images | None]


def numbers_of(name: str, given: Numbers, least: int, *, may_lack: bool = False) -> list[int]:
    """Return whole numbers of a list, one number, or text ("0,2,4"), each once.

    Raises UserError for anything else.
    """
    parts = given.split(",") if isinstance(given, str) else given
    try:
        found = [parts] if isinstance(parts, int) else [int(part) for part in parts]
    except ValueError:
        found = []
    if (not found and not may_lack) or not all(least <= one <= 4096 for one in found):
        raise UserError(
            f"`{name}` {given} is not a list of numbers from {least} to 4096, such as "
            f"{least},{least + 1}."
        )
    return list(dict.fromkeys(found))


def check_counts(**given: int | None) -> None:
    """Raise UserError for a number that is below 1; None is the default's."""
    for name, value in given.items():
        if value is not None and value < 1:
            raise UserError(f"`{name}` is {value}; it has to be 1 or more.")


def limits_of(
    latency: Quantity | None,
    memory: Quantity | None,
    size: Quantity | None,
    energy: float | None,
    accuracy: Quantity | None,
) -> Limits:
    if energy is not None and not energy > 0:
        raise UserError(f"`max_energy` is {energy}; give millijoules of an image, above 0.")
    return Limits(
        None if latency is None else latency_ms(latency),
        None if memory is None else bytes_of(memory),
        None if size is None else bytes_of(size),
        energy,
        None if accuracy is None else share(accuracy),
    )


def energy_here() -> Gauge:
    """Return the counter of joules; raises UserError where there is none, with the reason."""
    from ...profiler.sustained.rapl import rapl_energy
    from ...profiler.sustained.sensors import Untold

    found = rapl_energy(Path("/"))
    if isinstance(found, Untold):
        raise UserError(f"`max_energy` cannot be kept here: {found.source}; remove it.")
    return found


def tables_of(tables: str | Path | Sequence[str | Path], speed: Speed) -> list[LatencyTable]:
    from ..given_table import table_of

    paths = [tables] if isinstance(tables, str | Path) else tables
    found = []
    for path in paths:
        table = table_of(path, None)
        found.append(table.at(speed) if speed in table.known_speeds else table)
    return found


def checked_out(out: str | Path) -> Path:
    """Return the folder; raises UserError for one that holds anything but an earlier choice."""
    folder = Path(out)
    inside = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if inside and not inside & {"facts.jsonl", "models", "files", "report.json"}:
        raise UserError(f"{folder} is not empty and holds no choice; give another `out`.")
    return folder


def ways_of(
    runtimes: str | Sequence[str],
    dtypes: str | Sequence[str],
    threads: Sequence[int],
    batches: Sequence[int],
    workers: Workers,
) -> list[Way]:
    """Return every way of running a model here, warn of slow ones, and say what is not here.

    Raises UserError for what is not known, and a runtime that is named and not here.
    """
    from ... import __version__
    from ...profiler.deployed.runtimes import RUNTIMES
    from ...profiler.target import warn_of_settings
    from ...tables.setting import PartialSetting

    named = _words(runtimes)
    wanted = _words(dtypes)
    for one in wanted:
        if one not in DTYPES:
            raise UserError(f"unknown `dtypes` '{one}'{did_you_mean(one, DTYPES)}.")
    for one in [*workers.pythons, *([] if named == [ALL] else named)]:
        if one not in RUNTIMES:
            raise UserError(f"unknown runtime '{one}'{did_you_mean(one, [*RUNTIMES, ALL])}.")
    found: list[Way] = []
    for runtime in RUNTIMES if named == [ALL] else named:
        reply = workers.of("build", runtime).ask("here")
        python = workers.python_of(runtime)
        if reply["version"] != __version__ and python != sys.executable:
            raise UserError(
                f"the Python {python} has vitprof {reply['version']} and this is {__version__}; "
                "install the same in both."
            )
        if reason := reply["missing"][runtime]:
            if named != [ALL]:
                raise UserError(f"{runtime} is not here: {reason}")
            note(f"without {runtime}: {reason}")
            continue
        found += [
            Way(runtime, dtype, count, batch)
            for dtype in wanted
            if dtype in reply["dtypes"][runtime]
            for count in threads
            for batch in batches
        ]
    if not found:
        raise UserError(f"no runtime has one of the number formats {', '.join(wanted)}.")
    warn_of_settings(
        PartialSetting(backend=one.runtime, dtype=one.dtype, threads=one.threads) for one in found
    )
    return found


def _words(given: str | Sequence[str]) -> list[str]:
    parts = given.split(",") if isinstance(given, str) else given
    return list(dict.fromkeys(part.strip() for part in parts if part.strip()))


def judge_of(source: str, judge_images: int | None, on_progress: OnProgress) -> Judge:
    """Return the images; judge_images: judge by so many of the test part, None for half of it."""
    from ...training.data.datasets import load_dataset
    from ...training.data.held_out import hold_out

    @cache
    def data_at(resolution: int | None) -> Dataset:
        return load_dataset(source, resolution or None, on_progress)

    @cache
    def halves(resolution: int) -> tuple[Images, Images | None]:
        images = data_at(resolution or None).test
        wanted = len(images) // 2 if judge_images is None else judge_images
        if wanted >= len(images):
            return images, None
        others, judged = hold_out(images, wanted)
        return judged, others

    return Judge(data_at, lambda pixels: halves(pixels)[0], lambda pixels: halves(pixels)[1])


def under(judged: Images) -> dict[str, object]:
    from ...backends import cpu_facts
    from ...training.data.held_out import digest

    return {"images": digest(judged), "cpu": cpu_facts()["cpu"]}


def table_ms_of(
    tables: Sequence[LatencyTable], variants: Iterable[MadeVariant]
) -> dict[Deployment, float]:
    """Return the milliseconds of an image of every variant that a table covers, in its way.

    A table of a way that is not a candidate's still tells the shape.
    """
    made = list(variants)
    found: dict[Deployment, float] = {}
    for table in tables:
        setting = table.setting
        way = Way(setting.backend, setting.dtype, setting.threads, setting.batch)
        lacking = []
        for one in made:
            try:
                found[Deployment(one.variant, way)] = table.predict(one.spec).ms / way.batch
            except UserError as error:
                lacking.append(str(error))
        if lacking:
            note(f"{table.source} lacks {len(lacking)} of {len(made)} variants: {lacking[0]}")
    return found
