"""The report's form."""

from __future__ import annotations

from pathlib import Path

import pytest
from gpuday.findings import Findings
from gpuday.outcome import Outcome
from gpuday.page import page
from gpuday.part import Part

WHOLE = """# The first day on X

2026-01-02; X

| what | which |
| --- | --- |
| device | X |

| part | outcome | seconds | why |
| --- | --- | --- | --- |
| The machine | ok | 3 |  |
| Ways | out of time | 60 | it was stopped after 60 s |
| Engines | skipped |  | 2 s of 9 s were left |
| Clocks | not run yet |  |  |

## The machine

It answers.

## Ways

Times:

| block | µs |
| --- | --- |
| a \\| b | 1.5 |

**Out of time**: it was stopped after 60 s. What it had found by then stands above.

```
File "x.py", line 1 in f
```

## Engines

**Skipped**: 2 s of 9 s were left.

## Clocks

Not run yet.
"""


def test_the_whole_report(tmp_path: Path) -> None:
    titles = {"machine": "The machine", "ways": "Ways", "engines": "Engines", "clocks": "Clocks"}
    parts = [Part(name, title, 60) for name, title in titles.items()]
    found = {}
    for part in parts[:2]:
        part.folder(tmp_path).mkdir(parents=True)
        found[part.name] = Findings(part.folder(tmp_path) / "findings.json")
    found["machine"].fact("device", "X")
    found["machine"].say("It answers.")
    found["ways"].row("Times", ("block", "µs"), ("a |\n b", 1.5))
    outcomes = {
        "machine": Outcome("ok", "", 3.2),
        "ways": Outcome(
            "out of time", "it was stopped after 60 s", 60.4, 'File "x.py", line 1 in f'
        ),
        "engines": Outcome("skipped", "2 s of 9 s were left"),
    }
    assert page("The first day on X", "2026-01-02; X", parts, outcomes, tmp_path) == WHOLE


def test_findings_come_back_as_they_were_written(tmp_path: Path) -> None:
    one = Findings(tmp_path / "f.json")
    one.fact("a", 1)
    one.row("T", ("x", "y"), (1, None))
    one.row("T", ("x", "y"), (2, "z"))
    assert Findings.read(tmp_path / "f.json") == one
    assert one.tables[0]["rows"] == [["1", "None"], ["2", "z"]]
    assert [file.name for file in tmp_path.iterdir()] == ["f.json"]
    with pytest.raises(ValueError, match="1 cells for 2 columns"):
        one.row("T", ("x", "y"), (1,))
