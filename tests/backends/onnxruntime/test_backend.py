import json
import os
import sys
from importlib import metadata

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from vitprof import UserError
from vitprof.backends import BackendError, BackendOptions, OnnxRuntimeBackend, seeded_input
from vitprof.backends.protocol import OPTIMIZATIONS, Executable


@pytest.fixture
def backend() -> OnnxRuntimeBackend:
    return OnnxRuntimeBackend()


@pytest.fixture
def artifact(backend, attention_module) -> bytes:
    return backend.build(attention_module, (1, 17, 32), BackendOptions())


def one_node_model(op: str, in_shape, out_shape, elem_type=TensorProto.FLOAT, **attributes):
    """A one-node ONNX model that torch did not write."""
    graph = helper.make_graph(
        [helper.make_node(op, ["x"], ["y"], **attributes)],
        "one_node",
        [helper.make_tensor_value_info("x", elem_type, in_shape)],
        [helper.make_tensor_value_info("y", elem_type, out_shape)],
    )
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


def test_outputs_are_torchs(backend, module_and_shape) -> None:
    module, shape = module_and_shape
    with torch.no_grad():
        wanted = module.eval()(torch.from_numpy(seeded_input(shape))).numpy()
    module.train()
    options = BackendOptions()
    with backend.load(backend.build(module, shape, options), options) as executable:
        executable.run()
        (got,) = executable.outputs()
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)


def test_fp16_outputs_are_torchs_fp32_ones_roughly(backend, module_and_shape) -> None:
    module, shape = module_and_shape
    with torch.no_grad():
        wanted = module.eval()(torch.from_numpy(seeded_input(shape))).numpy()
    options = BackendOptions(dtype="fp16")
    with backend.load(backend.build(module, shape, options), options) as executable:
        executable.run()
        (got,) = executable.outputs()
    assert got.dtype == np.float16
    np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-2)


@pytest.mark.parametrize("optimization", OPTIMIZATIONS)
def test_every_optimization_level_reaches_the_session(backend, artifact, optimization) -> None:
    levels = onnxruntime.GraphOptimizationLevel
    wanted = {
        "disabled": levels.ORT_DISABLE_ALL,
        "basic": levels.ORT_ENABLE_BASIC,
        "extended": levels.ORT_ENABLE_EXTENDED,
        "all": levels.ORT_ENABLE_ALL,
    }
    with backend.load(artifact, BackendOptions(optimization=optimization)) as executable:
        executable.run()
        assert executable.session_options.graph_optimization_level == wanted[optimization]


@pytest.mark.parametrize("threads", [1, 2])
def test_the_session_has_the_threads_asked_for_and_spins_only_to_wait_for_others(
    backend, artifact, threads, monkeypatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    with backend.load(artifact, BackendOptions(threads=threads)) as executable:
        options = executable.session_options
    assert options.intra_op_num_threads == threads
    assert options.inter_op_num_threads == 1
    assert options.execution_mode == onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    spins = options.get_session_config_entry("session.intra_op.allow_spinning")
    assert spins == ("1" if threads > 1 else "0")
    assert options.get_session_config_entry("session.force_spinning_stop") == "1"
    assert options.log_severity_level == 4
    if threads > 1:  # the worker's core, counted from 1; the calling thread has the first
        affinities = options.get_session_config_entry("session.intra_op_thread_affinities")
        assert affinities == "2"


def test_every_load_is_a_fresh_session(backend, artifact) -> None:
    with (
        backend.load(artifact, BackendOptions()) as first,
        backend.load(artifact, BackendOptions()) as second,
    ):
        assert first._session is not second._session
        first.close()
        second.run()
        assert second.outputs()[0].shape == (1, 17, 32)


def test_running_allocates_no_new_outputs(backend, artifact) -> None:
    def addresses() -> list[int]:
        return [value.data_ptr() for value in executable._binding.get_outputs()]

    with backend.load(artifact, BackendOptions()) as executable:
        before = addresses()
        executable.run()
        executable.run()
        assert addresses() == before


def test_outputs_are_copies(backend, artifact) -> None:
    with backend.load(artifact, BackendOptions()) as executable:
        executable.run()
        (first,) = executable.outputs()
        kept = first.copy()
        first += 1
        np.testing.assert_array_equal(executable.outputs()[0], kept)


def test_each_run_writes_the_outputs_again(backend, artifact) -> None:
    with backend.load(artifact, BackendOptions()) as executable:
        (wanted,) = executable.outputs()
        executable._binding.get_outputs()[0].update_inplace(np.zeros_like(wanted))
        assert not executable.outputs()[0].any()
        executable.run()
        np.testing.assert_array_equal(executable.outputs()[0], wanted)


def test_a_closed_executable_says_so(backend, artifact) -> None:
    executable = backend.load(artifact, BackendOptions())
    assert isinstance(executable, Executable)
    with executable:
        executable.run()
    executable.close()
    for use in (executable.run, executable.outputs, lambda: executable.session_options):
        with pytest.raises(BackendError, match="closed"):
            use()


def test_the_session_is_given_back_when_the_body_fails(backend, artifact) -> None:
    executable = backend.load(artifact, BackendOptions())
    with pytest.raises(ZeroDivisionError), executable:
        _ = 1 / 0
    with pytest.raises(BackendError, match="closed"):
        executable.run()


def test_a_provider_this_build_lacks_is_refused_with_those_it_has(backend, artifact) -> None:
    options = BackendOptions(provider="NoSuchExecutionProvider")
    for use in (lambda: backend.load(artifact, options), lambda: backend.environment(options)):
        with pytest.raises(UserError, match=r"NoSuchExecutionProvider.*CPUExecutionProvider"):
            use()


def test_nodes_are_never_timed_on_the_cpu_under_another_providers_name(backend, artifact) -> None:
    others = set(onnxruntime.get_available_providers()) - {"CPUExecutionProvider"}
    if "AzureExecutionProvider" not in others:
        pytest.skip("this build of ONNX Runtime has no provider that takes no nodes")
    with pytest.raises(BackendError, match="fallback to CPU EP"):
        backend.load(artifact, BackendOptions(provider="AzureExecutionProvider"))


@pytest.mark.parametrize(
    "damage", [lambda _: b"", lambda _: b"not a model" * 9, lambda good: good[: len(good) // 2]]
)
def test_a_damaged_artifact_is_a_backend_error_with_the_runtimes_words(
    backend, artifact, damage
) -> None:
    words = r"ONNX Runtime failed: .*ARGUMENT|reading the ONNX model failed: .*pars"
    with pytest.raises(BackendError, match=words):
        backend.load(damage(artifact), BackendOptions())


def test_an_operator_the_runtime_lacks_is_a_backend_error(backend) -> None:
    model = one_node_model("Relu", [1, 4], [1, 4])
    unknown = onnx.load_from_string(model)
    unknown.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(BackendError, match="NoSuchOperator"):
        backend.load(unknown.SerializeToString(), BackendOptions())


def test_a_model_that_fails_while_running_is_a_backend_error(backend) -> None:
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["x", "shape"], ["y"])],
        "impossible",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [helper.make_tensor("shape", TensorProto.INT64, [2], [3, 3])],
    )
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()
    with pytest.raises(BackendError, match=r"^running the model failed: .*Reshape"):
        backend.load(model, BackendOptions(optimization="disabled"))


def test_an_open_input_shape_is_a_backend_error(backend) -> None:
    with pytest.raises(BackendError, match=r"'x'.*open shape \['batch', 4\]"):
        backend.load(one_node_model("Relu", ["batch", 4], ["batch", 4]), BackendOptions())


def test_an_input_that_cannot_be_filled_is_a_backend_error(backend) -> None:
    model = one_node_model("Neg", [1, 4], [1, 4], elem_type=TensorProto.INT8)
    with pytest.raises(BackendError, match=r"tensor\(int8\)"):
        backend.load(model, BackendOptions())


def test_an_output_shape_the_model_does_not_tell_is_found(backend) -> None:
    model = one_node_model("Relu", [2, 4], ["unknown", 4])
    with backend.load(model, BackendOptions()) as executable:
        executable.run()
        np.testing.assert_array_equal(executable.outputs()[0], np.maximum(seeded_input((2, 4)), 0))


def test_the_environment_is_json_and_says_what_matters(backend) -> None:
    options = BackendOptions(threads=2, optimization="basic", dtype="fp16")
    facts = backend.environment(options)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["onnxruntime"] == onnxruntime.__version__
    assert facts["torch"] == torch.__version__
    assert facts["threads"] == 2
    assert facts["spinning"] is True
    assert backend.environment(BackendOptions(threads=1))["spinning"] is False
    assert facts["optimization"] == "basic"
    assert facts["provider"] == "CPUExecutionProvider"


def test_the_environment_needs_no_torch(backend, monkeypatch) -> None:
    version = metadata.version

    def without_torch(name: str) -> str:
        if name == "torch":
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", without_torch)
    assert backend.environment(BackendOptions())["torch"] is None


def test_without_onnx_runtime_it_says_how_to_get_it(backend, monkeypatch) -> None:
    assert backend.unavailable() is None
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert "pip install 'vitprof[measure]'" in (backend.unavailable() or "")
    with pytest.raises(UserError, match=r"vitprof\[measure\]"):
        backend.load(b"", BackendOptions())
