"""How a table is brought to a width: text folds, columns go below; no number is ever cut."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

# Between two columns, and at both edges, as rich's SIMPLE_HEAD draws them.
GAP, EDGES = 3, 2
# A column of text is not folded narrower than this while the table can be parted instead.
NARROWEST = 24
# Cells with letters in them are text, which may be folded, from this length on.
_LONG_TEXT = 17


@dataclass(frozen=True)
class Part:
    """Columns that stand side by side; a folded cell or heading has several lines."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    folded: frozenset[int] = frozenset()

    @property
    def width(self) -> int:
        """How many cells of a terminal the part takes."""
        widths = [_width(cells) for cells in _by_column(self.columns, self.rows)]
        return sum(widths) + GAP * (len(widths) - 1) + EDGES


def lay_out(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> list[Part]:
    """Return the table in parts of at most `width` cells; None: one part, nothing folded.

    What helps first is taken: fold columns of text, fold headings, put columns that have no room
    into a part of their own below, with the first column repeated. The first column, and every
    other that holds long text, can be folded; numbers never are. So a part may be wider than
    `width` where a number and the first column have no room side by side.
    """
    whole = Part(tuple(columns), tuple(tuple(row) for row in rows))
    if width is None or whole.width <= width:
        return [whole]
    low_headings = Part(tuple(_low(cells) for cells in _by_column(columns, rows)), whole.rows)
    for one in (whole, low_headings):
        if (folded := _folded(one, width, NARROWEST)) is not None:
            return [folded]
    return _parted(whole, low_headings, width)


def _parted(whole: Part, low_headings: Part, width: int) -> list[Part]:
    """Return parts that each have the first column and as many others as there is room for."""
    parts: list[Part] = []
    others = list(range(1, len(whole.columns)))
    while others:
        taken = len(others)
        while taken > 1 and _folded(_of(low_headings, others[:taken]), width, NARROWEST) is None:
            taken -= 1
        for one in (_of(whole, others[:taken]), _of(low_headings, others[:taken])):
            folded = _folded(one, width, NARROWEST)
            if folded is not None:
                break
        parts.append(folded or _narrow(_of(low_headings, others[:taken]), width))
        others = others[taken:]
    return parts or [_narrow(whole, width)]


def _narrow(part: Part, width: int) -> Part:
    """Return a part whose texts are folded as narrow as they must be."""
    for narrowest in (16, 8, 1):
        folded = _folded(part, width, narrowest)
        if folded is not None:
            return folded
    return part


def _of(part: Part, others: Sequence[int]) -> Part:
    places = (0, *others)
    return Part(
        tuple(part.columns[place] for place in places),
        tuple(tuple(row[place] for place in places) for row in part.rows),
    )


def _folded(part: Part, width: int, narrowest: int) -> Part | None:
    """Return the part with its text folded to fit into `width`; None where that does not do."""
    if part.width <= width:
        return part
    every = list(_by_column(part.columns, part.rows))
    natural = [_width(cells) for cells in every]
    text = [place for place, cells in enumerate(every) if place == 0 or _is_text(cells[1:])]
    fixed = sum(natural) - sum(natural[place] for place in text)
    room = width - fixed - GAP * (len(natural) - 1) - EDGES
    share = _shares([natural[place] for place in text], room, narrowest)
    if share is None:
        return None
    widths = dict(zip(text, share, strict=True))
    fitting = Part(
        tuple(_fold(name, widths.get(place)) for place, name in enumerate(part.columns)),
        tuple(
            tuple(_fold(cell, widths.get(place)) for place, cell in enumerate(row))
            for row in part.rows
        ),
        frozenset(place for place in text if widths[place] < natural[place]),
    )
    return fitting if fitting.width <= width else None


def _shares(natural: Sequence[int], room: int, narrowest: int) -> list[int] | None:
    """Divide `room` among columns: a short one gets what it needs, the others equal parts."""
    if room < sum(min(each, narrowest) for each in natural):
        return None
    shares = [0] * len(natural)
    left = sorted(range(len(natural)), key=lambda place: natural[place])
    while left:
        place = left.pop(0)
        shares[place] = min(natural[place], room // (len(left) + 1))
        room -= shares[place]
    return shares


def _fold(text: str, width: int | None) -> str:
    if width is None or cell_len(text) <= width or "\n" in text:
        return text
    indent = "  " if width > 8 else ""
    return "\n".join(textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False))


def _low(column: Sequence[str]) -> str:
    """Return a column's heading, folded as narrow as the column's longest cell or its own word."""
    heading, *cells = column
    narrow = max([_width([word]) for word in heading.split()] + [_width(cells)], default=1)
    return "\n".join(textwrap.wrap(heading, narrow)) if heading else ""


def _is_text(cells: Iterable[str]) -> bool:
    return any(len(cell) >= _LONG_TEXT and any(map(str.isalpha, cell)) for cell in cells)


def _by_column(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[tuple[str, ...]]:
    return ((name, *(row[place] for row in rows)) for place, name in enumerate(columns))


def _width(cells: Iterable[str]) -> int:
    return max((cell_len(line) for cell in cells for line in cell.split("\n")), default=0)
