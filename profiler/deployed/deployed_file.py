"""What a deployed file is of: a model in some precision, for a runtime, at a batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DeployedFile:
    """One file of a model. `folder` has the model's spec and fp32 weights; `path` is the file."""

    folder: Path
    runtime: str
    precision: str
    path: Path
    batch: int = 1
    threads: int = 1
