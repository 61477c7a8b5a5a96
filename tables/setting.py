"""What else, beside the block, changes a latency."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ..errors import UserError
from ..models.checks import shown

# Far above any batch or thread count; stops a typo or a hostile file.
LARGEST_NUMBER = 1_000_000


@dataclass(frozen=True)
class PartialSetting:
    """A Setting with gaps: what is None, the device or the backend decides.

    `batch` is images a run, `threads` the runtime's intra-op threads, `sparsity` is "dense" or
    "2:4", `cache` says what a run finds ("warm": as the run before left it, "cold": flushed before
    each run), `graph` is the launch mode of a GPU ("none", "cuda_graph").
    """

    device: str = "cpu"
    backend: str | None = None
    provider: str | None = None
    batch: int = 1
    dtype: str | None = None
    threads: int = 1
    sparsity: str = "dense"
    cache: str = "warm"
    graph: str = "none"

    def as_dict(self) -> dict[str, Any]:
        # Not dataclasses.asdict, which copies: rows of a table are compared with it one by one.
        return {one.name: getattr(self, one.name) for one in fields(self)}


@dataclass(frozen=True)
class Setting(PartialSetting):
    """One way of running: every row of a table shares it, and no other table's may be mixed in.

    An empty provider is the backend's own.
    """

    device: str = field()
    backend: str = field()
    provider: str = ""
    dtype: str = "fp32"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str) -> Setting:
        """Read a setting; `where` (file and line) goes into the error."""
        known = {one.name: one for one in fields(cls)}
        for name in known:
            if name not in values:
                raise UserError(f"{where}: the setting lacks '{name}'; the file is damaged.")
        kept: dict[str, Any] = {}
        for name, one in known.items():
            value = values[name]
            wanted = int if one.type == "int" else str
            if wanted is int and isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value):
                value = int(value)
            if not isinstance(value, wanted) or isinstance(value, bool):
                raise UserError(
                    f"{where}: the setting's {name} is {shown(value)}, not {_KIND[wanted]}."
                )
            if isinstance(value, int) and not 1 <= value <= LARGEST_NUMBER:
                raise UserError(
                    f"{where}: the setting's {name} is {shown(value)}; it must be from 1 to "
                    f"{LARGEST_NUMBER}."
                )
            kept[name] = value
        return cls(**kept)

    def difference(self, other: Setting) -> str:
        """Return "batch 1 against 8, ..." for what differs, "" when nothing does."""
        mine, theirs = self.as_dict(), other.as_dict()
        return ", ".join(
            f"{name} {mine[name] or '-'} against {theirs[name] or '-'}"
            for name in mine
            if mine[name] != theirs[name]
        )


_KIND = {int: "a whole number", str: "a text"}
SETTING_COLUMNS: tuple[str, ...] = tuple(one.name for one in fields(Setting))
