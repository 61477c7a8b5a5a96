"""`vitprof.validate`: how far a table can be trusted for models it never saw."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..errors import UserError
from ..progress import ProgressOption, shown_progress

if TYPE_CHECKING:
    from ..profiler.validation.validate import ValidationResult
    from ..spaces.space import SearchSpace
    from ..tables import LatencyTable


def validate(
    table: str | os.PathLike[str] | LatencyTable,
    *,
    family: str | None = None,
    space: str | SearchSpace | None = None,
    samples: int = 50,
    seed: int = 0,
    train: int = 0,
    sessions: int = 5,
    progress: ProgressOption = False,
) -> ValidationResult:
    """Measure random models that the table never saw, twice, and compare.

    Beside the table stand its rivals on the same models, and the noise floor: how far the second
    measurement differs from the first.

    Args:
        table: A table of this machine, or its file.
        family: Family of the random models (default: the one that the table holds).
        space: Take them from this search space (default: the one the table was measured for).
        samples: How many unseen models.
        seed: Of the random models.
        train: So many further models are measured for the learned rivals; 0 leaves those out.
        sessions: Fresh sessions a model, each time.
        progress: Show a bar on stderr, or call this function.

    Returns:
        The errors as fractions, and all latencies in ms; `plot()` draws them.

    Raises:
        UserError: The table is of another machine, unfinished, or does not cover the models.

    Example:
        >>> import vitprof
        >>> result = vitprof.validate("lut.csv", samples=20)  # doctest: +SKIP
        >>> result.errors.mape  # doctest: +SKIP
        0.021
    """
    from ..profiler.sampling.protocol import Protocol
    from ..profiler.target import open_target_of
    from ..profiler.validation.drawing import draw_for
    from ..profiler.validation.validate import validate_table
    from ..tables import LatencyTable

    if isinstance(table, (str, os.PathLike)):
        table = LatencyTable.read_csv(os.fspath(table))
    if table.unfinished:
        raise UserError(
            f"{table.source} is unfinished; finish measuring it first (vitprof measure)."
        )
    draw = draw_for(table, family, space)
    with (
        open_target_of(table, f"vitprof validate --table {table.source}") as target,
        shown_progress(progress) as on_progress,
    ):
        return validate_table(
            table,
            draw,
            target,
            samples=samples,
            training_samples=train,
            seed=seed,
            protocol=Protocol(
                sessions=sessions, model_sessions=sessions, extra_sessions=0, seed=seed
            ),
            on_progress=on_progress,
        )
