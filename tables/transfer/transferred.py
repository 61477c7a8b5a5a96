"""The new device's table: what was measured there, and all else predicted from the sources."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...errors import UserError
from ...models import Block, Spec
from ..calibration.calibrate import calibrated
from ..references import References
from ..row import NORMAL_95, Row
from ..table import LatencyTable
from .belief import Learned
from .probes import Question
from .sources import Key, key_of, relative_sd

METHOD = (
    "log latencies by a Gaussian process: the mean of the sources, how they differ, each op's own "
    "scale, slope and start, and whole models as made of their blocks"
)
# What a probe is off by where its row has no interval.
UNKNOWN_PROBE_SD = 0.02
# Mean over standard deviation of |error| of a normal distribution.
MEAN_ABSOLUTE = math.sqrt(2 / math.pi)


@dataclass(frozen=True)
class Probe:
    """A measured point: ms as measured, and as predicted from the sources and other probes.

    `low_ms`..`high_ms` is the 95 % interval of the prediction.
    """

    key: Key
    measured_ms: float
    predicted_ms: float
    low_ms: float
    high_ms: float

    @property
    def name(self) -> str:
        return name_of(self.key)

    @property
    def error(self) -> float:
        """The relative error of what is predicted without it."""
        return self.predicted_ms / self.measured_ms - 1

    @property
    def is_covered(self) -> bool:
        return self.low_ms <= self.measured_ms <= self.high_ms


@dataclass(frozen=True)
class Transferred:
    """A table, what its probes showed, and the sources' shares of it.

    `expected_error` is the mean relative error that predictions of whole models (without any: of
    blocks) are expected to have. `left_out` are points that no source can predict.
    """

    table: LatencyTable
    probes: Sequence[Probe]
    weights: Mapping[str, float]
    expected_error: float
    left_out: Sequence[str]


def transferred_table(
    question: Question, probes: LatencyTable, source: str, also_predicted: bool = False
) -> Transferred:
    """Return the table of the device that `probes` were measured on; `source` is its name.

    With `also_predicted` transferred rows of theirs count too, as sure as their intervals say.

    Every point of the sources has a row: as measured, or predicted with its interval
    ("transferred"). Raises UserError where no probe is a point of the sources, or there are fewer
    than unknowns.
    """
    keys = question.sources.keys
    position = {key: n for n, key in enumerate(keys)}
    passed_over = {"failed"} if also_predicted else {"failed", "transferred"}
    measured = {key_of(row): row for row in probes.rows if row.verdict not in passed_over}
    known = [row for key, row in measured.items() if key in position]
    if not known:
        raise UserError(
            f"none of the {len(measured)} points of {probes.source} is one that "
            f"{' and '.join(question.sources.names)} have or can predict; measure points of their "
            f"ops: {', '.join(question.sources.ops)}."
        )
    question.check_enough(len(known), f"{probes.source} has {len(known)} that the sources know")
    where = [position[key_of(row)] for row in known]
    values = np.log([row.latency_ms for row in known])
    noise = np.array([_noise(row) for row in known])
    learned = question.belief.given(where, values, noise)
    goals = list(question.goals)
    sd = learned.sd[goals]
    expected = float(np.mean(sd)) * MEAN_ABSOLUTE
    half_width = float(np.sqrt(np.mean(learned.half_width[goals] ** 2)))
    weights = dict(zip(question.sources.names, learned.weights.tolist(), strict=True))
    shown = _probes(known, values, learned)
    left_out = [name_of(key) for key in question.sources.lacking if key not in measured]
    header = replace(
        probes.header,
        transfer={
            "sources": [
                {"table": table.source, "setting": table.setting.as_dict(), "share": round(w, 4)}
                for table, w in zip(question.sources.tables, weights.values(), strict=True)
            ],
            "probes": [_said(probe) for probe in shown],
            "method": METHOD,
            "expected_error": round(expected, 6),
            "whole_sd": round(half_width / NORMAL_95, 6),
            "left_out": left_out,
        },
    )
    references = header.references or References()
    exponents = _exponents(known)
    rows = [
        measured.get(keys[n]) or _row(keys[n], n, learned, references, exponents)
        for n in question.rows
    ]
    own = set(map(key_of, rows))
    rows += [row for key, row in measured.items() if key not in own]
    table = calibrated(LatencyTable(rows, header, source=source))
    return Transferred(table, shown, weights, expected, left_out)


def name_of(key: Key) -> str:
    """Return the block in words, or "model NAME"."""
    subject = key[0]
    return str(subject) if isinstance(subject, Block) else f"model {subject.name}"


def _noise(row: Row) -> float:
    sd = relative_sd(row)
    return UNKNOWN_PROBE_SD if math.isnan(sd) else sd


def _exponents(rows: Sequence[Row]) -> dict[str, float]:
    """Return the mean exponent of the measured rows by kind, and of all of them as ""."""
    kinds: dict[str, list[float]] = {"": []}
    for row in rows:
        kinds.setdefault(_kind(row.subject), []).append(row.exponent)
        kinds[""].append(row.exponent)
    return {kind: float(np.mean(values)) for kind, values in kinds.items()}


def _kind(subject: Block | Spec) -> str:
    return subject.op if isinstance(subject, Block) else "model"


def _row(
    key: Key, n: int, learned: Learned, references: References, exponents: Mapping[str, float]
) -> Row:
    """Return the row of a point that was not measured."""
    log_ms, half = float(learned.mean[n]), float(learned.half_width[n])
    subject, context = key
    return Row(
        subject,
        context=context,
        verdict="transferred",
        latency_ms=math.exp(log_ms),
        low_ms=math.exp(log_ms - half),
        high_ms=math.exp(log_ms + half),
        reference=references.of(subject),
        exponent=exponents.get(_kind(subject), exponents[""]),
    )


def _probes(rows: Sequence[Row], values: np.ndarray, learned: Learned) -> list[Probe]:
    predicted = values - learned.held_out
    half = learned.held_out_half_width
    return [
        Probe(
            key_of(row),
            row.latency_ms,
            math.exp(predicted[n]),
            math.exp(predicted[n] - half[n]),
            math.exp(predicted[n] + half[n]),
        )
        for n, row in enumerate(rows)
    ]


def _said(probe: Probe) -> dict[str, Any]:
    """Return a probe as the table's header keeps it."""
    return {
        "point": probe.name,
        "measured_ms": round(probe.measured_ms, 7),
        "held_out_error": round(probe.error, 6),
    }
