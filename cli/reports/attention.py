"""What `vitprof bench-attention` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..output import print_table

if TYPE_CHECKING:
    from ...verbs.bench_attention import AttentionResult


def print_attention(result: AttentionResult) -> None:
    """Print a line a case."""
    print_table(
        ("case", "fused ms", "plain ms", "plain / fused", "95 % interval"),
        [
            (
                f"{one.case.what}: {one.case.in_words}",
                "-" if one.error else f"{one.fused_ms:.4g}",
                "-" if one.error else f"{one.plain_ms:.4g}",
                "-" if one.error else f"{one.speedup:.2f}",
                "-" if one.error else f"{one.low:.2f} .. {one.high:.2f}",
            )
            for one in result.cases
        ],
    )
