"""`vitprof.compare`: MACs against latency, and tables against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

from ..errors import UserError
from ..notes import note
from ..progress import ProgressOption, shown_progress, shown_wait
from ..quantities import Quantity, seconds
from .given_table import table_of
from .inputs import Path, Shapes, fetched, priced_specs

if TYPE_CHECKING:
    from ..models import Spec
    from ..tables import LatencyTable
    from ..tables.comparison.across import Across
    from ..tables.comparison.comparison import Comparison
    from ..tables.comparison.shared_blocks import SharedBlocks
    from ..tables.speed import Speed


def compare(
    models: Path | Spec | Sequence[Path | Spec] = (),
    tables: Path | LatencyTable | Sequence[Path | LatencyTable] = "lut.csv",
    *,
    at: Speed | str | None = None,
    samples: int = 0,
    seed: int = 0,
    measure: bool = False,
    time: Quantity | None = None,
    extrapolate: bool = False,
    blocks: bool = False,
    interpolated: bool = False,
    shapes: Shapes | None = None,
    download: bool = False,
    progress: ProgressOption = False,
) -> Comparison | Across | SharedBlocks:
    """Compare models by MACs and by latency, and show which pairs MACs get wrong.

    With several tables, compare the tables: which pairs of models change places from one device
    to another, and what choosing by the wrong table costs. Two tables that do not cover two models
    in common, as imported ones, are compared by the blocks that both hold.

    Args:
        models: Names, specs' JSON files, folders, foreign models or Specs (default: every named
            model that the table covers).
        tables: A table or its file, or several.
        at: State latencies at this speed of the table's machine: "undisturbed", "typical" or "p90"
            (default: the one that the table is stated at).
        samples: Add so many random models from the (first) table's range.
        seed: Of the random models.
        measure: Measure the models on this machine too; with one table only.
        time: With `measure`, begin no further session after so many seconds, or "60s", "3m", but
            for each model's first.
        extrapolate: Answer outside the measured range too.
        blocks: Compare two tables by the blocks that both hold, not by models.
        interpolated: With blocks: also those that one table has measured and the other can
            interpolate; they are labelled.
        shapes: Sizes of foreign models' inputs, by name, where they are open.
        download: Fetch an id of Hugging Face that the local cache lacks.
        progress: Show a bar on stderr while measuring, or call this function.

    Returns:
        A `Comparison` of one table, an `Across` of several, or `SharedBlocks` of two:
        `to_frame()`, `plot()`, `save(folder)`. Latencies are ms for one run of the table's batch.

    Raises:
        UserError: A table does not cover a model that is named, or none at all; two tables share
            no block; or a table is to be measured on another machine than its own.

    Example:
        >>> import vitprof
        >>> found = vitprof.compare(["deit-tiny", "deit-small"], "lut.csv")  # doctest: +SKIP
        >>> found.kendall_tau, found.inversions  # doctest: +SKIP
        (1.0, [])
    """
    from ..tables.comparison.across import compare_tables
    from ..tables.comparison.comparison import compare_models

    if time is not None and not measure:
        raise UserError("`time` goes with `measure`; give both, or remove it.")
    time_s = None if time is None else seconds(time)
    several = [tables] if isinstance(tables, str) or not isinstance(tables, Sequence) else tables
    if blocks or interpolated:
        return _by_blocks(
            _labelled(several, at), bool(_several(models) or samples or measure), interpolated
        )
    fetched(models, download)
    read = [table_of(table, at) for table in several]
    first = read[0]
    with shown_wait("reading the models"):
        named = _different(priced_specs(models, first, shapes))
    if len(several) > 1:
        if measure:
            raise UserError(
                "`measure` works with one `tables`: this machine is one device; measure its table "
                "and compare that one."
            )
        by_label = _labelled(read)
        if len(several) == 2 and not named and not samples and not _common(by_label, extrapolate):
            found = _by_blocks(by_label, False, interpolated)
            note("the tables cover no two known models in common: compared by their blocks.")
            return found
        specs = _chosen(next(iter(by_label.values())), named, samples, seed, extrapolate)
        strict = not samples and bool(named)
        return compare_tables(by_label, _covered(by_label, specs, strict, extrapolate), extrapolate)
    table = first
    specs = _chosen(table, named, samples, seed, extrapolate)
    if not measure:
        return compare_models(table, specs, extrapolate=extrapolate)
    from ..profiler.remeasure import verified_ms

    purpose = f"vitprof compare --table {table.source} --verify"
    with shown_progress(progress) as on_progress:
        measured, stable = verified_ms(table, specs, purpose, on_progress, wait=None, time_s=time_s)
    return compare_models(table, specs, measured, extrapolate, stable)


def _several(models: Path | Spec | Sequence[Path | Spec]) -> bool:
    """Whether any model is given."""
    return not isinstance(models, Sequence) or len(models) > 0


def _different(specs: Sequence[Spec]) -> list[Spec]:
    """Return each model once, in the order given."""
    kept: list[Spec] = []
    for spec in specs:
        if spec not in kept:
            kept.append(spec)
    return kept


def _by_blocks(tables: Mapping[str, LatencyTable], of_models: bool, more: bool) -> SharedBlocks:
    """Compare two tables by the blocks that both hold, and with `more` by interpolated ones."""
    from ..tables.comparison.shared_blocks import compare_blocks

    if of_models:
        raise UserError(
            "`blocks` compares tables without models; remove `models`, `samples` and `measure`."
        )
    if len(tables) != 2:
        raise UserError(f"`blocks` compares two `tables`, and {len(tables)} are given.")
    first, second = (table.setting for table in tables.values())
    if first.batch != second.batch:
        note(f"the tables are of batch {first.batch} and {second.batch}: ratios are of one run.")
    return compare_blocks(tables, more)


def _common(tables: Mapping[str, LatencyTable], extrapolate: bool) -> bool:
    """Whether all tables cover two models that are known by name."""
    covered = [{spec.name for spec in _known(table, extrapolate)} for table in tables.values()]
    return len(set.intersection(*covered)) > 1


def _chosen(
    table: LatencyTable, named: Sequence[Spec], samples: int, seed: int, extrapolate: bool
) -> list[Spec]:
    """Return the named models, or all known ones that the table covers, and random ones."""
    import random

    chosen = list(named)
    if not named and not samples:
        chosen = _known(table, extrapolate)
    if samples:
        from ..profiler.spaces_of_table import spaces_of_table

        spaces = spaces_of_table(table)
        rng = random.Random(seed)  # noqa: S311 - reproducible models, not secrets
        chosen += [spaces[i % len(spaces)].sample(rng, f"random-{i}") for i in range(samples)]
    if not chosen:
        raise UserError(
            f"{table.source} covers none of the known models; name one in `models` and accept a "
            "guess with `extrapolate`, or measure a table for it."
        )
    return chosen


def _known(table: LatencyTable, extrapolate: bool) -> list[Spec]:
    """Return the models known by name that a table covers."""
    from ..models import create_spec, spec_names

    found = []
    for name in spec_names():
        spec = create_spec(name)
        try:
            table.predict(spec, extrapolate)
        except UserError:
            continue
        found.append(spec)
    return found


def _labelled(
    tables: Sequence[Path | LatencyTable], at: Speed | str | None = None
) -> dict[str, LatencyTable]:
    """Return the tables by label: the file's name, or its whole path where names are alike."""
    read = [table_of(table, at) for table in tables]
    paths = [FilePath(table.source) for table in read]
    if len(set(paths)) < len(paths):
        raise UserError("one of `tables` is given twice; give each once.")
    stems = [path.stem for path in paths]
    return {
        path.stem if stems.count(path.stem) == 1 else str(path.with_suffix("")): table
        for path, table in zip(paths, read, strict=True)
    }


def _covered(
    tables: Mapping[str, LatencyTable], specs: Sequence[Spec], strict: bool, extrapolate: bool
) -> list[Spec]:
    """Return the specs that every table covers.

    One that is not covered is a UserError where it is `strict`, else it is left out and reported.
    """
    kept = []
    for spec in specs:
        try:
            for table in tables.values():
                table.predict(spec, extrapolate)
        except UserError as error:
            if strict:
                raise
            note(f"left out: {spec.name}: {error}")
            continue
        kept.append(spec)
    if len(kept) < 2:
        raise UserError(
            "fewer than two models are covered by all tables; name some in `models`, or accept "
            "guesses with `extrapolate`."
        )
    return kept
