"""`vitprof.predict`: what a model costs, by a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..notes import warn
from .given_table import table_of
from .inputs import Path, spec_of

if TYPE_CHECKING:
    from ..models import Spec
    from ..tables import LatencyTable, Prediction


def predict(
    model: Path | Spec,
    table: Path | LatencyTable = "lut.csv",
    *,
    extrapolate: bool = False,
    partial: bool = False,
    require_device: str | None = None,
    require_batch: int | None = None,
    require_dtype: str | None = None,
    require_threads: int | None = None,
) -> Prediction:
    """Predict a model's latency from a table, and say where it goes.

    Args:
        model: A name, a spec's JSON file, a model's folder, or a Spec.
        table: A table, or its file.
        extrapolate: Answer outside the measured range too, and mark it.
        partial: Predict the blocks that the table has, and list those it lacks in `missing`.
        require_device: Refuse a table of another device.
        require_batch: Refuse a table of another batch.
        require_dtype: Refuse a table of another dtype.
        require_threads: Refuse a table of another number of threads.

    Returns:
        Milliseconds for one run of the table's batch with a 95 % interval, and each block's share.

    Raises:
        UserError: An unknown model, a damaged table, one of another setting than required, or one
            that does not cover the model.

    Example:
        >>> import vitprof
        >>> answer = vitprof.predict("deit-small", "lut.csv")  # doctest: +SKIP
        >>> answer.ms, answer.by_op["attention"]  # doctest: +SKIP
        (26.6, 12.4)
    """
    lut = table_of(table)
    lut.check_setting(
        device=require_device, batch=require_batch, dtype=require_dtype, threads=require_threads
    )
    answer = lut.predict(spec_of(model), extrapolate=extrapolate, partial=partial)
    if lut.unfinished:
        warn(f"warning: {lut.source} is unfinished: its measuring was interrupted.")
    return answer
