"""Labelled texts from a user's file, in the manner of GLUE's: TSV, CSV or JSON lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import UserError
from ...models.checks import shown
from ...untrusted.files import read_text

# Files come from outside: one may not fill the memory. GLUE's largest has 76 MB.
MOST_FILE_BYTES = 512 * 2**20
MOST_TEXTS = 2_000_000
MOST_CHARACTERS = 100_000
SUFFIXES = (".tsv", ".csv", ".jsonl")
# Columns that hold a text or a pair of texts, as GLUE's tasks call them; the first that are there
# count, so pairs come before single texts.
TEXT_COLUMNS: Sequence[tuple[str, ...]] = (
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("premise", "hypothesis"),
    ("question", "sentence"),
    ("#1 String", "#2 String"),
    ("sentence",),
    ("text",),
)
LABEL_COLUMNS = ("label", "gold_label", "is_duplicate", "Quality")


@dataclass(frozen=True)
class RawTexts:
    """n texts or pairs of texts as they stand in a file: `labels` are as written there.

    lines: where each begins, counted from 1.
    """

    texts: Sequence[tuple[str, ...]]
    labels: Sequence[str]
    lines: Sequence[int]
    name: str


def read_texts(path: Path) -> RawTexts:
    """Read a file whose first line names its columns (JSON lines: whose objects have these names).

    Columns are `sentence` or `text`, or a pair as `sentence1` and `sentence2` (and GLUE's other
    names), and `label`. As in GLUE, a TSV knows no quotes. Raises UserError, with the line, for a
    missing column, a line of another number of cells, a file that is empty, not UTF-8 or too large.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(
            f"{path} is not a file of texts that can be read; its name has to end in "
            f"{', '.join(SUFFIXES)}."
        )
    text = _text_of(path)
    reader = {".tsv": _from_tsv, ".csv": _from_csv, ".jsonl": _from_json_lines}
    texts, labels, lines = [], [], []
    columns: tuple[tuple[str, ...], str] | None = None
    for line, record in reader[path.suffix.lower()](path, text):
        if columns is None or not {*columns[0], columns[1]} <= set(record):
            columns = _columns(path, line, list(record))
        texts.append(tuple(record[name] for name in columns[0]))
        if max(map(len, texts[-1])) > MOST_CHARACTERS:
            raise UserError(
                f"{path}, line {line}: a text has over {MOST_CHARACTERS} characters; cut it."
            )
        labels.append(record[columns[1]].strip())
        lines.append(line)
        if len(texts) > MOST_TEXTS:
            raise UserError(f"{path} has over {MOST_TEXTS} texts; use a part of it.")
    if not texts:
        raise UserError(f"{path} has no texts: after the line with the columns there is nothing.")
    return RawTexts(texts, labels, lines, str(path))


def _text_of(path: Path) -> str:
    return read_text(path, "a file of texts", MOST_FILE_BYTES)


def _columns(path: Path, line: int, names: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Return the names of the columns that hold texts, and of the one that holds the label."""
    found = next((pair for pair in TEXT_COLUMNS if set(pair) <= set(names)), None)
    label = next((name for name in LABEL_COLUMNS if name in names), None)
    if found is None or label is None:
        wanted = "label" if found else "sentence, or sentence1 and sentence2"
        raise UserError(
            f"{path}, line {line}: there is no column {wanted}; it has "
            f"{shown(', '.join(names))}. GLUE's names are known, e.g. sentence and label."
        )
    return found, label


def _from_tsv(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    names: list[str] | None = None
    # Not splitlines: texts may hold what that takes for the end of a line.
    for line, row in enumerate(text.split("\n"), 1):
        if not row.strip("\r"):
            continue
        cells = row.rstrip("\r").split("\t")
        if names is None:
            names = _header(path, cells)
        else:
            _check_cells(path, line, names, cells)
            yield line, dict(zip(names, cells, strict=True))


def _from_csv(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    names: list[str] | None = None
    try:
        for cells in reader:
            if not cells:
                continue
            if names is None:
                names = _header(path, cells)
            else:
                _check_cells(path, reader.line_num, names, cells)
                yield reader.line_num, dict(zip(names, cells, strict=True))
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: it is not CSV ({error}).") from None


def _from_json_lines(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    for line, row in enumerate(text.split("\n"), 1):
        if not row.strip():
            continue
        try:
            record = json.loads(row)
        except (ValueError, RecursionError) as error:
            reason = str(error).split(":")[0][:80]
            raise UserError(f"{path}, line {line}: it is not a JSON object ({reason}).") from None
        if not isinstance(record, dict):
            raise UserError(f"{path}, line {line}: {shown(record)} is not a JSON object.")
        yield (
            line,
            {
                name: value if isinstance(value, str) else json.dumps(value)
                for name, value in record.items()
                if isinstance(value, str | int) and not isinstance(value, bool)
            },
        )


def _header(path: Path, cells: Sequence[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    repeated = next((name for n, name in enumerate(names) if name in names[:n]), None)
    if repeated is not None:
        raise UserError(f"{path}, line 1: the column {shown(repeated)} is there twice.")
    _columns(path, 1, names)
    return names


def _check_cells(path: Path, line: int, names: Sequence[str], cells: Sequence[str]) -> None:
    if len(cells) != len(names):
        raise UserError(
            f"{path}, line {line}: it has {len(cells)} cells and the first line {len(names)}; "
            "every line has to have as many."
        )
