"""What was measured of deployed models, a line each, so that no measurement is made twice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...append_log import JsonLog
from ...errors import UserError
from .facts import Facts


class FactsLog:
    """A file of JSON lines: what was measured under, then a line a deployment, on disk at once.

    It may hold more models than are asked for. models: a digest of each, by name. Raises UserError
    for a file of other images, another machine, or other models of the same names.
    """

    def __init__(self, path: Path, under: Mapping[str, Any], models: Mapping[str, str]) -> None:
        self.path = path
        self.models = models
        self.found: dict[str, Facts] = {}
        # What the reference took when the first one was measured: all others are brought to that.
        self.reference_ms: float | None = None
        self._log = JsonLog(
            path, "vitprof-variants", under, what="measured variants", remedy="give another `facts`"
        )
        self._check(self._log.differing(under))
        for where, record in self._log.records:
            try:
                name, digest = record["model"], record["digest"]
                facts = Facts.from_dict(record["facts"])
                reference_ms = float(record["reference_ms"])
                self.found[record["variant"]] = facts
            except (ValueError, TypeError, KeyError, AttributeError):
                raise self._log.damaged(where, "not a measured variant") from None
            self._check(f"model {name}" if self.models.get(name, digest) != digest else None)
            self.reference_ms = self.reference_ms or reference_ms

    def add(self, name: str, model: str, facts: Facts, reference_ms: float) -> None:
        """Keep the facts of the deployment `name` of a model, measured beside the reference."""
        self._log.append(
            {
                "variant": name,
                "model": model,
                "digest": self.models[model],
                "reference_ms": reference_ms,
                "facts": facts.as_dict(),
            }
        )
        self.reference_ms = self.reference_ms or reference_ms
        self.found[name] = facts

    def _check(self, differing: str | None) -> None:
        if differing:
            raise UserError(
                f"{self.path} was measured with another {differing}; give another `facts`."
            )
