"""Numbers and texts out of JSON that nobody vouches for, as the page takes them."""

from __future__ import annotations

import math
from typing import Any

LONGEST_TEXT = 200


def number_in(values: Any, *names: str) -> float | None:
    """Return the first of these entries that is a finite number; a list counts by its first."""
    for name in names:
        value = values.get(name) if isinstance(values, dict) else None
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                found = float(value)
            except OverflowError:
                continue
            if math.isfinite(found):
                return found
    return None


def text_in(values: Any, *names: str) -> str:
    """Return the first of these entries that is a text or a number, cut where it is long."""
    for name in names:
        value = values.get(name) if isinstance(values, dict) else None
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            text = str(value)
            return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
    return ""


def objects_in(values: Any, name: str, most: int) -> list[dict[str, Any]]:
    """Return the objects of a list, the first `most` of them; [] where there is no list."""
    found = values.get(name) if isinstance(values, dict) else None
    return [one for one in found if isinstance(one, dict)][:most] if isinstance(found, list) else []
