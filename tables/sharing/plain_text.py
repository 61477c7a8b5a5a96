"""Texts of a file that nobody vouches for, as they may stand on a terminal and in Markdown."""

from __future__ import annotations

import re

LONGEST = 120


def printable(value: object, longest: int = LONGEST) -> str:
    """Return a text on one line, without control characters, cut where it is too long."""
    text = "".join(c if c.isprintable() else " " for c in str(value))
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def markdown(value: object, longest: int = LONGEST) -> str:
    """Return a printable text that begins no link, code, table cell or HTML in Markdown."""
    return re.sub(r"([\\`*\[\]<>|&~])", r"\\\1", printable(value, longest))


def slug(*parts: object) -> str:
    """Return the parts as one name of small letters, digits and hyphens; "table" for none."""
    words = re.findall(r"[a-z0-9]+", "-".join(map(str, parts)).lower())
    return "-".join(words)[:80].strip("-") or "table"
