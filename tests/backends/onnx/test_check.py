"""Which ONNX models from elsewhere are refused: those that reach out of themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from vitprof.backends import (
    BackendError,
    BackendOptions,
    ChecksArtifacts,
    OnnxRuntimeBackend,
    onnx_from_module,
)
from vitprof.backends.onnx.check import check_self_contained
from vitprof.backends.onnxruntime import backend as onnxruntime_backend


def tensor(name: str = "w", location: str | None = None) -> TensorProto:
    made = helper.make_tensor(name, TensorProto.FLOAT, [1], [2.0])
    if location is not None:
        made.ClearField("float_data")
        made.data_location = TensorProto.EXTERNAL
        made.external_data.add(key="location", value=location)
    return made


def value(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])


def model(*nodes: Any, initializers: tuple[TensorProto, ...] = (), **others: Any) -> bytes:
    graph = helper.make_graph(
        list(nodes), "graph", [value("x")], [value("y")], list(initializers), **others
    )
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("com.evil", 1)]
    made = helper.make_model(graph, opset_imports=imports, ir_version=8)
    return made.SerializeToString()


def in_a_branch(*nodes: Any) -> Any:
    """Return a node whose subgraph has these nodes."""
    branch = helper.make_graph(list(nodes), "branch", [], [value("y")])
    return helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)


def with_function(*nodes: Any, domain: str = "") -> bytes:
    """Return a model that has a function of these nodes."""
    made = onnx.load_model_from_string(model(helper.make_node("Relu", ["x"], ["y"])))
    imports = [helper.make_opsetid("", 17)]
    made.functions.append(helper.make_function(domain, "F", ["x"], ["y"], list(nodes), imports))
    return made.SerializeToString()


CONSTANT = helper.make_node("Constant", [], ["y"], value=tensor(location="/etc/shadow"))
FOREIGN = helper.make_node("Anything", ["x"], ["y"], domain="com.evil")
RELU = helper.make_node("Relu", ["x"], ["y"])


def test_whatever_is_exported_here_passes(
    module_and_shape: tuple[Any, tuple[int, ...]],
) -> None:
    for dtype in ("fp32", "fp16"):
        check_self_contained(onnx_from_module(*module_and_shape, dtype))


def test_plain_models_pass() -> None:
    check_self_contained(model(RELU))
    check_self_contained(model(in_a_branch(RELU), initializers=(tensor("c"),)))
    check_self_contained(model(helper.make_node("Relu", ["x"], ["y"], domain="ai.onnx")))


@pytest.mark.parametrize(
    "data",
    [
        model(RELU, initializers=(tensor(location="/etc/shadow"),)),
        model(RELU, initializers=(tensor("a"), tensor("b", "/etc/shadow"))),
        model(CONSTANT),
        model(in_a_branch(CONSTANT)),
        model(in_a_branch(in_a_branch(CONSTANT))),
        with_function(CONSTANT),
        model(
            RELU,
            sparse_initializer=[
                helper.make_sparse_tensor(
                    tensor("v", "/etc/shadow"),
                    helper.make_tensor("i", TensorProto.INT64, [1], [0]),
                    [1],
                )
            ],
        ),
    ],
    ids=["weight", "second", "constant", "branch", "nested", "function", "sparse"],
)
def test_a_tensor_of_another_file_is_refused_wherever_it_is(data: bytes) -> None:
    with pytest.raises(BackendError, match=r"another file, '/etc/shadow'"):
        check_self_contained(data)


def test_either_sign_of_another_file_is_enough() -> None:
    only_said = tensor()
    only_said.data_location = TensorProto.EXTERNAL
    only_named = tensor()
    only_named.external_data.add(key="offset", value="0")
    for one in (only_said, only_named):
        with pytest.raises(BackendError, match="another file"):
            check_self_contained(model(RELU, initializers=(one,)))


@pytest.mark.parametrize(
    "data",
    [
        model(FOREIGN),
        model(RELU, FOREIGN),
        model(in_a_branch(FOREIGN)),
        with_function(FOREIGN),
        with_function(RELU, domain="com.evil"),
    ],
    ids=["node", "second", "branch", "function", "named"],
)
def test_an_operator_that_is_not_onnxs_is_refused_wherever_it_is(data: bytes) -> None:
    with pytest.raises(BackendError, match=r"of the domain 'com.evil'"):
        check_self_contained(data)


@pytest.mark.parametrize("kind", ["Loop", "Scan", "SequenceMap"])
def test_a_loop_is_refused_wherever_it_is(kind: str) -> None:
    """One of 2^60 turns would never end."""
    body = helper.make_graph([RELU], "body", [value("x")], [value("y")])
    loop = helper.make_node(kind, ["x"], ["y"], body=body)
    for data in (model(loop), model(in_a_branch(loop)), with_function(loop)):
        with pytest.raises(BackendError, match=f"'{kind}' runs a part of the graph in a loop"):
            check_self_contained(data)


def test_onnx_runtimes_own_operators_are_refused_too() -> None:
    """EPContext names a file that the runtime opens."""
    node = helper.make_node(
        "EPContext", ["x"], ["y"], domain="com.microsoft", ep_cache_context="/etc/shadow"
    )
    with pytest.raises(BackendError, match=r"'EPContext' is of the domain 'com.microsoft'"):
        check_self_contained(model(node))


@pytest.mark.parametrize("data", [b"\xff" * 9, b"not a model" * 9, model(RELU)[:-9]])
def test_what_is_no_model_is_refused(data: bytes) -> None:
    with pytest.raises(BackendError, match="reading the ONNX model failed"):
        check_self_contained(data)


def test_the_backend_offers_the_check() -> None:
    backend = OnnxRuntimeBackend()
    assert isinstance(backend, ChecksArtifacts)
    backend.check_artifact(model(RELU))
    with pytest.raises(BackendError, match=r"com\.evil"):
        backend.check_artifact(model(FOREIGN))


def test_the_runtime_would_open_the_file_and_loading_refuses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weight").write_bytes(64 * b"\0\0\0\x40")
    weight = tensor(location="weight")
    weight.dims[0] = 64
    add = helper.make_node("Add", ["x", "w"], ["y"])
    data = model(add, initializers=(weight,))
    monkeypatch.chdir(tmp_path)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    (read,) = session.run(None, {"x": np.zeros(1, np.float32)})
    assert set(read) == {2.0}, "what the file holds"
    with pytest.raises(BackendError, match=r"another file, 'weight'"):
        OnnxRuntimeBackend().load(data, BackendOptions())


def test_the_runtimes_other_format_is_not_loaded(tmp_path: Path) -> None:
    """A file may be both: then the check would look at one and the runtime load the other."""
    options = onnxruntime.SessionOptions()
    path = tmp_path / "model.ort"
    options.optimized_model_filepath = str(path)
    options.add_session_config_entry("session.save_model_format", "ORT")
    providers = ["CPUExecutionProvider"]
    onnxruntime.InferenceSession(model(RELU), options, providers=providers)
    onnxruntime.InferenceSession(path.read_bytes(), providers=providers)
    with pytest.raises(BackendError), pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnxruntime_backend, "check_no_other_files", lambda _: None)
        OnnxRuntimeBackend().load(path.read_bytes(), BackendOptions())
