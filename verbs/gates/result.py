"""What a gate found: every limit, and the worst of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...profiler.regression.outcome import Outcome, worst_of
from ...results import Result
from .check import Check
from .junit import junit_of
from .markdown import markdown_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class GateResult(Result):
    """All checks of a gate, in the order that they were asked for."""

    checks: Sequence[Check]

    @property
    def outcome(self) -> Outcome:
        """ "failed" where one check failed, else "undecided" where one is, else "passed"."""
        return worst_of([check.outcome for check in self.checks])

    @property
    def passed(self) -> bool:
        """Whether every limit is kept."""
        return self.outcome is Outcome.PASSED

    @property
    def is_doubtful(self) -> bool:
        """Whether not every limit is known to be kept."""
        return not self.passed

    @property
    def title(self) -> str:
        """How many limits are kept."""
        kept = sum(check.outcome is Outcome.PASSED for check in self.checks)
        verdict = {
            Outcome.PASSED: "passed",
            Outcome.FAILED: "failed",
            Outcome.UNDECIDED: "undecided",
        }[self.outcome]
        return f"gate {verdict}: {kept} of {len(self.checks)} limits kept"

    def report(self) -> dict[str, Any]:
        """Return the outcome and all checks as JSON values."""
        return {
            "outcome": str(self.outcome),
            "passed": self.passed,
            "checks": [check.report() for check in self.checks],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a line a check; numbers in the unit of its kind."""
        import pandas as pd

        columns = ("model", "kind", "against", "value", "low", "high", "limit", "verdict")
        reports = [check.report() for check in self.checks]
        return pd.DataFrame([{name: one[name] for name in columns} for one in reports])

    def junit(self) -> str:
        """Return JUnit XML: a failed check is a failure, an undecided one an error."""
        return junit_of(self.checks)

    def markdown(self) -> str:
        """Return a summary for a pull request."""
        return markdown_of(self.checks, self.title)
