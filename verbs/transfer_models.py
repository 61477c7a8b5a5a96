"""`vitprof.transfer_models`: whole models on a phone that only an app can time."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserError
from ..notes import warn
from ..progress import shown_wait

if TYPE_CHECKING:
    from ..models import Spec
    from ..tables.row import Row, Verdict
    from ..tables.transfer.timed_models import TimedModel
    from ..tables.transfer.timings import Timings
    from .transfer import Source
    from .transferred import Transfer
    from .transferred_models import TransferredModels

# What a model's name may be made of where it names one that vitprof knows.
_NAME = re.compile(r"[A-Za-z0-9_.-]+")


def transfer_models(
    models: str | os.PathLike[str],
    *,
    unit: str | None = None,
    target: str | None = None,
    probes: str | os.PathLike[str] | None = None,
    probe: int = 10,
    sources: Source | Sequence[Source] = (),
    device: str | None = None,
    backend: str | None = None,
    dtype: str | None = None,
    threads: int | None = None,
    batch: int | None = None,
    out: str | os.PathLike[str] | None = None,
) -> TransferredModels:
    """Predict latencies of whole models on a phone from a few timings there and those of others.

    Without timings of the phone (neither `target` nor `probes`) it says which `probe` models to
    time there. With `sources`, tables of blocks of any device, the phone also gets a table of
    blocks: from the models among them that vitprof knows by name and the sources cover.

    Args:
        models: A CSV file: `model`, sizes such as `flops`, and a column a phone and way of running
            (`pixel4|1large|float|mean`), with latencies or empty cells.
        unit: What latencies are in whose column states no unit: "us", "ms" or "s".
        target: The column of the phone that is to be predicted; those of its cells that are filled
            are its timed models. All other columns are sources.
        probes: The phone's timed models in a file of their own: `model,latency_ms` (latency_us,
            latency_s).
        probe: How many models to time.
        sources: Tables of blocks, or their files.
        device: The phone's name in the table of blocks (default: the column's or the file's).
        backend: What the app runs models by, for that table (default: "app").
        dtype: Its precision, for that table (default: fp32).
        threads: Its threads, for that table (default: 1).
        batch: Images a run, for that table (default: 1).
        out: Write the models (CSV), or with `sources` the table of blocks, there.

    Returns:
        Every model with a 95 % interval and whether it was timed, which to time next, and how far
        timed models err when predicted without themselves.

    Raises:
        UserError: A damaged file, an unknown unit, fewer timed models than unknowns, or
            none that the other phones have.

    Example:
        >>> import vitprof
        >>> found = vitprof.transfer_models(
        ...     "phones.csv", unit="us", target="s10|1large|float"
        ... )  # doctest: +SKIP
        >>> found.held_out_error  # doctest: +SKIP
        0.03
    """
    from ..tables.transfer.timed_models import anchors, predict_models
    from ..tables.transfer.timings import read_timings
    from .transferred_models import TransferredModels

    timings = read_timings(models, unit)
    if target is not None and probes is not None:
        raise UserError("`target` and `probes` both say what was timed on the phone; give one.")
    if target is None and probes is None:
        return TransferredModels("the new phone", (), anchors(timings, probe))
    if target is not None:
        timed, phone = timings.column(target), target
        others = timings.without([target])
    else:
        assert probes is not None
        own = read_timings(probes, unit)
        timed, phone = _among(own, timings), own.settings[0]
        others = timings
    with shown_wait("fitting the phones' timings"):
        found, learned = predict_models(others, timed)
    names = [one.model for one in found if not one.transferred]
    left = sum(one.transferred for one in found)
    blocks = None
    if not isinstance(sources, (tuple, list)) or sources:
        setting: dict[str, str | int] = {
            "device": device or re.sub(r"\W+", "-", phone),
            "backend": backend or "app",
            "dtype": dtype or "fp32",
            "threads": threads or 1,
            "batch": batch or 1,
        }
        blocks = _blocks(found, sources, setting, str(models), out)
    result = TransferredModels(
        phone,
        found,
        anchors(others, min(max(probe - len(names), 0), left), names) if left else (),
        float(np.mean(np.abs(np.expm1(-learned.held_out)))),
        float(np.mean(np.abs(learned.held_out) <= learned.held_out_half_width)),
        dict(zip(others.settings, learned.weights.tolist(), strict=False)),
        blocks,
    )
    if out is not None and blocks is None:
        result.save(out)
    return result


def _among(own: Timings, timings: Timings) -> np.ndarray:
    """Return a phone's timings by the models of other phones (m,), NaN where not timed."""
    position = {name: n for n, name in enumerate(timings.models)}
    timed = np.full(len(timings.models), math.nan)
    unknown = [name for name in own.models if name not in position]
    for name, ms in zip(own.models, own.ms[:, 0], strict=True):
        if name in position:
            timed[position[name]] = ms
    if np.isnan(timed).all():
        raise UserError(
            f"none of the {len(own.models)} models of {own.source} is in {timings.source}, which "
            f"has {', '.join(timings.models[:4])} ...; time some of those."
        )
    if unknown:
        named = ", ".join(unknown[:3]) + (" ..." if len(unknown) > 3 else "")
        warn(f"warning: {timings.source} lacks {len(unknown)} of the timed models: {named}.")
    return timed


def _blocks(
    found: Sequence[TimedModel],
    sources: Source | Sequence[Source],
    setting: dict[str, str | int],
    models: str,
    out: str | os.PathLike[str] | None,
) -> Transfer:
    """Return the phone's table of blocks, by those of its models that vitprof knows."""
    from ..tables import LatencyTable, Row, Setting
    from ..tables.header import TableHeader
    from .transfer import transfer

    rows: list[Row] = []
    for one in found:
        spec = _spec(one.model)
        if spec is None or any(row.subject == spec for row in rows):
            continue
        verdict: Verdict = "transferred" if one.transferred else "imported"
        row = Row(
            spec,
            context="in_model",
            verdict=verdict,
            latency_ms=one.ms,
            low_ms=one.low_ms,
            high_ms=one.high_ms,
        )
        rows.append(row)
    if not rows:
        raise UserError(
            f"vitprof knows none of the models of {models} by name (vitprof models), so there is "
            "no table of blocks; leave `sources` out."
        )
    header = TableHeader(
        Setting(provider="", **setting),  # type: ignore[arg-type]
        imported=({"tool": "timings of whole models", "file": Path(models).name},),
    )
    probes = LatencyTable(rows, header, source=f"the {len(rows)} models of {models} known by name")
    return transfer(sources, probes=probes, out=out, also_predicted=True)


def _spec(model: str) -> Spec | None:
    """Return the Spec of a model that vitprof knows by this name, or by timm's spelling of it."""
    from ..models import create_spec

    if not _NAME.fullmatch(model) or Path(model).exists():
        return None
    for name in (model, model.replace("-", "_")):
        try:
            return create_spec(name)
        except UserError:
            continue
    return None
