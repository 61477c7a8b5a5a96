"""What showed the machine's speed while a table was measured: a reference and its readings.

Blocks have one and whole models may have another; a table that several families were measured
into may have more of them, so each row knows its own (`Row.reference`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..errors import UserError
from ..models import Block, Spec
from ..models.checks import shown
from .speed import Speed
from .speed_histogram import SpeedHistogram

if TYPE_CHECKING:
    from .row import Row

Reference = Block | Spec

# What is assumed of the spread between sessions (a relative standard deviation) where a run has
# not shown its own: the middle of what was seen on two-core machines (0.9-3.1 %).
PRIOR_SESSION_SD = 0.015


@dataclass(frozen=True)
class Drift:
    """A reference over a run: its median, 10th and 90th percentile, in ms.

    `undisturbed_ms` is the fast mode of its readings; None where a table does not know them.
    """

    typical_ms: float
    p10_ms: float
    p90_ms: float
    undisturbed_ms: float | None = None

    @classmethod
    def over(cls, reference_ms: Iterable[float]) -> Drift | None:
        """Return the drift over all sessions' reference times; None without any."""
        import numpy as np

        known = [ms for ms in reference_ms if ms > 0]
        if not known:
            return None
        p10, typical, p90 = np.percentile(known, [10, 50, 90])
        return cls(float(typical), float(p10), float(p90))

    @classmethod
    def of(cls, readings: SpeedHistogram) -> Drift | None:
        """Return the drift that all readings show; None without any."""
        if not readings:
            return None
        p10, typical, p90 = (readings.quantile_ms(share) for share in (0.1, 0.5, 0.9))
        return cls(typical, p10, p90, readings.undisturbed_ms)

    def at(self, speed: Speed) -> float | None:
        """Return what the reference takes at a speed of the machine, in ms; None if not known."""
        of_speed = {
            "undisturbed": self.undisturbed_ms,
            "typical": self.typical_ms,
            "p90": self.p90_ms,
        }
        return of_speed[speed]

    @property
    def spread(self) -> float:
        """(p90 - p10) / typical, as a fraction."""
        return (self.p90_ms - self.p10_ms) / self.typical_ms

    def rounded(self) -> Drift:
        """Return it as exact as the table's header keeps it."""
        return Drift(**self.as_dict())

    def as_dict(self) -> dict[str, float]:
        """Return JSON values for the table's header."""
        known = {name: round(getattr(self, name), 6) for name in _DRIFT}
        if self.undisturbed_ms is not None:
            known["undisturbed_ms"] = round(self.undisturbed_ms, 6)
        return known

    @classmethod
    def from_json(cls, value: object, where: str) -> Drift | None:
        """Read `as_dict`; None stays None. Raises UserError when damaged."""
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise UserError(f"{where} is {shown(value)}, not an object; the file is damaged.")
        fast = value.get("undisturbed_ms")
        known = {name: positive(value.get(name), f"{where}'s {name}") for name in _DRIFT}
        if fast is not None:
            known["undisturbed_ms"] = positive(fast, f"{where}'s undisturbed_ms")
        return cls(**known)


_DRIFT = ("typical_ms", "p10_ms", "p90_ms")


@dataclass(frozen=True)
class UndisturbedFrom:
    """A run that was never undisturbed: its own fastest time, and the known one of earlier runs."""

    known_ms: float
    seen_ms: float
    runs: int

    def as_dict(self) -> dict[str, float]:
        """Return JSON values for the table's header."""
        known, seen = round(self.known_ms, 6), round(self.seen_ms, 6)
        return {"known_ms": known, "seen_ms": seen, "runs": self.runs}

    @classmethod
    def from_json(cls, value: object, where: str) -> UndisturbedFrom | None:
        """Read `as_dict`; None stays None. Raises UserError when damaged."""
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise UserError(f"{where} is {shown(value)}, not an object; the file is damaged.")
        names = ("known_ms", "seen_ms", "runs")
        known, seen, runs = (positive(value.get(name), f"{where}'s {name}") for name in names)
        return cls(known, seen, int(min(runs, 2**53)))


@dataclass(frozen=True)
class Readings:
    """What one reference showed over the rows it belongs to.

    `session_sd` is how far two sessions of one point lie apart, as a relative standard deviation.
    None where it was not seen (points of one session say nothing of it): intervals then assume
    PRIOR_SESSION_SD. `histogram` counts its readings; None in an older table.
    `undisturbed_from` says where the drift's undisturbed time is that of earlier runs;
    `never_undisturbed` marks a run that may have seen no fast mode, with none before it.
    """

    drift: Drift | None = None
    session_sd: float | None = None
    histogram: SpeedHistogram | None = None
    undisturbed_from: UndisturbedFrom | None = None
    never_undisturbed: bool = False


@dataclass(frozen=True)
class References:
    """What is run in between to see how fast the machine is: for blocks, and for whole models.

    `families` are those whose whole models have another one than `models`. None: no correction.
    """

    blocks: Reference | None = None
    models: Reference | None = None
    families: Mapping[str, Reference | None] = field(default_factory=dict)

    def of(self, subject: Block | Spec) -> Reference | None:
        """Return the reference that a point's latency is corrected by."""
        return self.models_of(subject.family) if isinstance(subject, Spec) else self.blocks

    def models_of(self, family: str) -> Reference | None:
        """Return the reference of a family's whole models."""
        return self.families.get(family, self.models)

    def with_block(self, block: Block | None) -> References:
        """Return them with another block, for models too where they had the same."""

        def moved(reference: Reference | None) -> Reference | None:
            return block if reference == self.blocks else reference

        families = {family: moved(own) for family, own in self.families.items()}
        return References(block, moved(self.models), families)

    def kept_by(self, rows: Iterable[Row]) -> References:
        """Return them with each family's own, where some of its whole models are measured."""
        own = {row.subject.family: row.reference for row in rows if isinstance(row.subject, Spec)}
        return replace(self, families={**self.families, **own})

    def going_on(self, chosen: References) -> References:
        """Return what a resumed run uses: these, and what is `chosen` for further families.

        Blocks keep to the one that the table began with. Whole models of a family that is new to
        the table follow the blocks' where its plan chose so, and else have their own.
        """
        own: dict[str, Reference | None] = {}
        for family, reference in chosen.families.items():
            known = isinstance(self.models, Spec) and self.models.family == family
            follows = self.blocks if reference == chosen.blocks else reference
            own[family] = self.models if known else follows
        return replace(self, families={f: one for f, one in own.items() if one != self.models})

    @property
    def differ_by_family(self) -> bool:
        """Whether whole models of one family have another than those of another."""
        return any(own != self.models for own in self.families.values())


NO_REFERENCES = References()


def reference_to_json(reference: Reference | None) -> object:
    """Return a block's op and dims, a model's fields, or None."""
    if isinstance(reference, Block):
        return reference.as_dict_with_op()
    return reference.to_dict() if reference else None


def reference_from_json(value: object, where: str) -> Reference | None:
    """Read `reference_to_json`; raises UserError where it names nothing that can be run."""
    if value is None:
        return None
    try:
        if not isinstance(value, dict):
            raise TypeError
        return Spec.from_dict(value) if "family" in value else Block.of(**value)
    except (TypeError, UserError):
        raise UserError(
            f"{where} names {shown(value)}, which is neither a block nor a model; "
            "the file is damaged."
        ) from None


def references_to_json(
    references: References, readings: Mapping[Reference | None, Readings], numbered: bool
) -> dict[str, object]:
    """Return the header's entries on references; one where whole models have the same as blocks.

    Where rows are `numbered`, as several families need it, a list of all is among them.
    """
    record: dict[str, object] = {"reference": reference_to_json(references.blocks)}
    two = references.models != references.blocks
    if two:
        record["model_reference"] = reference_to_json(references.models)
    record |= _readings_to_json(readings.get(references.blocks), "")
    if numbered:
        record["references"] = [
            {"reference": reference_to_json(reference), **_readings_to_json(showed, "")}
            for reference, showed in readings.items()
        ]
    elif two:
        record |= _readings_to_json(readings.get(references.models), "model_")
    return record


def references_from_json(
    record: Mapping[str, object], where: str
) -> tuple[References | None, dict[Reference | None, Readings]]:
    """Read `references_to_json`; None where there is none. Raises UserError when damaged."""
    if not REFERENCE_KEYS & set(record):
        return None, {}
    blocks = reference_from_json(record.get("reference"), f"{where}'s reference")
    models = blocks
    if "model_reference" in record:
        models = reference_from_json(record["model_reference"], f"{where}'s model_reference")
    readings = {blocks: _readings_from_json(record, "", where)}
    if "references" in record:
        readings = {}
        for one in _list(record["references"], f"{where}'s references"):
            reference = reference_from_json(one.get("reference"), f"{where}'s references")
            readings[reference] = _readings_from_json(one, "", f"{where}'s references")
    elif models != blocks:
        readings[models] = _readings_from_json(record, "model_", where)
    return References(blocks, models), readings


REFERENCE_KEYS = frozenset(
    {"reference", "model_reference", "references", "drift", "session_sd", "model_drift"}
    | {"model_session_sd", "readings", "model_readings"}
    | {"undisturbed_from", "model_undisturbed_from"}
    | {"never_undisturbed", "model_never_undisturbed"}
)


def _readings_to_json(showed: Readings | None, prefix: str) -> dict[str, object]:
    if showed is None or showed == Readings():
        return {}
    drift = showed.drift.as_dict() if showed.drift else None
    record: dict[str, object] = {f"{prefix}drift": drift, f"{prefix}session_sd": showed.session_sd}
    if showed.histogram is not None:
        record[f"{prefix}readings"] = showed.histogram.to_json()
    if showed.undisturbed_from is not None:
        record[f"{prefix}undisturbed_from"] = showed.undisturbed_from.as_dict()
    if showed.never_undisturbed:
        record[f"{prefix}never_undisturbed"] = True
    return record


def _readings_from_json(record: Mapping[str, object], prefix: str, where: str) -> Readings:
    drift = Drift.from_json(record.get(f"{prefix}drift"), f"{where}'s {prefix}drift")
    spread = record.get(f"{prefix}session_sd")
    if spread is not None:
        spread = positive(spread, f"{where}'s {prefix}session_sd", zero=True)
    histogram = None
    if record.get(f"{prefix}readings") is not None:
        what = f"{where}'s {prefix}readings"
        histogram = SpeedHistogram.from_json(record[f"{prefix}readings"], what)
    name = f"{prefix}undisturbed_from"
    stated = UndisturbedFrom.from_json(record.get(name), f"{where}'s {name}")
    never = record.get(f"{prefix}never_undisturbed") is True
    return Readings(drift, spread, histogram, stated, never)


def _list(value: object, where: str) -> Sequence[Mapping[str, object]]:
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        return value
    raise UserError(f"{where} are {shown(value)}, not a list of objects; the file is damaged.")


def positive(value: object, where: str, zero: bool = False) -> float:
    """Return a number above 0 (or 0 where `zero`); raises UserError otherwise."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = -1.0
        if number > 0 or (zero and number == 0):
            return number
    raise UserError(f"{where} is {shown(value)}, not a number above 0; the file is damaged.")
