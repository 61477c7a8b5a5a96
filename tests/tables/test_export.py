"""A table in other formats: LaTeX with the papers' columns, in which no text can be a command."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from vitprof.models import ViTSpec
from vitprof.tables import LatencyTable, Row
from vitprof.tables.export import exported


def rows_of(latex: str) -> list[list[str]]:
    return [
        line.removesuffix(r" \\").split(" & ")
        for line in latex.splitlines()
        if line.endswith(r"\\")
    ]


def test_latex_has_models_with_the_papers_columns_and_then_blocks(
    with_models: LatencyTable,
) -> None:
    latex = exported(with_models, "latex")
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 2
    lines = rows_of(latex)
    assert lines[0] == [
        "Model",
        "Params (M)",
        "MACs (G)",
        "Latency (ms)",
        r"95 \% interval",
        "Images/s",
    ]
    row = with_models.model_rows[0]
    assert lines[1][0] == "m0"
    assert float(lines[1][3]) == float(f"{row.latency_ms:.4g}")
    assert float(lines[1][5]) == float(f"{1e3 / row.latency_ms:.4g}")
    assert len(lines) == 2 + len(with_models.rows)


def test_no_name_is_a_command(
    vit_table: LatencyTable, small_vit: Callable[..., ViTSpec], row_of: Callable[..., Row]
) -> None:
    name = r"\input{/etc/passwd} 50% $x$ a_b^c~d&e#f {g}"
    row = row_of(small_vit(name="m"), 3.0, context="in_model")
    spec = replace(row.subject, name=name)  # type: ignore[type-var]
    table = LatencyTable([*vit_table.rows, replace(row, subject=spec)], vit_table.setting)
    (line,) = [cells[0] for cells in rows_of(exported(table, "latex")) if "passwd" in cells[0]]
    assert line.startswith(r"\textbackslash{}input\{/etc/passwd\} 50\% \$x\$ a\_b")
    commands = set(re.findall(r"\\([a-z]+)", line))
    assert commands == {"textbackslash", "textasciicircum", "textasciitilde"}


def test_a_failed_row_has_no_numbers(
    vit_table: LatencyTable, failed_row: Callable[..., Row], mlp: Callable[..., object]
) -> None:
    table = LatencyTable([failed_row(mlp(16))], vit_table.setting)
    assert rows_of(exported(table, "latex"))[1][1:3] == ["-", "-"]
