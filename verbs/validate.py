"""`vitprof.validate`: how far a table can be trusted for models it never saw."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import UserError
from ..progress import ProgressOption, shown_progress
from ..quantities import Quantity, seconds
from ..untrusted.limits import check_jobs
from .given_table import table_of
from .inputs import Path, Shapes, fetched, priced_specs

if TYPE_CHECKING:
    from ..models import Spec
    from ..profiler.validation.result import ValidationResult
    from ..spaces.space import SearchSpace
    from ..tables import LatencyTable
    from ..tables.speed import Speed


def validate(
    table: str | os.PathLike[str] | LatencyTable,
    models: Sequence[Path | Spec] = (),
    *,
    shapes: Shapes | None = None,
    at: Speed | str | None = None,
    family: str | None = None,
    space: str | SearchSpace | None = None,
    samples: int = 50,
    seed: int = 0,
    train: int = 0,
    sessions: int = 5,
    time: Quantity | None = None,
    artifacts: str | os.PathLike[str] | None = None,
    jobs: int = 1,
    download: bool = False,
    progress: ProgressOption = False,
) -> ValidationResult:
    """Measure random models that are not in the table, twice, and compare.

    Beside the table stand its rivals on the same models, and the noise floor: how far a second
    measurement would differ from this one. Models are measured in rounds, each of one fresh session
    a model. Two rounds are a complete answer, and further ones narrow it, until one more is
    expected to change the MAPE by less than a tenth of its interval's width. Ctrl-C after two
    rounds ends it with what is known by then.

    Args:
        table: A table of this machine, or its file.
        models: Measure these in place of random ones: models that the table never saw, of a family
            or foreign ones.
        shapes: Sizes of the foreign models' inputs, by name, where they are open.
        at: Compare at this speed of the table's machine: "undisturbed", "typical" or "p90"
            (default: the one that the table is stated at).
        family: Family of the random models (default: the one that the table holds).
        space: Take them from this search space (default: the one the table was measured for).
        samples: How many unseen models.
        seed: Of the random models.
        train: So many further models are measured for the learned rivals; 0 leaves those out.
        sessions: Rounds at the most (2 at least).
        time: Start no further round after so many seconds, or "60s", "3m". Where that is too short
            for two rounds of all models, it is fewer, spread over the range of MACs.
        artifacts: Keep what is compiled in this folder, and take it from there the next time.
        jobs: Before the first round, compile so many models at once, each in a process of its own
            with one thread; `time` does not count it.
        download: Fetch ids of Hugging Face that the local cache lacks.
        progress: Show a bar on stderr, or call this function.

    Returns:
        The errors as fractions, and all latencies in ms; `plot()` draws them. `interval` is the
        MAPE's 95 % interval, `rounds` how many there were, and `stopped` why not more.

    Raises:
        UserError: The table is of another machine, unfinished, or does not cover the models.

    Example:
        >>> import vitprof
        >>> result = vitprof.validate("lut.csv", samples=20)  # doctest: +SKIP
        >>> result.errors.mape  # doctest: +SKIP
        0.021
    """
    from ..profiler.target import open_target_of
    from ..profiler.validation.drawing import draw_for
    from ..profiler.validation.validate import validate_table

    check_jobs(jobs)
    time_s = None if time is None else seconds(time)
    table = table_of(table, at)
    if table.unfinished:
        raise UserError(
            f"{table.source} is unfinished; finish measuring it first (vitprof measure)."
        )
    if models and (family or space or train):
        raise UserError("`models` says what is measured; remove `family`, `space` and `train`.")
    fetched(models, download)
    draw = priced_specs(models, table, shapes) if models else draw_for(table, family, space)
    with (
        open_target_of(table, f"vitprof validate --table {table.source}") as target,
        shown_progress(progress) as on_progress,
    ):
        return validate_table(
            table,
            draw,
            target.keeping(artifacts),
            samples=samples,
            training_samples=train,
            jobs=jobs,
            seed=seed,
            rounds=sessions,
            time_s=time_s,
            on_progress=on_progress,
        )
