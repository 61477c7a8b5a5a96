"""`vitprof.predict`: what a model costs, by a table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import UserError
from ..notes import warn
from ..progress import shown_wait
from ..quantities import Quantity, latency_ms
from .given_table import table_of
from .inputs import Path, Shapes, fetched, priced_spec

if TYPE_CHECKING:
    from ..models import Spec
    from ..tables import LatencyTable, Prediction
    from ..tables.speed import Speed


def predict(
    model: Path | Spec,
    table: Path | LatencyTable = "lut.csv",
    *,
    shapes: Shapes | None = None,
    at: Speed | str | None = None,
    extrapolate: bool = False,
    partial: bool = False,
    max_latency: Quantity | None = None,
    require_device: str | None = None,
    require_batch: int | None = None,
    require_dtype: str | None = None,
    require_threads: int | None = None,
    download: bool = False,
) -> Prediction:
    """Predict a model's latency from a table, and say where it goes.

    Args:
        model: A name, a spec's JSON file, a model's folder, an ONNX file or another foreign model
            (docs/foreign.md), or a Spec.
        shapes: Sizes of a foreign model's inputs, by name, where they are open.
        table: A table, or its file.
        at: State latencies at this speed of the table's machine: "undisturbed", "typical" or "p90"
            (default: the one that the table is stated at).
        extrapolate: Answer outside the measured range too, and mark it.
        partial: Predict the blocks and kernels that the table has, and list those it lacks in
            `missing`, and operators that no kernel stands for in `unknown`.
        max_latency: What the model may take, in milliseconds or as text ("80ms"): the answer's
            `fits`, `certain` and `margin_ms` then say whether it does.
        require_device: Stop where the table is of another device.
        require_batch: Stop where the table is of another batch.
        require_dtype: Stop where the table is of another dtype.
        require_threads: Stop where the table is of another number of threads.
        download: Fetch an id of Hugging Face that the local cache lacks.

    Returns:
        Milliseconds for one run of the table's batch with a 95 % interval, and each block's share;
        and in `undisturbed_ms`, `typical_ms` and `p90_ms` those at each speed that the table knows.

    Raises:
        UserError: An unknown model, a damaged table, one of another setting than required, one
            that does not cover the model or does not know the speed.

    Example:
        >>> import vitprof
        >>> answer = vitprof.predict("deit-small", "lut.csv")  # doctest: +SKIP
        >>> answer.ms, answer.by_op["attention"]  # doctest: +SKIP
        (26.6, 12.4)
    """
    limit = None if max_latency is None else _limit(max_latency)
    lut = table_of(table, at)
    lut.check_setting(
        device=require_device, batch=require_batch, dtype=require_dtype, threads=require_threads
    )
    fetched(model, download)
    with shown_wait("reading the model"):
        spec, unknown = priced_spec(model, lut, shapes, partial)
    answer = lut.predict(spec, extrapolate=extrapolate, partial=partial)
    at_each: dict[str, float] = {
        speed: lut.at(speed).predict(spec, extrapolate=extrapolate, partial=partial).ms
        for speed in lut.known_speeds
    }
    answer = replace(
        answer,
        unknown=unknown,
        max_latency_ms=limit,
        undisturbed_ms=at_each.get("undisturbed"),
        typical_ms=at_each.get("typical"),
        p90_ms=at_each.get("p90"),
    )
    if lut.unfinished:
        warn(f"warning: {lut.source} is unfinished: its measuring was interrupted.")
    return answer


def _limit(max_latency: Quantity) -> float:
    try:
        return latency_ms(max_latency)
    except UserError as error:
        raise UserError(f"`max_latency`: {error}") from None
