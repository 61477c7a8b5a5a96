"""A variant of a model with its latency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...models import Spec


@dataclass(frozen=True)
class Ranked:
    """A variant and its predicted latency in milliseconds."""

    words: str
    changed: Mapping[str, str]
    spec: Spec
    ms: float

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "variant": self.words,
            "changed": dict(self.changed),
            "latency_ms": self.ms,
            "macs": self.spec.macs,
            "params": self.spec.params,
        }
