"""What was measured of deployed models, a line each, so that no measurement is made twice."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
        if path.exists() and path.stat().st_size:
            self._read(dict(under))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._append({"vitprof-variants": 1, **under})

    def add(self, name: str, model: str, facts: Facts, reference_ms: float) -> None:
        """Keep the facts of the deployment `name` of a model, measured beside the reference."""
        self.reference_ms = self.reference_ms or reference_ms
        self._append(
            {
                "variant": name,
                "model": model,
                "digest": self.models[model],
                "reference_ms": reference_ms,
                "facts": facts.as_dict(),
            }
        )
        self.found[name] = facts

    def _append(self, record: Mapping[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _read(self, under: dict[str, Any]) -> None:
        whole, _, torn = self.path.read_bytes().rpartition(b"\n")
        if torn:
            with self.path.open("r+b") as file:
                file.truncate(len(whole) + 1 if whole else 0)
        lines = whole.decode("utf-8", "replace").splitlines()
        differing = ""
        try:
            header, *records = [json.loads(line) for line in lines]
            before = {k: v for k, v in header.items() if k != "vitprof-variants"}
            for record in records:
                name, digest = record["model"], record["digest"]
                if self.models.get(name, digest) != digest:
                    differing = f"model {name}"
                self.found[record["variant"]] = Facts.from_dict(record["facts"])
                self.reference_ms = self.reference_ms or float(record["reference_ms"])
        except (ValueError, TypeError, KeyError, AttributeError):
            raise UserError(
                f"{self.path} is damaged or no record of measured variants; give another `facts`."
            ) from None
        others = sorted(k for k in {**before, **under} if before.get(k) != under.get(k))
        differing = others[0] if others else differing
        if differing:
            raise UserError(
                f"{self.path} was measured with another {differing}; give another `facts`."
            )
