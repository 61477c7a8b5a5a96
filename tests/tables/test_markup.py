"""Rows as CSV, Markdown and LaTeX, with hostile texts in every cell."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess

import pytest
from pylatexenc.latex2text import LatexNodes2Text
from pylatexenc.latexwalker import LatexEnvironmentNode, LatexMacroNode, LatexWalker
from vitprof.tables.markup import as_csv, as_latex, as_markdown

COLUMNS = ("Model", "Latency (ms)")
HOSTILE = (
    r"\input{/etc/passwd}",
    r"\write18{id} 50% $x$ a_b^c~d&e#f {g}",
    "*starred",
    "[2cm] bracket",
    '=HYPERLINK("http://x")',
    "+1+cmd|' /C calc'!A0",
    "@SUM(A1)",
    "-2+3",
    "<script>alert(1)</script>",
    "a | b | c",
    "![x](http://x) `code` _i_ **b**",
    "naïve “quotes” → 日本語",
    "two\nlines\x1b[31m",
)
ROWS = [(text, "1.5") for text in HOSTILE]


def test_latex_is_one_table_whose_texts_are_texts() -> None:
    latex = as_latex(COLUMNS, ROWS)
    nodes, _, read = LatexWalker(latex, tolerant_parsing=False).get_latex_nodes()
    assert read == len(latex)
    (table,) = [node for node in nodes if isinstance(node, LatexEnvironmentNode)]
    macros = {node.macroname for node in table.nodelist if isinstance(node, LatexMacroNode)}
    assert macros <= {
        *("toprule", "midrule", "bottomrule", "\\"),
        *("textbackslash", "textasciitilde", "textasciicircum"),
        *("textless", "textgreater", "textbar", "{", "}", "&", "%", "$", "#", "_"),
    }
    # Each row ends in one "\\", which nothing after it can take for its star or its length.
    assert sum(node.macroname == "\\" for node in table.nodelist if _is_macro(node)) == 14
    assert not any(line.startswith(("*", "[")) for line in latex.splitlines())
    cell = latex.splitlines()[5].removesuffix(r" & 1.5 \\")
    read_back = LatexNodes2Text().latex_to_text(cell).replace("ˆ", "^")
    assert read_back == HOSTILE[1]


def _is_macro(node: object) -> bool:
    return isinstance(node, LatexMacroNode)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="LaTeX is not installed")
def test_latex_compiles(tmp_path) -> None:
    body = as_latex(COLUMNS, ROWS)
    (tmp_path / "t.tex").write_text(
        "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n"
        f"{body}\\end{{document}}\n",
        encoding="utf-8",
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "t.pdf").stat().st_size > 1000


def test_no_cell_of_a_csv_is_a_formula() -> None:
    lines = list(csv.reader(io.StringIO(as_csv(COLUMNS, [*ROWS, ("-", "-1.5"), ("x", "-")]))))
    assert lines[0] == list(COLUMNS)
    names = [line[0] for line in lines[1:-2]]
    assert not any(name.startswith(("=", "+", "-", "@")) for name in names)
    assert [name.removeprefix("'") for name in names] == list(HOSTILE)
    assert lines[-2:] == [["", "-1.5"], ["x", ""]]  # a negative number stays one


def test_no_text_parts_a_markdown_row_or_is_a_tag() -> None:
    lines = as_markdown(COLUMNS, ROWS).splitlines()
    assert len(lines) == 2 + len(ROWS)
    assert lines[1] == "| --- | ---: |"
    for line in lines[2:]:
        assert line.replace("\\\\", "").replace("\\|", "").count("|") == 3
        assert "<script" not in line.replace("\\<", "")
        assert line.isprintable()
    assert r"\<script\>" in lines[10]
