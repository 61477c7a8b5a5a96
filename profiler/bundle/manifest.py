"""What a bundle says of itself, as JSON: setting, versions, plan and artifacts.

`read_manifest` in `reading.py` reads it back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ... import __version__
from ...backends.agreement import OutputSketch
from ...models import Block, Spec
from ...tables import Setting
from ..plan import Plan, Point, Subject

FORMAT = "vitprof-bundle"
# Version 1 has no compressed artifacts.
FORMAT_VERSION = 2
READ_VERSIONS = (1, 2)


@dataclass(frozen=True)
class Stored:
    """An artifact in the zip: its name there, its size, and the SHA-256 of its bytes.

    `expected` are the outputs it is to have, as its builder computed them in fp32; None where they
    are not known.
    """

    file: str
    bytes: int
    sha256: str
    expected: tuple[OutputSketch, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        record: dict[str, Any] = {"file": self.file, "bytes": self.bytes, "sha256": self.sha256}
        if self.expected is not None:
            record["expected"] = sketches_as_json(self.expected)
        return record


@dataclass(frozen=True)
class Manifest:
    """Everything but the artifacts' bytes.

    `built` are versions of what built it. `artifacts` has every part of every point and the
    `reference` block: where it is stored, or why it could not be compiled (a text).
    """

    setting: Setting
    built: Mapping[str, object]
    plan: Plan
    reference: Block | None
    artifacts: Mapping[Subject, Stored | str]
    vitprof: str = __version__

    @property
    def files(self) -> dict[str, Stored]:
        """What is stored, by name; equal artifacts share a file."""
        stored = (one for one in self.artifacts.values() if isinstance(one, Stored))
        return {one.file: one for one in stored}

    @property
    def limits(self) -> dict[str, int]:
        """How many files there are, and how many bytes the largest and all of them have."""
        sizes = [stored.bytes for stored in self.files.values()]
        return {"files": len(sizes), "largest_bytes": max(sizes, default=0), "bytes": sum(sizes)}

    def to_json(self) -> str:
        """Return JSON text, one point or artifact a line, that `read_manifest` reads back."""
        entries: dict[str, object] = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "vitprof": self.vitprof,
            "setting": self.setting.as_dict(),
            "built": dict(self.built),
            "limits": self.limits,
            "reference": self.reference.as_dict_with_op() if self.reference else None,
            "points": [_point_as_dict(point) for point in self.plan.points],
            "artifacts": [
                {"of": subject_as_json(subject)}
                | (one.as_dict() if isinstance(one, Stored) else {"error": one})
                for subject, one in self.artifacts.items()
            ],
        }
        return "{\n" + ",\n".join(map(_line, entries, entries.values())) + "\n}\n"


def sketches_as_json(sketches: Sequence[OutputSketch]) -> list[dict[str, Any]]:
    """Return sketches as JSON values."""
    return [
        {"shape": list(one.shape), "sums": [rounded_sum(value) for value in one.sums]}
        for one in sketches
    ]


def rounded_sum(value: float) -> float:
    """Return one sum of a sketch with the 7 digits that are kept, which fp32 has."""
    return float(f"{value:.7g}")


def _line(name: str, value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if isinstance(value, list) and value:
        lines = (json.dumps(item, ensure_ascii=False, allow_nan=False) for item in value)
        text = "[\n  " + ",\n  ".join(lines) + "\n]"
    return f"{json.dumps(name)}: {text}"


def _point_as_dict(point: Point) -> dict[str, Any]:
    record: dict[str, Any] = {}
    if isinstance(point.subject, Block):
        record["block"] = point.subject.as_dict_with_op()
        if point.model is not None:
            record["model"] = point.model.to_dict()
    else:
        record["model"] = point.subject.to_dict()
    return {**record, "context": point.context}


def subject_as_json(subject: Subject) -> object:
    """Return a model, or a chain of blocks, as JSON values."""
    if isinstance(subject, Spec):
        return subject.to_dict()
    return [block.as_dict_with_op() for block in subject]
