"""examples/quickstart.ipynb runs from above to below, and what is committed is its real output."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

EXAMPLES = Path(__file__).parents[2] / "examples"
# A smaller space, model training and table than the notebook's own.
SMALL = {
    "QUICKSTART_POINTS": "24",
    "QUICKSTART_WHOLE_MODELS": "3",
    "QUICKSTART_SESSIONS": "1",
    "QUICKSTART_EPOCHS": "1",
    "QUICKSTART_SPACE": "small.toml",
}
SPACE = """
family = "vit"
resolution = 8
patch = 2
in_channels = 1
classes = 10
embed = [32, 64]
depth = [2, 4]
heads = [1, 4]
qk = 16
mlp = [32, 256]
"""


def read(path: Path) -> NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def kinds(cell: NotebookNode) -> set[str]:
    """Return the MIME types of what a cell shows."""
    return {kind for output in cell.outputs for kind in output.get("data", ())}


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_committed_output_is_whole() -> None:
    cells = code_cells(read(EXAMPLES / "quickstart.ipynb"))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert sum("image/png" in kinds(cell) for cell in cells) >= 2
    for cell in cells:
        assert not [one for one in cell.outputs if one.output_type == "error"]
        text = str([one.get("text", one.get("data", "")) for one in cell.outputs])
        assert "/tmp/" not in text and "Traceback" not in text


@pytest.mark.slow
@pytest.mark.docs
@pytest.mark.timeout(900)
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    committed = read(EXAMPLES / "quickstart.ipynb")
    notebook = read(EXAMPLES / "quickstart.ipynb")
    shutil.copy(EXAMPLES / "micro.toml", tmp_path)
    (tmp_path / "small.toml").write_text(SPACE)
    for name, value in SMALL.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    client = NotebookClient(
        notebook, timeout=800, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()  # raises where a cell ends with an error
    for was, now in zip(code_cells(committed), code_cells(notebook), strict=True):
        assert kinds(now) == kinds(was), was.source
    for written in ("lut.csv", "digits/spec.json", "pruned/spec.json", "report.html"):
        assert (tmp_path / "quickstart-run" / written).is_file()
