"""`vitprof.transfer`: a table for a new device from few measured points and tables of others."""

from __future__ import annotations

import os
import random
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..notes import note, warn
from ..progress import ProgressOption, shown_progress
from ..quantities import Quantity, seconds
from .given_table import table_of

if TYPE_CHECKING:
    from .. import tables
    from ..models import Spec
    from ..profiler.plan import Point
    from ..profiler.sampling.protocol import Protocol
    from ..tables.transfer.probes import Question
    from .transferred import Transfer

    Source = str | os.PathLike[str] | tables.LatencyTable

# Random models that probes are to predict, and further ones that may be probes.
GOALS, MORE_MODELS = 24, 16


def transfer(
    sources: Source | Sequence[Source],
    *,
    out: str | os.PathLike[str] | None = None,
    probe: int = 10,
    probes: Source | None = None,
    device: str | None = None,
    batch: int | None = None,
    threads: int | None = None,
    dtype: str | None = None,
    backend: str | None = None,
    provider: str | None = None,
    sparsity: str | None = None,
    cache: str | None = None,
    graph: str | None = None,
    family: str | None = None,
    sessions: int = 3,
    time: Quantity | None = None,
    seed: int = 0,
    fresh: bool = False,
    artifacts: str | os.PathLike[str] | None = None,
    also_predicted: bool = False,
    progress: ProgressOption = False,
) -> Transfer:
    """Make a table for a new device or setting from few measured points and the tables of others.

    Every point that a source has gets a row: as measured, or predicted from the sources and the
    probes with a 95 % interval (verdict "transferred"). Probes are chosen for what they say about
    whole models, and whole models are among them. The measured points are kept beside `out`
    (lut.csv: lut.probes.csv): interrupted, or with a larger `probe`, the same call measures only
    what is left.

    Args:
        sources: Tables of other devices, runtimes, precisions, thread counts or batches, or their
            files; several are weighted by how like them the probes are.
        out: The new table's file, CSV (default: nowhere; needed where probes are measured).
        probe: How many points to measure: as many as there are ops, and one, at the least.
        probes: A table of points measured elsewhere (from a bundle, say): nothing is measured here.
        device: Which device to measure on (`vitprof.devices`; default: "cpu").
        batch: Images a run (default: 1).
        threads: The runtime's threads (default: 1).
        dtype: fp32, fp16, bf16 or int8 (default: the device's own).
        backend: What runs it (default: the device's own).
        provider: How the backend runs (default: the backend's own).
        sparsity: "dense" or "2:4" (default: dense).
        cache: "warm" or "cold", of a GPU (default: warm).
        graph: "none" or "cuda_graph" (default: none).
        family: Cover this family: its ops that no source has are measured too, or left out with a
            warning where nothing is measured.
        sessions: Fresh sessions a probe.
        time: Stop adding sessions after so many seconds, or "20s", "2m".
        seed: Of the random models that probes are chosen for.
        fresh: Measure the probes again, and write over a measured table at `out`.
        artifacts: Keep what is compiled in this folder, and take it from there the next time.
        also_predicted: Take transferred rows of `probes` for probes too, as sure as their intervals
            say.
        progress: Show a bar on stderr, or call this function.

    Returns:
        The table, what each probe showed, the sources' shares, and how far whole models are
        expected to err; `plot()` draws it.

    Raises:
        UserError: A source is of the very setting that is asked for, sources share no point, probes
            are fewer than the unknowns or none of the sources' points, or nothing here measures the
            device so.

    Example:
        >>> import vitprof
        >>> found = vitprof.transfer(
        ...     ["ort.csv", "openvino.csv"], backend="torch", out="torch.csv", time="20s"
        ... )  # doctest: +SKIP
        >>> found.expected_error, found.table.predict("deit-small").ms  # doctest: +SKIP
        (0.014, 88.1)
    """
    from ..tables.transfer.transferred import transferred_table
    from .latency_table import LatencyTable
    from .transferred import Transfer

    lookup = [table_of(source) for source in _listed(sources)]
    if not lookup:
        raise UserError("there is no table to transfer from; give some: `sources`.")
    place = None if out is None else Path(out)
    _check_place(place, fresh)
    setting = {
        "device": device,
        "batch": batch,
        "threads": threads,
        "dtype": dtype,
        "backend": backend,
        "provider": provider,
        "sparsity": sparsity,
        "cache": cache,
        "graph": graph,
    }
    elsewhere = None if probes is None else table_of(probes)
    question = _question(lookup, seed, elsewhere)
    if elsewhere is not None:
        measured = elsewhere
        measured.check_setting(**setting)
        _check_other(lookup, measured.setting, measured.environment)
        _warn_of_ops(_points_beside(question, family), measured.ops, " are left out")
    else:
        if place is None:
            raise UserError("`out` is needed where probes are measured; give a file, or `probes`.")
        question.check_enough(probe, f"`probe` {len(question.unknowns)}")
        measured = _measured(
            question,
            probe,
            _points_beside(question, family),
            {name: value for name, value in setting.items() if value is not None},
            place,
            sessions=sessions,
            time_s=None if time is None else seconds(time),
            fresh=fresh,
            artifacts=artifacts,
            progress=progress,
        )
    name = str(place) if place else "the transferred table"
    found = transferred_table(question, measured, name, also_predicted)
    if found.left_out:
        named = ", ".join(found.left_out[:3]) + (" ..." if len(found.left_out) > 3 else "")
        warn(f"warning: {len(found.left_out)} points failed in every source: {named}.")
    if place is not None:
        found.table.to_csv(place)
    return Transfer(
        LatencyTable.of(found.table),
        found.probes,
        found.weights,
        found.expected_error,
        found.left_out,
    )


def _listed(sources: Source | Sequence[Source]) -> list[Source]:
    from ..tables import LatencyTable

    if isinstance(sources, (str, os.PathLike, LatencyTable)):
        return [sources]
    return list(sources)


def _check_place(place: Path | None, fresh: bool) -> None:
    """Raise UserError where a table that was measured would be written over."""
    if place is None or fresh or not place.exists():
        return
    from ..tables import LatencyTable

    if LatencyTable.read_csv(place, calibration=False).header.transfer is None:
        raise UserError(
            f"{place} holds a table that was not transferred; give another `out`, or `fresh` to "
            "write over it."
        )


def _question(
    lookup: Sequence[tables.LatencyTable], seed: int, measured: tables.LatencyTable | None
) -> Question:
    """Return what is to be predicted, for random models of the first source's families.

    Whole models among what was `measured` are points too.
    """
    from ..models import Spec
    from ..tables.transfer.probes import question_of

    goals = _random_models(lookup[0], GOALS, f"goals {seed}")
    middling = statistics.median([spec.macs for spec in goals] or [0])
    # The larger half takes most of the time and says little more: 1.4 % against 1.5 % of error.
    drawn = _random_models(lookup[0], MORE_MODELS, f"probes {seed}")
    more = [spec for spec in drawn if spec.macs <= middling]
    rows = [] if measured is None else measured.model_rows
    given = [row.subject for row in rows if isinstance(row.subject, Spec)]
    return question_of(lookup, goals, [*more, *given])


def _random_models(table: tables.LatencyTable, count: int, seed: str) -> list[Spec]:
    """Return random models of what a table was measured for; none of a table without a space."""
    from ..profiler.spaces_of_table import spaces_of_table
    from ..profiler.validation.drawing import draw_for

    rng = random.Random(seed)  # noqa: S311 - reproducible models, not secrets
    name = seed.replace(" ", "-")
    try:
        if table.header.search_space is not None:
            draw = draw_for(table)
            return [draw(rng, f"{name}-{i}") for i in range(count)]
        spaces = spaces_of_table(table)
    except UserError:
        return []
    each = -(-count // len(spaces))
    return [
        space.sample(rng, name=f"{name}-{space.name}-{i}") for space in spaces for i in range(each)
    ]


def _points_beside(question: Question, family: str | None) -> list[Point]:
    """Return the family's points whose op no source has."""
    if family is None:
        return []
    from .plan import plan

    known = set(question.sources.ops)
    return [point for point in plan(family).points if _op(point) not in {*known, ""}]


def _op(point: Point) -> str:
    """Return a block's op, "" of a whole model."""
    return getattr(point.subject, "op", "")


def _warn_of_ops(points: Sequence[Point], measured: Sequence[str], what: str) -> None:
    lacking = [_op(point) for point in points if _op(point) not in measured]
    if lacking:
        ops = ", ".join(f"'{op}'" for op in dict.fromkeys(lacking))
        warn(f"warning: no source has {ops}: the {len(lacking)} points{what}.")


def _check_other(lookup: Sequence[tables.LatencyTable], setting: Any, environment: Any) -> None:
    """Raise UserError for a source that is of the very device and setting asked for."""
    from ..tables.difference import first_difference

    for table in lookup:
        same = not table.setting.difference(setting)
        if same and not first_difference(table.environment, environment):
            from ..tables.picture import setting_in_words

            raise UserError(
                f"{table.source} is a table of this very device and setting "
                f"({setting_in_words(setting)}); there is nothing to transfer: use it, or give "
                "another setting."
            )


def _protocol(sessions: int) -> Protocol:
    """Return how probes are sampled: they are few and long, and time counts.

    Small groups let the time end measuring soon.
    """
    from ..profiler.sampling.protocol import MODEL_SAMPLING, Protocol

    return Protocol(
        sessions=sessions,
        model_sessions=sessions,
        extra_sessions=2,
        model_extra_sessions=2,
        reference_sessions=3,
        group=3,
        sampling=MODEL_SAMPLING,
    )


def _measured(
    question: Question,
    probe: int,
    beside: Sequence[Point],
    given: dict[str, Any],
    out: Path,
    *,
    sessions: int,
    time_s: float | None,
    fresh: bool,
    artifacts: str | os.PathLike[str] | None,
    progress: ProgressOption,
) -> tables.LatencyTable:
    """Return the table of the probes, measured into the file beside `out`."""
    from ..profiler.measure import measure_table
    from ..profiler.place.environment import fingerprint
    from ..profiler.plan import Plan, Point
    from ..profiler.target import open_target
    from ..tables.setting import PartialSetting

    file = out.with_name(f"{out.stem}.probes.csv")
    with open_target(PartialSetting(**given), f"vitprof transfer --out {out}") as target:
        _check_other(question.sources.tables, target.setting, fingerprint(target))
        _warn_of_ops(beside, (), " are measured beside the probes")
        points = [Point(subject, context) for subject, context in question.choose(probe)]
        try:
            with shown_progress(progress) as on_progress:
                measured = measure_table(
                    Plan([*points, *beside]),
                    target.keeping(artifacts),
                    file,
                    protocol=_protocol(sessions),
                    fresh=fresh,
                    budget_s=time_s,
                    on_progress=on_progress,
                )
        except KeyboardInterrupt:
            note(f"stopped; the probes done are kept in {file}, and the same command continues.")
            raise
    failed = [row for row in measured.rows if row.verdict == "failed"]
    for row in failed:
        warn(f"warning: a probe failed: {row.name}: {row.error}")
    return measured
