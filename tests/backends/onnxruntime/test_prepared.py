"""Prepared models: the same kernels run, and the outputs are equal bit for bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from small_models import small_autovit, small_swin
from vitprof.backends import BackendError, BackendOptions, OnnxRuntimeBackend, PreparesArtifacts
from vitprof.backends.onnxruntime.backend import OnnxRuntimeExecutable
from vitprof.backends.onnxruntime.prepared import is_prepared, prepared_model
from vitprof.models import (
    Spec,
    create_model,
    create_spec,
)

BACKEND = OnnxRuntimeBackend()
# Small models of the families; of an EfficientViT of few nodes a large share may move.
EVERY_FAMILY = {
    "vit": create_spec("vit-micro-8"),
    "bert": create_spec("bert-tiny"),
    "vgg": create_spec("vgg11-bn-cifar"),
    "swin": small_swin(),
    "efficientvit": create_spec("efficientvit-m0"),
    "autovit": small_autovit(),
}
DISABLED = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL


def built(spec: Spec, options: BackendOptions) -> bytes:
    torch.manual_seed(0)
    return BACKEND.build(create_model(spec).eval(), (1, *spec.blocks()[0].input_shape), options)


@pytest.fixture
def artifact(attention_module: torch.nn.Module) -> bytes:
    return BACKEND.build(attention_module, (1, 17, 32), BackendOptions())


def outputs_of(model: bytes, options: BackendOptions) -> list[np.ndarray]:
    with BACKEND.load(model, options) as executable:
        executable.run()
        return executable.outputs()


def profiled(model: bytes, options: BackendOptions, folder: Path, runs: int) -> list[Any]:
    """Return the events of ONNX Runtime's profile of a session that is run so often."""
    with OnnxRuntimeExecutable(model, options, profile_to=str(folder / "profile")) as executable:
        for _ in range(runs):
            executable.run()
        return json.loads(Path(executable.end_profiling()).read_text())


def runs_in(events: list[Any]) -> int:
    return sum(event["name"] == "model_run" for event in events)


def executed(model: bytes, options: BackendOptions, folder: Path) -> list[tuple[str, ...]]:
    """Return the nodes of the last run in their order: operator, provider, shapes, weights."""
    told = ("op_name", "provider", "input_type_shape", "output_type_shape", "parameter_size")
    events = profiled(model, options, folder, runs=1)
    nodes = [
        tuple(str(event["args"][key]) for key in told)
        for event in events
        if event["cat"] == "Node" and event["name"].endswith("_kernel_time")
    ]
    return nodes[-(len(nodes) // runs_in(events)) :]


def check_same(model: bytes, options: BackendOptions, folder: Path) -> None:
    prepared = BACKEND.prepare(model, options)
    assert is_prepared(prepared)
    for one, other in zip(outputs_of(model, options), outputs_of(prepared, options), strict=True):
        assert one.dtype == other.dtype
        assert one.tobytes() == other.tobytes()
    nodes = executed(model, options, folder)
    again = executed(prepared, options, folder)
    assert nodes
    assert sorted(again) == sorted(nodes)
    # A conversion out of the blocked layout may run some nodes earlier: its place is not written.
    moved = [one[0] for one, other in zip(nodes, again, strict=True) if one != other]
    assert not moved or "ReorderOutput" in moved
    assert len(moved) <= 0.02 * len(nodes)


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY_FAMILY)
@pytest.mark.parametrize("dtype", ["fp32", "int8"])
@pytest.mark.few("fp32-efficientvit", "int8-autovit", "int8-swin", "int8-bert", "fp32-vit")
def test_every_family_runs_the_same_kernels(name: str, dtype: str, tmp_path: Path) -> None:
    options = BackendOptions(dtype=dtype)
    check_same(built(EVERY_FAMILY[name], options), options, tmp_path)


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "int8", "int8-static"])
def test_every_dtype_runs_the_same_kernels(dtype: str, tmp_path: Path) -> None:
    options = BackendOptions(dtype=dtype)
    check_same(built(EVERY_FAMILY["vit"], options), options, tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        BackendOptions(optimization="basic"),
        BackendOptions(optimization="extended"),
        BackendOptions(threads=2),
    ],
)
def test_every_level_runs_the_same_kernels(
    artifact: bytes, options: BackendOptions, tmp_path: Path
) -> None:
    check_same(artifact, options, tmp_path)


def test_a_prepared_model_is_not_optimised_again(artifact: bytes) -> None:
    options = BackendOptions()
    with BACKEND.load(BACKEND.prepare(artifact, options), options) as executable:
        assert executable.session_options.graph_optimization_level == DISABLED
    with BACKEND.load(artifact, options) as executable:
        assert executable.session_options.graph_optimization_level != DISABLED


def test_only_a_model_that_is_not_prepared_is_run_while_it_is_loaded(
    artifact: bytes, tmp_path: Path
) -> None:
    options = BackendOptions()
    prepared = BACKEND.prepare(artifact, options)
    found = [runs_in(profiled(one, options, tmp_path, runs=0)) for one in (artifact, prepared)]
    assert found == [1, 0]


def places_not_zero() -> bytes:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["z"]), helper.make_node("NonZero", ["z"], ["y"])],
        "unknown",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 4])],
        [helper.make_tensor_value_info("y", TensorProto.INT64, [2, "found"])],
    )
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


def test_an_output_shape_the_model_does_not_tell_is_found() -> None:
    prepared = BACKEND.prepare(places_not_zero(), BackendOptions())
    assert is_prepared(prepared)
    with BACKEND.load(prepared, BackendOptions()) as executable:
        executable.run()
        assert executable.outputs()[0].shape == (2, 8)


def test_it_is_fused_already_and_still_an_onnx_model(artifact: bytes) -> None:
    prepared = BACKEND.prepare(artifact, BackendOptions())
    before, after = (onnx.load_model_from_string(one).graph.node for one in (artifact, prepared))
    assert len(after) < len(before)
    assert any(node.domain == "com.microsoft" for node in after)


def test_preparing_twice_changes_nothing(artifact: bytes) -> None:
    assert isinstance(BACKEND, PreparesArtifacts)
    prepared = BACKEND.prepare(artifact, BackendOptions())
    assert BACKEND.prepare(prepared, BackendOptions()) == prepared


def test_without_optimisation_there_is_nothing_to_prepare(artifact: bytes) -> None:
    assert BACKEND.prepare(artifact, BackendOptions(optimization="disabled")) == artifact


def test_other_providers_compile_the_model_themselves(artifact: bytes) -> None:
    assert prepared_model(artifact, BackendOptions(provider="CUDAExecutionProvider")) == artifact


def test_a_model_too_large_to_be_written_stays_as_it_is(artifact: bytes, monkeypatch) -> None:
    monkeypatch.setattr("vitprof.backends.onnxruntime.prepared._LARGEST", len(artifact) - 1)
    assert BACKEND.prepare(artifact, BackendOptions()) == artifact


def test_where_nothing_can_be_written_the_model_stays_as_it_is(
    artifact: bytes, monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    assert BACKEND.prepare(artifact, BackendOptions()) == artifact


def test_a_model_that_cannot_be_loaded_stays_as_it_is_and_loading_says_why() -> None:
    graph = helper.make_graph(
        [helper.make_node("NoSuchOperator", ["x"], ["y"])],
        "unknown",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()
    assert BACKEND.prepare(model, BackendOptions()) == model
    with pytest.raises(BackendError, match="NoSuchOperator"):
        BACKEND.load(model, BackendOptions())


def test_preparing_leaves_no_files_and_says_nothing(
    artifact: bytes, monkeypatch, tmp_path: Path, capfd
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    outputs_of(BACKEND.prepare(artifact, BackendOptions()), BackendOptions())
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def with_weights_elsewhere(model: bytes) -> bytes:
    parsed = onnx.load_model_from_string(model)
    tensor = parsed.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secrets.bin")
    return parsed.SerializeToString()


def test_weights_in_other_files_are_refused(artifact: bytes) -> None:
    with pytest.raises(BackendError, match=r"'secrets\.bin'"):
        BACKEND.prepare(with_weights_elsewhere(artifact), BackendOptions())


def test_what_another_process_prepared_is_checked_like_any_model(artifact: bytes) -> None:
    prepared = BACKEND.prepare(artifact, BackendOptions())
    theirs = prepared[:-1] + bytes([prepared[-1] ^ 1])
    assert not is_prepared(theirs)
    with pytest.raises(BackendError, match=r"'secrets\.bin'"):
        BACKEND.load(with_weights_elsewhere(theirs), BackendOptions())


def test_a_bundle_holds_no_prepared_model(artifact: bytes) -> None:
    with pytest.raises(BackendError, match=r"com\.microsoft"):
        BACKEND.check_artifact(BACKEND.prepare(artifact, BackendOptions()))
