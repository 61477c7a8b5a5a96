"""What a table says of itself: its setting, where and how it was measured, what it came from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import UserError
from ..models.checks import shown
from .references import (
    PRIOR_SESSION_SD,
    REFERENCE_KEYS,
    Readings,
    Reference,
    References,
    positive,
    references_from_json,
    references_to_json,
)
from .row import Row
from .setting import Setting
from .speed import SPEEDS, Speed, speed_of

Json = Mapping[str, Any]

# No runtime's tiles are wider.
WIDEST_TILE = 1024


@dataclass(frozen=True)
class TableHeader:
    """The header of a table's file, but for its calibration, state and number of rows.

    `environment` describes the machine (CPU or GPU name, clocks, runtime versions), `protocol` how
    it was sampled, `observed` what the machine was doing, `vitprof` the version that measured.
    `references` showed the machine's speed (None: unknown), and `readings` are what
    each showed. `seconds` are what measuring took, by kind. `built` says what compiled a bundle's
    artifacts, `search_space` what the points were taken from, `fleet` what each node did, and
    `imported` where another tool's rows come from. `transfer` says of transferred rows which tables
    and which measured points they were found by, and how far they may be off. `stated_at` is the
    speed of the machine that latencies are stated at, and `resumed` says that measuring went on
    after it had stopped. `licence` is what a table is shared under. `unknown` is what a newer
    vitprof wrote: it is kept. None or empty: the file does not have it.
    """

    setting: Setting
    environment: Json = field(default_factory=dict)
    protocol: Json = field(default_factory=dict)
    observed: Json | None = None
    vitprof: str | None = None
    references: References | None = None
    readings: Mapping[Reference | None, Readings] = field(default_factory=dict)
    seconds: Mapping[str, float] | None = None
    built: Json | None = None
    search_space: Json | None = None
    fleet: Sequence[Json] = ()
    imported: Sequence[Json] = ()
    transfer: Json | None = None
    stated_at: Speed = "typical"
    resumed: bool = False
    licence: str | None = None
    unknown: Json = field(default_factory=dict)
    # The entries of the file that was read, in its order: they are written back in it.
    order: Sequence[str] = field(default=(), compare=False, repr=False)

    @property
    def of_blocks(self) -> Readings:
        """What the blocks' reference showed."""
        blocks = self.references.blocks if self.references else None
        return self.readings.get(blocks, Readings())

    @property
    def session_sd(self) -> float | None:
        """How far two sessions of one block lie apart (relative standard deviation).

        None where it was not seen.
        """
        return self.of_blocks.session_sd

    @property
    def likely_session_sd(self) -> float:
        """`session_sd`, or what is assumed where it was not seen; 0 of another tool's rows."""
        if self.session_sd is not None:
            return self.session_sd
        return 0.0 if self.imported else PRIOR_SESSION_SD

    @property
    def tile(self) -> int | None:
        """The width of the tiles that the runtime's matrix kernels work in; None: it has none.

        Kernels may work in halves of it, and in halves of those: it is a multiple of 4.
        """
        tile = (self.observed or {}).get("tile")
        if not isinstance(tile, int) or isinstance(tile, bool):
            return None
        return tile if 0 < tile <= WIDEST_TILE and tile % 4 == 0 else None

    def reference_ms(self, speed: Speed | None = None) -> dict[Reference | None, float]:
        """Return what each reference takes at a speed (the one that latencies are stated at), ms.

        Those that do not know it are left out.
        """
        wanted = speed or self.stated_at
        found: dict[Reference | None, float] = {}
        for reference, showed in self.readings.items():
            ms = showed.drift.at(wanted) if showed.drift else None
            if ms is not None:
                found[reference] = ms
        return found

    def numbers_rows(self, rows: Iterable[Row]) -> bool:
        """Tell whether a row has another reference than all blocks, or all models, have."""
        references = self.references or References()
        plain = References(references.blocks, references.models)
        return references.differ_by_family or any(
            row.reference != plain.of(row.subject) for row in rows
        )

    def listing(self, rows: Iterable[Row]) -> TableHeader:
        """Return the header with every reference that these rows, or those to come, have."""
        references = self.references or References()
        of_rows = (row.reference for row in rows)
        every = dict.fromkeys(
            [references.blocks, references.models, *references.families.values(), *of_rows]
        )
        new = {one: Readings() for one in every if one not in self.readings}
        return replace(self, readings={**self.readings, **new})

    def going_on(self, now: TableHeader, rows: Iterable[Row]) -> TableHeader:
        """Return the header of a run that goes on with this table's rows: `now` and this one's."""
        references = now.references
        if self.references is not None and references is not None:
            references = self.references.going_on(references).kept_by(rows)
        return replace(
            now,
            references=references,
            readings=self.readings,
            seconds=self.seconds,
            search_space=now.search_space or self.search_space,
            fleet=self.fleet,
            imported=self.imported,
            resumed=self.resumed,
            licence=self.licence,
            unknown={**self.unknown, **now.unknown},
        )

    def entries(self, rows: Sequence[Row] = ()) -> dict[str, Any]:
        """Return all but setting, environment and protocol as JSON values, in the file's order.

        Where the rows have more references than one for blocks and one for models, all are listed.
        """
        numbered = self.numbers_rows(rows)
        fields: dict[str, Any] = {
            "observed": self.observed,
            "vitprof": self.vitprof,
            "seconds": self.seconds,
            "built": self.built,
            "search_space": self.search_space,
            "fleet": list(self.fleet) or None,
            "imported": _one_or_list(self.imported),
            "transfer": self.transfer,
            "stated_at": self.stated_at if self.stated_at != "typical" else None,
            "resumed": self.resumed or None,
            "licence": self.licence,
        }
        record: dict[str, Any] = {name: fields.pop(name) for name in ("observed", "vitprof")}
        record = _without_none(record)
        if self.references is not None:
            readings = self.listing(rows).readings if numbered else self.readings
            record |= references_to_json(self.references, readings, numbered)
        record |= _without_none(fields) | dict(self.unknown)
        if self.order:
            ordered = [name for name in self.order if name in record]
            new = [n for n, value in record.items() if n not in self.order and value is not None]
            record = {name: record[name] for name in (*ordered, *new)}
        return record

    def as_dict(self, rows: Sequence[Row] = ()) -> dict[str, Any]:
        """Return the header of these rows as JSON values."""
        return {
            "setting": self.setting.as_dict(),
            "environment": dict(self.environment),
            "protocol": dict(self.protocol),
            **self.entries(rows),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], where: str) -> TableHeader:
        """Read `as_dict`; `where` (file and line) goes into the error.

        Raises UserError for an entry that is missing, or is not what it should be.
        """
        references, readings = references_from_json(record, f"{where}: the header")
        known = {
            name: read(record[name], name, where) for name, read in _READ.items() if name in record
        }
        return cls(
            Setting.from_dict(_needed(record, "setting", where), where),
            references=references,
            readings=readings,
            unknown={name: value for name, value in record.items() if name not in _KNOWN},
            order=tuple(record),
            **known,
        )


def _needed(record: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    value = record.get(name)
    if not isinstance(value, dict):
        raise UserError(f"{where}: the header lacks its '{name}'; the file is damaged.")
    return value


def _object(value: object, name: str, where: str) -> Json:
    if not isinstance(value, dict):
        raise UserError(f"{where}: the header's '{name}' is not a JSON object.")
    return value


def _text(value: object, name: str, where: str) -> str:
    if not isinstance(value, str):
        raise UserError(f"{where}: the header's '{name}' is {shown(value)}, not a text.")
    return value


def _objects(value: object, name: str, where: str) -> Sequence[Json]:
    if not isinstance(value, list):
        raise UserError(f"{where}: the header's '{name}' is {shown(value)}, not a list.")
    return tuple(_object(one, name, where) for one in value)


def _object_or_list(value: object, name: str, where: str) -> Sequence[Json]:
    return _objects(value if isinstance(value, list) else [value], name, where)


def _flag(value: object, name: str, where: str) -> bool:
    if isinstance(value, bool):
        return value
    raise UserError(f"{where}: the header's '{name}' is {shown(value)}, not true or false.")


def _speed(value: object, name: str, where: str) -> Speed:
    if value in SPEEDS:
        return speed_of(str(value))
    raise UserError(f"{where}: the header's '{name}' is {shown(value)}, not a speed.")


def _seconds(value: object, name: str, where: str) -> Mapping[str, float]:
    return {
        kind: positive(spent, f"{where}: the header's {name} of '{kind}'", zero=True)
        for kind, spent in _object(value, name, where).items()
    }


def _transfer(value: object, name: str, where: str) -> Json:
    record = _object(value, name, where)
    for number in ("expected_error", "whole_sd"):
        positive(record.get(number), f"{where}: the header's {name} of '{number}'", zero=True)
    return record


_READ: dict[str, Callable[[object, str, str], Any]] = {
    "environment": _object,
    "protocol": _object,
    "observed": _object,
    "vitprof": _text,
    "seconds": _seconds,
    "built": _object,
    "search_space": _object,
    "fleet": _objects,
    "imported": _object_or_list,
    "transfer": _transfer,
    "stated_at": _speed,
    "resumed": _flag,
    "licence": _text,
}
# The last three are the file's: see csv_format.
_KNOWN = {"setting", *_READ, *REFERENCE_KEYS, "calibration", "state", "rows"}


def _one_or_list(values: Sequence[Json]) -> object:
    return values[0] if len(values) == 1 else list(values) or None


def _without_none(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if value is not None}
