"""A tiny ViT that digits are soon learned by, trained once for all tests of a process."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import vitprof
from vitprof import ViTSpec
from vitprof.verbs.train import TrainResult

TINY = ViTSpec.uniform(32, 2, 4, mlp=64, resolution=8, patch=2, classes=10, in_channels=1)
SMALL = ViTSpec.uniform(16, 2, 2, mlp=16, resolution=8, patch=2, classes=10, in_channels=1)
QUICK = {"augment": "none", "autocast": "fp32"}


@cache
def learned() -> TrainResult:
    out = Path(mkdtemp(prefix="vitprof-learned-")) / "digits"
    return vitprof.train(TINY, "digits", out=out, epochs=6, **QUICK)
