"""A gate's checks as JUnit XML, which continuous integration systems show as tests."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from ...profiler.regression.outcome import Outcome
from ...tables.sharing.plain_text import printable
from .check import Check

SUITE = "vitprof gate"
LONGEST = 1000
_ELEMENTS = {Outcome.FAILED: "failure", Outcome.UNDECIDED: "error"}


def junit_of(checks: Sequence[Check]) -> str:
    """Return a <testsuites> of one suite, a <testcase> a check.

    A failed check holds <failure>; an undecided one <error>: it could not be judged. Texts are
    printable ones, for XML has no place for control characters.
    """
    failed = sum(check.outcome is Outcome.FAILED for check in checks)
    undecided = sum(check.outcome is Outcome.UNDECIDED for check in checks)
    counts = {
        "tests": str(len(checks)),
        "failures": str(failed),
        "errors": str(undecided),
        "time": f"{sum(check.seconds for check in checks):.3f}",
    }
    suites = ET.Element("testsuites", {"name": SUITE, **counts})
    suite = ET.SubElement(suites, "testsuite", {"name": SUITE, "skipped": "0", **counts})
    for check in checks:
        case = ET.SubElement(
            suite,
            "testcase",
            {
                "classname": f"vitprof.gate.{check.kind}",
                "name": printable(check.name, LONGEST),
                "time": f"{check.seconds:.3f}",
            },
        )
        sentence = printable(check.sentence, LONGEST)
        if check.outcome in _ELEMENTS:
            attributes = {"type": check.verdict, "message": sentence}
            ET.SubElement(case, _ELEMENTS[check.outcome], attributes).text = sentence
        output = ET.SubElement(case, "system-out")
        lines = [sentence, *(printable(warning, LONGEST) for warning in check.warnings)]
        output.text = "\n".join(lines)
    ET.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suites, "unicode") + "\n"
