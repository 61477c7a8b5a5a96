"""What tests of `vitprof prune` prune: a small ViT for digits, quick options, its tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vitprof.models import ViTSpec
from vitprof.models.block import Block
from vitprof.tables import LatencyTable, Row, Setting

SPEC = ViTSpec.uniform(
    32, 2, 2, mlp=64, resolution=8, patch=2, classes=10, in_channels=1, name="digits-vit"
)
QUICK = (
    "--data",
    "digits",
    "--epochs",
    "0.2",
    "--prune-epochs",
    "0.5",
    "--prune-every",
    "2",
    "--batch",
    "64",
    "--autocast",
    "fp32",
    "--groups",
    "embed=8,heads=1,qk=4,v=4,mlp=8",
)
ONE_SHOT = (
    "--method",
    "optin",
    "--data",
    "digits",
    "--score-images",
    "16",
    "--reconstruct",
    "200",
    "--groups",
    "heads=1,mlp=8",
)


def table_of(blocks: Sequence[Block], path: Path) -> Path:
    """Write a table in which milliseconds follow the MACs."""
    rows = [
        Row(
            block,
            latency_ms=ms,
            low_ms=ms,
            high_ms=ms,
            min_ms=ms,
            p10_ms=ms,
            p90_ms=ms,
            p99_ms=ms,
            session_ms=(ms,) * 3,
            samples=9,
        )
        for block in dict.fromkeys(blocks)
        for ms in [block.macs / 1e6 + 0.01]
    ]
    LatencyTable(rows, Setting("cpu", "onnxruntime", "CPUExecutionProvider")).to_csv(path)
    return path
