"""A foreign model as files of several number formats, for ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...atomic_write import made_folder, write_atomically
from ...backends import BackendError
from ...backends.onnxruntime.in_dtype import (
    QUANTIZED,
    in_dtype,
    operators_with_weights,
    seeded_feeds,
)
from ...errors import UserError
from ...models.families.foreign.spec import ForeignSpec
from .deployed import Deployed

if TYPE_CHECKING:
    import numpy as np

    Feeds = Sequence[Mapping[str, np.ndarray]]


def converted(
    spec: ForeignSpec, model: bytes, precision: str, feeds: Feeds, method: str = "minmax"
) -> bytes:
    """Return a foreign model's ONNX in that precision.

    feeds, method: what int8-static learns its ranges from, and how. Raises UserError, with the
    converter's words, where it cannot be converted.
    """
    try:
        return in_dtype(model, precision, feeds, method)
    except BackendError as error:
        words = str(error).rstrip(".")
        raise UserError(f"{spec.name} cannot be converted to {precision}: {words}.") from None


def write_foreign(
    spec: ForeignSpec, model: bytes, precision: str, out: Path, threads: int = 1
) -> Deployed:
    """Write what `converted` made to the folder `out`."""
    made_folder(out)
    path = out / f"model.{precision}.onnx"
    write_atomically(path, model)
    return Deployed(out, "onnxruntime", precision, path, spec.batch, threads, spec)


def random_feeds(spec: ForeignSpec, model: bytes, count: int, first: int) -> Feeds:
    """Return random inputs of a foreign model, those of the seeds `first` and further.

    Raises UserError for an input that cannot be filled.
    """
    try:
        return [seeded_feeds(model, first + n) for n in range(count)]
    except BackendError as error:
        raise UserError(f"{spec.name} cannot be quantized: {error}.") from None


def left_in_fp32(model: bytes, precision: str) -> str | None:
    """Say which operators with weights stay as they are in a precision; None where none does."""
    found = operators_with_weights(model)
    rest = {op: count for op, count in found.items() if op not in QUANTIZED.get(precision, found)}
    if not rest:
        return None
    named = ", ".join(f"{count} {op}" for op, count in rest.items())
    return f"{precision} leaves {named} of {sum(found.values())} operators with weights in fp32."
