"""A gate's checks as Markdown, for the summary of a job or a comment at a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from ...profiler.regression.outcome import Outcome
from ...tables.sharing.plain_text import markdown
from .check import REGRESSION, Check

_MARKS = {
    Outcome.PASSED: "✅",
    Outcome.FAILED: "❌",
    Outcome.UNDECIDED: "❓",
}
LONGEST = 500


def markdown_of(checks: Sequence[Check], title: str) -> str:
    """Return a heading, a line a check, and under the table what makes it doubtful."""
    lines = [f"### vitprof {markdown(title)}", ""]
    lines += ["| | model | of | against | found | 95 % interval | limit | verdict |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    lines += [_line(check) for check in checks]
    measured = [check for check in checks if check.kind == REGRESSION]
    if measured:
        lines += ["", *(f"- {_measured(check)}" for check in measured)]
    doubts = [f"- {markdown(check.sentence, LONGEST)}" for check in checks if check.remedy_needed]
    doubts += [
        f"- {markdown(check.model)}: {markdown(warning, LONGEST)}"
        for check in checks
        for warning in check.warnings
    ]
    if doubts:
        lines += ["", *doubts]
    return "\n".join(lines) + "\n"


def _line(check: Check) -> str:
    cells = (
        _MARKS[check.outcome],
        markdown(check.model),
        check.kind,
        markdown(check.against),
        check.found,
        check.interval or "exact",
        check.at_most,
        f"**{check.verdict}**" if check.outcome is not Outcome.PASSED else check.verdict,
    )
    return f"| {' | '.join(cells)} |"


def _measured(check: Check) -> str:
    details = check.details
    return (
        f"{markdown(check.model)}: {details['base_ms']:.4g} ms before, {details['head_ms']:.4g} ms "
        f"now, {details['sessions']} pairs of sessions."
    )
