"""Node data of `vitprof breakdown`, opened by Google's Model Explorer itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

pytestmark = pytest.mark.slow

portpicker = pytest.importorskip("portpicker")
adapter = pytest.importorskip("model_explorer_onnx.main")
QUICK = ("--sessions", "1", "--runs", "3", "--warmup", "1")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX file of nodes without names, and one that has the name which the first gets."""
    weights = [numpy_helper.from_array(np.ones((64, 64), dtype=np.float32), n) for n in "ab"]
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["y"], name="/fc/MatMul"),
        helper.make_node("Softmax", ["y"], ["z"]),
        helper.make_node("MatMul", ["z", "b"], ["u"], name="node"),
        helper.make_node("Softmax", ["u"], ["out"]),
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [64, 64]) for n in ("x", "out")]
    graph = helper.make_graph(nodes, "main", ends[:1], ends[1:], weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = tmp_path_factory.mktemp("explorer") / "mine.onnx"
    path.write_bytes(made.SerializeToString())
    return path


@pytest.fixture
def data(run: Callable[..., Any], file: Path, tmp_path: Path) -> Path:
    out = tmp_path / "node-ms.json"
    answer = run("breakdown", "--model", file, "--batch", "64", *QUICK, "--model-explorer", out)
    assert answer.code in (0, 1), answer.err
    return out


def test_its_onnx_adapter_has_these_nodes(file: Path, data: Path) -> None:
    (graph,) = adapter.ONNXAdapter().convert(str(file), {})["graphs"]
    labels = {node.id: node.label for node in graph.nodes}
    results = json.loads(data.read_text())["results"]
    assert {name: labels[name] for name in results} == {
        "/fc/MatMul": "MatMul",
        "node": "Softmax",
        "node_1": "MatMul",
        "node_2": "Softmax",
    }


@pytest.fixture
def address(file: Path, data: Path) -> Iterator[str]:
    """Where Model Explorer serves the model with its node data."""
    command = [
        Path(sys.executable).with_name("model-explorer"),
        *(file, "--node_data_paths", data, "--extensions", "model_explorer_onnx"),
        *("--no_open_in_browser", "--skip_health_check"),
        *("--port", str(portpicker.pick_unused_port())),
    ]
    serving = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert serving.stdout is not None
        lines = [serving.stdout.readline()]
        while not lines[-1].startswith("http://localhost"):
            lines.append(serving.stdout.readline())
            assert lines[-1], lines
        yield lines[-1].strip()
    finally:
        serving.kill()
        serving.communicate()


def test_its_page_shows_the_sum_of_the_nodes(browser: Any, address: str, data: Path) -> None:
    results = json.loads(data.read_text())["results"]
    context = browser.new_context()
    page = context.new_page()
    # Without a network its fonts are not there: nothing of the page needs them.
    page.route(re.compile("https://"), lambda route: route.abort())
    page.goto(address)
    page.get_by_text("Aggregated stats").wait_for(timeout=60_000)
    page.wait_for_function("/Sum\\s+[\\d.e-]+/.test(document.body.innerText)", timeout=60_000)
    found = re.search(r"Sum\s+([\d.e-]+)", page.inner_text("body"))
    context.close()
    assert found is not None
    total = sum(one["value"] for one in results.values())
    assert float(found[1]) == pytest.approx(total, rel=1e-4)
