"""Where two headers differ, in words."""

from __future__ import annotations

from collections.abc import Mapping


def first_difference(before: object, now: object) -> str:
    """Return the first differing entry of two nested mappings in words, "" if none."""
    old = dict(before) if isinstance(before, Mapping) else {}
    new = dict(now) if isinstance(now, Mapping) else {}
    for name in [*old, *(name for name in new if name not in old)]:
        if isinstance(old.get(name), Mapping) and isinstance(new.get(name), Mapping):
            inner = first_difference(old[name], new[name])
            if inner:
                return f"{name}.{inner}"
        elif old.get(name) != new.get(name):
            return f"{name}: {old.get(name)!r} and {new.get(name)!r}"
    return ""
