"""What runtimes were measured to take, a line a model, so that no measurement is made twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...append_log import JsonLog
from ...errors import UserError
from .facts import RuntimeFacts


class RuntimeFactsLog:
    """A file of JSON lines: what was measured under, then a line a model, on disk at once.

    It may hold more models than are asked for. under: what has to be as it was: the machine, the
    candidates, the setting; digests: of each model, by name. `found` is what it has of each. Raises
    UserError for a file of something else, or of other models of the same names.
    """

    def __init__(self, path: Path, under: Mapping[str, Any], digests: Mapping[str, str]) -> None:
        self.path = path
        self.digests = digests
        self.found: dict[str, list[RuntimeFacts]] = {}
        self._log = JsonLog(
            path, "vitprof-runtimes", under, what="compared runtimes", remedy="give another `facts`"
        )
        if differing := self._log.differing(under):
            raise UserError(
                f"{path} was measured with another {differing} "
                f"({self._log.header.get(differing)}; now {under.get(differing)}); give another "
                "`facts`."
            )
        for where, record in self._log.records:
            try:
                model, digest = str(record["model"]), record["digest"]
                facts = [RuntimeFacts(**values) for values in record["facts"]]
                _ = [one.latency_ms + one.file_bytes for one in facts]  # numbers, or TypeError
            except (ValueError, TypeError, KeyError, AttributeError):
                raise self._log.damaged(where, "not a model's measurements") from None
            if digests.get(model, digest) != digest:
                raise UserError(f"{path} has another model {model}; give another `facts`.")
            self.found[model] = facts

    def add(self, model: str, facts: Sequence[RuntimeFacts]) -> None:
        """Keep a model's facts by all candidates."""
        record = {"model": model, "digest": self.digests[model]}
        self._log.append({**record, "facts": [asdict(one) for one in facts]})
        self.found[model] = list(facts)
