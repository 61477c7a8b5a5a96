"""The file of what runtimes were measured to take, and what is refused of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from vitprof.errors import UserError
from vitprof.profiler.runtimes.facts import RuntimeFacts
from vitprof.profiler.runtimes.facts_log import RuntimeFactsLog

UNDER = {"sessions": 1, "runtimes": ["torch, fp32"]}
MEASURED = RuntimeFacts("small", "torch", "fp32", "measured", latency_ms=2.5, file_bytes=3)
FAILED = RuntimeFacts("small", "litert", "int8", error="no such operator")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    RuntimeFactsLog(tmp_path / "facts.jsonl", UNDER, {"small": "a1"}).add(
        "small", [MEASURED, FAILED]
    )
    return tmp_path / "facts.jsonl"


def test_what_was_kept_is_found_again(path: Path) -> None:
    found = RuntimeFactsLog(path, UNDER, {"small": "a1", "large": "b2"}).found
    assert list(found) == ["small"]
    # Numbers that nobody measured are NaN, which equals nothing: compare what was printed.
    assert repr(found["small"]) == repr([MEASURED, FAILED])


def test_another_setting_or_model_is_refused(path: Path) -> None:
    with pytest.raises(UserError, match=r"another sessions \(1; now 2\); give another `facts`"):
        RuntimeFactsLog(path, {**UNDER, "sessions": 2}, {})
    with pytest.raises(UserError, match="has another model small; give another `facts`"):
        RuntimeFactsLog(path, UNDER, {"small": "c3"})


@pytest.mark.parametrize(
    "line",
    [
        '{"model": "small", "digest": "", "facts": [{"model": 3}]}',
        '{"model": "small", "digest": "", "facts": [{"colour": "red"}]}',
        '{"model": "small"}',
        '{"model": "small", "digest": "", "facts": 3}',
    ],
)
def test_a_damaged_line_is_named(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(UserError, match="line 3 is not a model's measurements: the log is damaged"):
        RuntimeFactsLog(path, UNDER, {})
