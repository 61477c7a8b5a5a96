"""Commands that write their files in one go, at the end."""

from __future__ import annotations

from collections.abc import Sequence

from .material import DIGITS, Material
from .scenes import Scene


def single(material: Material) -> Sequence[Scene]:
    """Return a command of each kind that writes a file, but for the resumable ones."""
    trained, table = material["trained"], material["lut.csv"]
    given = {"lut.csv": table}
    return (
        Scene(
            "table export",
            ("table", "export", "lut.csv", "--out", "rows.csv"),
            given,
            resumes=False,
        ),
        Scene(
            "table merge",
            ("table", "merge", "lut.csv", "--out", "both.csv"),
            given,
            resumes=False,
        ),
        Scene(
            "table import",
            (
                *("table", "import", material["nvit.json"], "--from", "nvit"),
                *("--device", "v100", "--unit", "ms", "--out", "imported.csv"),
            ),
            resumes=False,
        ),
        Scene(
            "compare --out",
            (
                *("compare", "--table", table, "--model", material["tiny.json"]),
                *("--model", material["student.json"], "--out", "compared.csv"),
            ),
            resumes=False,
        ),
        Scene(
            "gate --junit",
            (
                *("gate", "--table", table, "--model", material["tiny.json"]),
                *("--max-latency", "1s", "--junit", "junit.xml"),
            ),
            resumes=False,
        ),
        Scene("report", ("report", "--table", table, "--out", "report.html"), resumes=False),
        Scene(
            "build",
            (
                *("build", "--device", "cpu", "--model", material["tiny.json"], "--points", 12),
                *("--whole-models", 0, "--out", "cpu.zip"),
            ),
            resumes=False,
        ),
        Scene(
            "quantize",
            (
                *("quantize", "--model", trained, *DIGITS, "--dtype", "int8", "--sessions", 1),
                *("--test-images", 20, "--out", "int8"),
            ),
            exact=False,
            resumes=False,
        ),
    )
