"""The table's file: two comment lines, a header line, one line a row. Reading executes nothing.

    # vitprof-table: 1
    # {"setting": {...}, "environment": {...}, "protocol": {...}, ...}
    op,embed,...,latency_ms,low_ms,...

Every row is exactly one line, so a file cut short by a crash is recognised by its last line, and
an unfinished file ("state": "measuring" in the header) is its own journal: see
`profiler/journal.py`.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from ..errors import UserError
from ..models import AXES, IMPORTED_AXES, Block, Spec, find_op
from ..models.checks import shown
from ..untrusted.files import read_bytes
from ..untrusted.structured import json_object
from .header import TableHeader
from .references import Reference
from .row import CONTEXTS, READINGS, VERDICTS, Context, Row, Verdict
from .setting import SETTING_COLUMNS, Setting

FORMAT_VERSION = 1
MAGIC = "# vitprof-table:"
LARGEST_FILE = 256 * 1024 * 1024
TIME_COLUMNS = ("latency_ms", "low_ms", "high_ms", "min_ms", "p10_ms", "p90_ms", "p99_ms")
COLUMNS: tuple[str, ...] = (
    "op",
    *AXES,
    "model",
    *SETTING_COLUMNS,
    *TIME_COLUMNS,
    "sessions",
    "samples",
    "set_aside",
    "session_ms",
    "reference_ms",
    "exponent",
    "macs",
    "params",
    "bytes",
    "cores",
    "effective_dtype",
    "delegated",
    "context",
    "verdict",
    "error",
    "measured_at",
)
# An older table may lack an axis that a newer op brought; these it cannot lack.
REQUIRED_COLUMNS = frozenset(COLUMNS) - {
    *AXES,
    *("model", "set_aside", "session_ms", "reference_ms", "exponent"),
    *("cores", "effective_dtype", "delegated"),
}
MODEL_OP = "model"
BYTES_PER_VALUE = {"fp32": 4, "fp16": 2, "bf16": 2, "int8": 1, "int8-static": 1}


# Which of the header's `references` a row has, where that does not follow from what it is.
REFERENCE_COLUMN = "reference"
LARGEST_EXPONENT = 10
# Those of a computer of today many times over.
MOST_CORES = 1e5
LONGEST_DTYPE = 40


@dataclass(frozen=True)
class TableFile:
    """A parsed file; `calibration` is what its header says there, not yet read.

    `measuring` tells that it is unfinished. `torn` is a last line that a crash cut short, empty
    otherwise. It stays undecoded: the cut may go through a character, and a lost page reads as
    zeros.
    """

    header: TableHeader
    rows: list[Row]
    calibration: object = None
    measuring: bool = False
    torn: bytes = b""


# --- writing -------------------------------------------------------------------------------------


def encode_table(
    header: TableHeader,
    rows: Sequence[Row],
    closing: Mapping[str, Any],
    more_columns: Iterable[str] = (),
) -> str:
    """Return the whole text of a table, or of a journal so far.

    `closing` are the header's last entries: "state", and of a table its calibration and "rows".
    """
    numbered = header.numbers_rows(rows)
    if numbered:
        header = header.listing(rows)
    columns = columns_for(rows, numbered, more_columns)
    lines = (encode_row(row, header.setting, columns, tuple(header.readings)) for row in rows)
    return encode_header(header.as_dict(rows) | dict(closing), columns) + "".join(lines)


def columns_for(
    rows: Iterable[Row], numbered: bool = False, more: Iterable[str] = ()
) -> tuple[str, ...]:
    """Return the columns that these rows need: axes of imported ops only where one is among them.

    An axis of ours has its own column in every table, so a file of our own ops looks the same
    always. Those that only ops of other wheels have, and `more` of them that rows to come may have,
    follow.
    """
    used = dict.fromkeys(
        axis
        for row in rows
        if isinstance(row.subject, Block)
        for axis in row.subject.definition.axes
        if axis not in AXES
    )
    more = tuple(more)
    imported = [axis for axis in IMPORTED_AXES if axis in used or axis in more]
    taken = {*COLUMNS, *IMPORTED_AXES, REFERENCE_COLUMN}
    for axis in used:
        if axis in taken and axis not in IMPORTED_AXES:
            raise UserError(
                f"an op of another wheel has the axis '{axis}', which is a column of every table; "
                "the wheel has to call it otherwise."
            )
    others = [axis for axis in dict.fromkeys((*used, *more)) if axis not in taken]
    return (*COLUMNS, *imported, *others, *([REFERENCE_COLUMN] if numbered else []))


def encode_header(header: Mapping[str, Any], columns: Sequence[str] = COLUMNS) -> str:
    """Return the two comment lines and the line of column names."""
    text = json.dumps(dict(header), ensure_ascii=False, allow_nan=False)
    return f"{MAGIC} {FORMAT_VERSION}\n# {text}\n{_line(columns)}"


def encode_row(
    row: Row,
    setting: Setting,
    columns: Sequence[str] = COLUMNS,
    references: Sequence[Reference | None] = (),
) -> str:
    """Return the row's line, with its newline; `references` are the header's list of them."""
    values: dict[str, Any] = dict(setting.as_dict())
    if isinstance(row.subject, Block):
        values |= {"op": row.subject.op, **row.subject.as_dict()}
        moved = row.subject.bytes(setting.batch, BYTES_PER_VALUE.get(setting.dtype, 4))
        values["bytes"] = moved
    else:
        values |= {"op": MODEL_OP, "model": json.dumps(row.subject.to_dict())}
    values |= {name: _number(getattr(row, name)) for name in TIME_COLUMNS}
    values |= {
        "sessions": row.sessions,
        "samples": row.samples,
        "set_aside": row.set_aside,
        "session_ms": ";".join(_number(ms) for ms in row.session_ms),
        "reference_ms": ";".join(_number(ms) for ms in row.reference_ms),
        "exponent": _number(row.exponent),
        "macs": row.subject.macs,
        "params": row.subject.params,
        "cores": _optional(row.cores),
        "effective_dtype": _one_line(row.effective_dtype),
        "delegated": _optional(row.delegated),
        "context": row.context,
        "verdict": row.verdict,
        "error": _one_line(row.error),
        "measured_at": row.measured_at,
    }
    if REFERENCE_COLUMN in columns:
        values[REFERENCE_COLUMN] = 1 + references.index(row.reference)
    if isinstance(row.subject, Block) and not row.subject.definition.counted:
        values |= dict.fromkeys(("macs", "params", "bytes"), "")
    return _line([values.get(column, "") for column in columns])


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.7g}"


def _optional(value: float | None) -> str:
    return "" if value is None else _number(value)


def as_written(row: Row) -> Row:
    """Return the row with its times as exact as a file keeps them: what reading it gives back."""
    written: dict[str, Any] = {n: _written(getattr(row, n)) for n in (*TIME_COLUMNS, "exponent")}
    for name in ("session_ms", "reference_ms"):
        written[name] = tuple(map(_written, getattr(row, name)))
    for name in ("cores", "delegated"):
        value = getattr(row, name)
        written[name] = None if value is None else _written(value)
    return replace(row, **written)


def _written(value: float) -> float:
    return float(_number(value) or "nan")


def _one_line(text: str) -> str:
    """Return a runtime's words as a file can hold them: one line, no NUL, no lone surrogate."""
    encodable = text.encode("utf-8", "replace").decode()
    return " ".join(encodable.replace("\0", " ").split())


def _line(values: Sequence[Any]) -> str:
    return ",".join(_cell(str(value)) for value in values) + "\n"


def _cell(text: str) -> str:
    """Quote as CSV does, and where there is a '#': pandas takes a bare one for a comment."""
    if any(character in text for character in ',"#\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


# --- reading -------------------------------------------------------------------------------------


def read_table_file(path: str | Path) -> TableFile:
    """Parse a table; every fault is a UserError with file, line and value."""
    path = Path(path)
    # A complete file ends with a newline, so nothing is left after the last one.
    whole, newline, torn = _read_bytes(path).rpartition(b"\n")
    lines = _decoded(path, whole + newline).split("\n")[:-1]
    header_record = _parse_header(path, lines or [_decoded(path, torn)])
    measuring = header_record.get("state") == "measuring"
    if torn and not measuring:
        lines.append(_decoded(path, torn))
        torn = b""
    header = TableHeader.from_dict(header_record, f"{path}, line 2")
    columns = _parse_columns(path, lines)
    rows = [
        _parse_row(line, columns, header, f"{path}, line {number}")
        for number, line in enumerate(lines[3:], start=4)
        if line.strip()
    ]
    if not measuring:
        _check_complete(path, header_record, rows)
    return TableFile(header, rows, header_record.get("calibration"), measuring, torn)


def _read_bytes(path: Path) -> bytes:
    missing = "measure a table into it first (vitprof measure)"
    data = read_bytes(path, "a table (a .csv file)", LARGEST_FILE, missing)
    if not data.strip():
        raise UserError(f"{path} is empty; measure it again (vitprof measure).")
    return data


def _decoded(path: Path, data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path} is not a text file, so not a vitprof table.") from None
    if "\0" in text:
        raise UserError(f"{path} is a binary file, not a vitprof table.")
    return text.replace("\r\n", "\n")


def _parse_header(path: Path, lines: list[str]) -> dict[str, Any]:
    first = lines[0]
    if not first.startswith(MAGIC):
        raise UserError(
            f"{path}, line 1: not a vitprof table: it must start with '{MAGIC} {FORMAT_VERSION}'; "
            "a file saved by a spreadsheet may have lost its first two lines."
        )
    version = first.removeprefix(MAGIC).strip()
    if not version.isascii() or not version.isdecimal():
        raise UserError(f"{path}, line 1: the format version {shown(version)} is not a number.")
    if version != str(FORMAT_VERSION):
        raise UserError(
            f"{path} has table format {version[:20]}, this vitprof reads {FORMAT_VERSION}: "
            "install a newer vitprof."
        )
    if len(lines) < 2 or not lines[1].startswith("# {"):
        raise UserError(
            f"{path}, line 2: the JSON line with the table's setting and environment is missing; "
            "the file is truncated or was changed by another program."
        )
    try:
        return json_object(lines[1][2:], "the header")
    except UserError as error:
        raise UserError(
            f"{path}, line 2: {error} If a spreadsheet saved the file, edit a copy and keep the "
            "first two lines."
        ) from None


def _parse_columns(path: Path, lines: list[str]) -> list[str]:
    if len(lines) < 3:
        raise UserError(f"{path} ends before its column names: the file is truncated.")
    columns = _fields(lines[2], f"{path}, line 3")
    missing = sorted(REQUIRED_COLUMNS - set(columns))
    if missing:
        raise UserError(f"{path}, line 3: column '{missing[0]}' is missing; the file is damaged.")
    repeated = [name for name in columns if name and columns.count(name) > 1]
    if repeated:
        raise UserError(f"{path}, line 3: column '{repeated[0]}' appears twice.")
    return columns


def _fields(line: str, where: str) -> list[str]:
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error as error:
        raise UserError(f"{where}: not a line of CSV ({error}).") from None


def _parse_row(line: str, columns: list[str], header: TableHeader, where: str) -> Row:
    fields = _fields(line, where)
    if len(fields) != len(columns):
        raise UserError(
            f"{where}: {len(fields)} fields instead of {len(columns)}; the line is cut or damaged."
        )
    values = dict(zip(columns, fields, strict=True))
    subject = _parse_subject(values, where)
    for name, wanted in header.setting.as_dict().items():
        if values[name] != str(wanted):
            raise UserError(
                f"{where}: {name} is {shown(values[name])} but the table's header says "
                f"{shown(str(wanted))}; rows of different settings belong in different tables."
            )
    counted = not isinstance(subject, Block) or subject.definition.counted
    if not counted:
        filled = [name for name in ("macs", "params", "bytes") if values[name]]
        if filled:
            raise UserError(
                f"{where}: {filled[0]} is filled in, but those of {_short(subject)} are not known."
            )
    elif (macs := _whole(values, "macs", where)) != subject.macs:
        raise UserError(
            f"{where}: macs is {macs}, but {_short(subject)} has {subject.macs}; a dim or the macs "
            "of this row was changed."
        )
    row = Row(
        subject,
        context=cast(Context, _choice(values, "context", (*CONTEXTS, READINGS), where)),
        verdict=cast(Verdict, _choice(values, "verdict", VERDICTS, where)),
        samples=_whole(values, "samples", where),
        set_aside=_whole(values, "set_aside", where) if values.get("set_aside") else 0,
        session_ms=tuple(
            _milliseconds(ms, "session_ms", where)
            for ms in values.get("session_ms", "").split(";")
            if ms
        ),
        reference_ms=tuple(
            _milliseconds(ms, "reference_ms", where)
            for ms in values.get("reference_ms", "").split(";")
            if ms
        ),
        error=values["error"],
        measured_at=values["measured_at"],
        reference=_parse_reference(values, subject, header, where),
        exponent=_parse_exponent(values, where),
        cores=_share(values, "cores", where, MOST_CORES),
        effective_dtype=_parse_dtype(values, where),
        delegated=_share(values, "delegated", where, 1.0),
        **{name: _time(values, name, where) for name in TIME_COLUMNS},
    )
    _check_times(row, where)
    return row


def _parse_subject(values: Mapping[str, str], where: str) -> Block | Spec:
    try:
        if values["op"] == MODEL_OP:
            text = values.get("model", "")
            if not text.startswith("{"):  # never a path: a table may not make us open files
                raise UserError("the row of a whole model lacks its spec.")
            return Spec.from_json(text)
        op = find_op(values["op"])
        dims = {axis: _whole(values, axis, where) for axis in op.axes}
        stray = [
            axis for axis in (*AXES, *IMPORTED_AXES) if values.get(axis) and axis not in op.axes
        ]
        if stray:
            raise UserError(f"op '{op.name}' has no dim '{stray[0]}' but it is filled in.")
        return Block.of(op.name, **dims)
    except UserError as error:
        text = str(error)
        raise UserError(text if text.startswith(where) else f"{where}: {text}") from None


def _parse_reference(
    values: Mapping[str, str], subject: Block | Spec, header: TableHeader, where: str
) -> Reference | None:
    """Return what tells a row's speed: by its number, or else by whether it is a model."""
    if not values.get(REFERENCE_COLUMN):
        return header.references.of(subject) if header.references else None
    number = _whole(values, REFERENCE_COLUMN, where)
    if not 1 <= number <= len(header.readings):
        raise UserError(
            f"{where}: reference is {number}, but the header lists {len(header.readings)} of them."
        )
    return list(header.readings)[number - 1]


def _parse_exponent(values: Mapping[str, str], where: str) -> float:
    text = values.get("exponent") or "1"
    try:
        exponent = float(text)
    except ValueError:
        exponent = math.nan
    if not abs(exponent) <= LARGEST_EXPONENT:
        raise UserError(
            f"{where}: exponent is {shown(text)}, not a number between -{LARGEST_EXPONENT} and "
            f"{LARGEST_EXPONENT}."
        )
    return exponent


def _share(values: Mapping[str, str], name: str, where: str, most: float) -> float | None:
    """Return an optional number from 0 to `most`; older tables lack its column."""
    text = values.get(name, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= most:
        raise UserError(f"{where}: {name} is {shown(text)}, not a number between 0 and {most:g}.")
    return value


def _parse_dtype(values: Mapping[str, str], where: str) -> str:
    text = values.get("effective_dtype", "")
    if len(text) > LONGEST_DTYPE or not text.isprintable():
        raise UserError(f"{where}: effective_dtype is {shown(text)}, which names no precision.")
    return text


def _whole(values: Mapping[str, str], name: str, where: str) -> int:
    text = values.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise UserError(f"{where}: {name} is {shown(text)}, not a whole number.")
    return int(text)


def _choice(values: Mapping[str, str], name: str, known: Sequence[str], where: str) -> str:
    if values[name] not in known:
        raise UserError(f"{where}: {name} is {shown(values[name])}, not one of {', '.join(known)}.")
    return values[name]


def _time(values: Mapping[str, str], name: str, where: str) -> float:
    if values[name] == "":
        return float("nan")
    return _milliseconds(values[name], name, where)


def _milliseconds(text: str, name: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise UserError(f"{where}: {name} is {shown(text)}, not a number.") from None
    if not math.isfinite(value) or value <= 0:
        raise UserError(f"{where}: {name} is {shown(text)}; a latency is a number above 0.")
    return value


def _check_times(row: Row, where: str) -> None:
    if row.verdict == "failed":
        if not math.isnan(row.latency_ms):
            raise UserError(f"{where}: a failed point has a latency; the row was changed.")
        return
    if math.isnan(row.latency_ms):
        raise UserError(f"{where}: latency_ms is empty, and the point is not marked failed.")
    if row.low_ms > row.latency_ms or row.high_ms < row.latency_ms:
        raise UserError(
            f"{where}: latency_ms {row.latency_ms:g} is outside its interval "
            f"{row.low_ms:g}..{row.high_ms:g}; the row was changed."
        )


def _check_complete(path: Path, header: Mapping[str, Any], rows: list[Row]) -> None:
    if not rows:
        raise UserError(f"{path} has no rows; measure it again (vitprof measure).")
    expected = header.get("rows")
    if isinstance(expected, int) and expected != len(rows):
        raise UserError(
            f"{path} has {len(rows)} rows but its header says {expected}: the file is truncated or "
            'rows were added; if that was on purpose, remove "rows" from line 2.'
        )
    seen: set[object] = set()
    for row in rows:
        if row.key in seen:
            raise UserError(f"{path}: {_short(row.subject)} ({row.context}) appears twice.")
        seen.add(row.key)
        if row.verdict == "partial":
            raise UserError(f"{path}: a finished table holds a partial row: the file was changed.")


def _short(subject: Block | Spec) -> str:
    return str(subject) if isinstance(subject, Block) else f"model {subject.name}"
