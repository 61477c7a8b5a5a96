"""`vitprof breakdown`, run for real on the smallest model: what it prints, writes and refuses.

About 8 seconds. No timing decides: what is checked is that the parts fit together.
"""

from __future__ import annotations

import csv
import fcntl
import json
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from vitprof.cli.exit_codes import DEVICE_BUSY
from vitprof.profiler.breakdown.classes import CLASSES, MATMUL, MEMORY_BOUND

pytestmark = pytest.mark.slow

QUICK = ("breakdown", "--model", "vit-micro-8", "--sessions", "1", "--runs", "3", "--warmup", "1")


def test_one_json_object_whose_parts_add_up(run) -> None:
    answer = run(*QUICK, "--batch", "2", "--top", "3", "--json")
    assert answer.code in (0, 1), answer.err  # a busy machine may call it unstable
    (one,) = answer.json["models"]
    assert one["model"] == "vit-micro-8"
    assert list(one["classes"]) == list(CLASSES)
    parts = one["classes"].values()
    assert sum(part["ms"] for part in parts) == pytest.approx(one["latency_ms"], abs=1e-5)
    assert sum(part["share"] for part in parts) == pytest.approx(1, abs=1e-5)
    memory = sum(one["classes"][kind]["share"] for kind in MEMORY_BOUND)
    assert one["memory_bound_share"] == pytest.approx(memory, abs=1e-5)
    assert one["memory_bound_share"] + one["compute_bound_share"] == pytest.approx(1, abs=1e-5)
    assert one["instrumented_ms"] == pytest.approx(
        one["instrumented_in_nodes_ms"] + one["instrumented_outside_nodes_ms"], abs=1e-5
    )
    assert one["other_ops"] == []
    assert len(one["nodes"]) == 3
    assert [node["ms"] for node in one["nodes"]] == sorted(
        (node["ms"] for node in one["nodes"]), reverse=True
    )
    assert set(one["nodes"][0]) == {"name", "op", "class", "ms", "share", "macs", "bytes"}
    assert answer.json["setting"]["batch"] == 2
    assert answer.json["setting"]["backend"] == "onnxruntime"


def test_people_get_both_totals_and_files(run, tmp_path: Path) -> None:
    table, picture = tmp_path / "parts.csv", tmp_path / "parts.png"
    answer = run(*QUICK, "--model", "vit-tiny-32", "--out", table, "--plot", picture)
    assert answer.code in (0, 1), answer.err
    for words in (*CLASSES, "memory-bound", "GMAC/s", "Heaviest nodes"):
        assert words in answer.out
    for model in ("vit-micro-8", "vit-tiny-32"):
        (how,) = [line for line in answer.out.splitlines() if line.startswith(f"{model}: ")]
        for words in (
            "instrumented run (ONNX Runtime's profiler)",
            "outside any",
            "scaled by",
            "that it takes without",
        ):
            assert words in how
    rows = list(csv.DictReader(table.open()))
    assert [row["class"] for row in rows] == [*CLASSES, *CLASSES]
    assert [row["model"] for row in rows[::6]] == ["vit-micro-8", "vit-tiny-32"]
    for start in (0, 6):
        parts = rows[start : start + 6]
        total = sum(float(row["ms"]) for row in parts)
        assert total == pytest.approx(float(parts[0]["latency_ms"]), rel=1e-4)
    assert int(rows[0]["macs"]) == 3_490_944  # of vit-micro-8 without its patch embedding
    image = matplotlib.image.imread(picture)[:, :, :3]
    assert image.shape[1] > 1000
    assert (np.ptp(image, axis=2) > 0.2).mean() > 0.3  # the bars are most of it
    assert f"written: {table}" in answer.err


def test_blocks_and_nodes_are_printed_and_written(run, tmp_path: Path) -> None:
    table, trace = tmp_path / "nodes.csv", tmp_path / "trace.json"
    answer = run(*QUICK, "--nodes", "--top", "0", "--csv", table, "--trace", trace)
    assert answer.code in (0, 1), answer.err
    lines = answer.out.splitlines()
    start = next(place for place, line in enumerate(lines) if "Blocks of vit-micro-8" in line)
    blocks = [line for line in lines[start + 4 :] if line.startswith((" blocks", " patch", " cl"))]
    assert [line.split()[0] for line in blocks] == [
        "patch_embed",
        *(f"blocks.{layer}.{half}" for layer in range(4) for half in ("attention", "mlp")),
        "classifier",
    ]
    assert any(line.startswith("   blocks.0.attn.qkv ") for line in lines[start:])
    rows = list(csv.DictReader(table.open()))
    total = sum(float(row["ms"]) for row in rows)
    assert total == pytest.approx(float(rows[0]["latency_ms"]), rel=0.01)
    assert {row["block"] for row in rows} == {line.split()[0] for line in blocks}
    events = json.loads(trace.read_text())["traceEvents"]
    inside = [event for event in events if event["ph"] == "X" and event["cat"] != "block"]
    assert len(inside) == len(rows)
    assert f"written: {trace}" in answer.err


def test_a_trace_alone_shows_no_nodes(run, tmp_path: Path) -> None:
    answer = run(*QUICK, "--trace", tmp_path / "trace.json", "--json")
    assert answer.code in (0, 1), answer.err
    assert len(answer.json["models"][0]["blocks"]) == 10
    assert (tmp_path / "trace.json").stat().st_size > 1000


def open_file(path: Path) -> Path:
    """Write an ONNX model of one matrix multiply and a softmax, whose rows are left open."""
    weight = numpy_helper.from_array(np.ones((64, 64), dtype=np.float32), "fc.weight")
    nodes = [
        helper.make_node("MatMul", ["x", "fc.weight"], ["y"], name="/fc/MatMul"),
        helper.make_node("Softmax", ["y"], ["out"], name="/act/Softmax"),
    ]
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 64]) for name in "xo"]
    info[1].name = "out"
    graph = helper.make_graph(nodes, "g", info[:1], info[1:], [weight])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(made.SerializeToString())
    return path


def test_a_foreign_file_is_broken_down_with_the_shape_it_leaves_open(run, tmp_path: Path) -> None:
    file = open_file(tmp_path / "mine.onnx")
    quick = ("--sessions", "1", "--runs", "3", "--warmup", "1", "--nodes", "--json")
    answer = run("breakdown", "--model", file, *quick)
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    assert "--shape" in answer.err
    answer = run("breakdown", "--model", file, "--shape", "x=128,64", "--batch", "128", *quick)
    assert answer.code in (0, 1), answer.err
    (one,) = answer.json["models"]
    assert [(node["block"], node["from"]) for node in one["nodes"]] == [
        ("fc", "/fc/MatMul"),
        ("act", "/act/Softmax"),
    ]
    assert one["nodes"][0]["macs"] == 128 * 64 * 64
    assert sum(node["ms"] for node in one["nodes"]) == pytest.approx(one["latency_ms"], rel=0.01)


def test_model_explorer_finds_every_node_in_the_file(run, tmp_path: Path) -> None:
    file = open_file(tmp_path / "mine.onnx")
    out = tmp_path / "explorer.json"
    how = ("--shape", "x=8,64", "--batch", "8", "--sessions", "1", "--runs", "3", "--warmup", "1")
    answer = run("breakdown", "--model", file, *how, "--model-explorer", out, "--json")
    assert answer.code in (0, 1), answer.err
    (model,) = answer.json["models"]
    results = json.loads(out.read_text())["results"]
    assert set(results) <= {"/fc/MatMul", "/act/Softmax"}
    assert sum(one["value"] for one in results.values()) == pytest.approx(
        model["latency_ms"], rel=1e-5
    )


def test_model_explorer_is_of_one_onnx_model(run, tmp_path: Path) -> None:
    out = tmp_path / "explorer.json"
    for wrong in (("--model", "deit-tiny"), ("--backend", "torch")):
        answer = run("breakdown", "--model", "vit-micro-8", *wrong, "--model-explorer", out)
        assert answer.code == 2
        assert answer.is_one_sentence
        assert "--model-explorer is of one ONNX model" in answer.err


def test_pytorch_is_labelled_as_such(run) -> None:
    answer = run(*QUICK, "--backend", "torch", "--top", "0")
    assert answer.code in (0, 1), answer.err
    assert "torch, fp32, batch 1, 1 thread" in answer.out
    assert "instrumented run (PyTorch's profiler)" in answer.out
    assert MATMUL in answer.out
    assert "Heaviest" not in answer.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--model", "deit-smal"), "deit-small"),
        (("--device", "cpy"), "cpy"),
        (("--device", "t4"), "device 't4' cannot be broken down"),
        (("--backend", "tensorrt"), "--backend is onnxruntime or openvino or torch"),
        (("--backend", "trch"), "did you mean 'torch'?"),
        (("--dtype", "fp8"), "fp8"),
        (("--dtype", "bf16"), "bf16"),
        (("--backend", "torch", "--dtype", "fp8"), "fp8"),
        (("--plot", "parts.doc"), "parts.doc is not a picture"),
        (("--plot", "no/such/folder/parts.png"), "no/such/folder"),
        (("--out", "no/such/folder/parts.csv"), "no/such/folder"),
        (("--trace", "no/such/folder/trace.json"), "no/such/folder"),
        (("--trace", "."), "is a folder"),
        (("--runs", "0"), "--runs"),
        (("--batch", "0"), "--batch"),
        (("--top", "-1"), "--top"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_measured(
    arguments: tuple[str, ...], words: str, run
) -> None:
    answer = run(*QUICK, *arguments)
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    assert words in answer.err
    assert answer.out == ""


def test_a_device_that_is_being_measured_is_left_to_its_holder(
    run, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("VITPROF_LOCK_DIR", str(tmp_path))
    lock = tmp_path / "host.lock"
    holder = {"pid": 4242, "user": "ada", "command": "vitprof measure", "since": "2026-01-02"}
    lock.write_text(json.dumps(holder))
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        answer = run(*QUICK)
    assert answer.code == DEVICE_BUSY
    assert "process 4242 of ada" in answer.err
    assert answer.out == ""
