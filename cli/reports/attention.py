"""What `vitprof bench-attention` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..output import note, print_table

if TYPE_CHECKING:
    from ...verbs.bench_attention import AttentionResult


def print_attention(result: AttentionResult) -> None:
    """Print a line a case."""
    print_table(
        ("case", "fused ms", "plain ms", "plain / fused", "95 % interval", "verdict"),
        [
            (
                f"{one.case.what}: {one.case.in_words}",
                "-" if one.error else f"{one.fused_ms:.4g}",
                "-" if one.error else f"{one.plain_ms:.4g}",
                "-" if one.error else f"{one.speedup:.2f}",
                "-" if one.error else f"{one.low:.2f} .. {one.high:.2f}",
                one.verdict,
            )
            for one in result.cases
        ],
    )


def note_doubtful_cases(result: AttentionResult) -> None:
    """Tell which cases failed, and how many are unstable."""
    from ...profiler.attention.timing import UNSTABLE_ABOVE

    for one in result.cases:
        if one.error:
            note(f"failed: {one.case.in_words}: {one.error}")
    unstable = [one for one in result.cases if one.verdict == "unstable"]
    if unstable:
        note(
            f"unstable: {len(unstable)} of {len(result.cases)} ratios are not known within "
            f"{UNSTABLE_ABOVE:.0%}: stop other programs and measure again, or give more --runs."
        )
