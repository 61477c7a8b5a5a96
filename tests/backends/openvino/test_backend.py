"""OpenVINO as a backend, with the real runtime."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import onnx
import pytest
import torch
from vitprof import UserError
from vitprof.backends import (
    Backend,
    BackendError,
    BackendOptions,
    TellsPrecision,
    create_backend,
    find_device,
    onnx_from_module,
)
from vitprof.backends.openvino.backend import OPENVINO_DTYPES, OpenVinoBackend
from vitprof.backends.openvino.session import OpenVinoExecutable
from vitprof.backends.random_input import input_dtype, seeded_input
from vitprof.backends.registry import backend_kind
from vitprof.models import Block, create_block, create_model, create_spec
from vitprof.profiler.conformance.backend import check_backend

pytestmark = pytest.mark.slow

SHAPE = (2, 1, 8, 8)
# What a dtype may differ by from fp32, as a share of the largest value.
TOLERANCE = {"fp32": 1e-5, "bf16": 0.05, "fp16": 0.01, "int8-static": 0.1}
FAMILIES = {
    "vit": "deit-tiny",
    "swin": "swin-tiny",
    "efficientvit": "efficientvit-m0",
    "autovit": "autovit-xxs",
    "bert": "bert-tiny",
    "vgg": "vgg11-bn-cifar",
}
BACKEND = OpenVinoBackend()


def options(**given: object) -> BackendOptions:
    return BackendOptions(**({"provider": "CPU"} | given))  # type: ignore[arg-type]


def able_to(dtype: str) -> BackendOptions:
    """Return options of a dtype; skips where this machine's CPU does not compute in it."""
    chosen = options(dtype=dtype)
    try:
        BACKEND.check(chosen)
    except UserError as error:
        pytest.skip(str(error))
    return chosen


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    torch.manual_seed(0)
    return create_model("vit-micro-8").eval()


@pytest.fixture(scope="module")
def artifact(model: torch.nn.Module) -> bytes:
    return BACKEND.build(model, SHAPE, options())


@pytest.fixture
def executable(artifact: bytes) -> Iterator[OpenVinoExecutable]:
    with BACKEND.load(artifact, options()) as opened:
        yield opened


def exact_output(module: torch.nn.Module, shape: tuple[int, ...]) -> np.ndarray:
    values = torch.from_numpy(seeded_input(shape, input_dtype(module, "fp32")))
    with torch.inference_mode():
        return module(values).numpy()


def error_of(output: np.ndarray, exact: np.ndarray) -> float:
    assert output.shape == exact.shape
    return float(np.abs(output - exact).max() / np.abs(exact).max())


def test_it_is_a_backend_of_the_cpu() -> None:
    backend = create_backend(find_device("cpu"), "openvino")
    assert isinstance(backend, OpenVinoBackend)
    assert isinstance(backend, Backend)
    assert backend.unavailable() is backend.unbuildable() is backend.trouble() is None
    assert find_device("cpu").dtypes_by("openvino")[0] == "fp32"


def test_it_keeps_every_promise_of_a_backend() -> None:
    checked = list(check_backend(backend_kind("openvino")))
    assert [one for one in checked if one.answer != "ok"] == []


@pytest.mark.parametrize("dtype", OPENVINO_DTYPES)
def test_its_output_is_the_modules_in_every_dtype(dtype: str, model: torch.nn.Module) -> None:
    chosen = able_to(dtype)
    exact = exact_output(model, SHAPE)
    with BACKEND.load(BACKEND.build(model, SHAPE, chosen), chosen) as executable:
        executable.run()
        (output,) = executable.outputs()
        assert executable.effective_dtype() == dtype
        assert isinstance(executable, TellsPrecision)
    assert output.dtype == np.float32
    assert error_of(output, exact) <= TOLERANCE[dtype]
    assert dtype == "fp32" or error_of(output, exact) > TOLERANCE["fp32"]


def _blocks() -> list[Block]:
    """Return one block of every op of every family."""
    found: dict[tuple[str, str], Block] = {}
    for family, name in FAMILIES.items():
        for block in create_spec(name).blocks():
            found.setdefault((family, block.op), block)
    return list(found.values())


@pytest.mark.parametrize("block", _blocks(), ids=str)
def test_every_op_of_every_family_computes_what_its_module_does(block: Block) -> None:
    torch.manual_seed(0)
    module, shape = create_block(block).eval(), (1, *block.input_shape)
    with BACKEND.load(BACKEND.build(module, shape, options()), options()) as executable:
        executable.run()
        (output,) = executable.outputs()
    assert error_of(output, exact_output(module, shape)) <= TOLERANCE["fp32"]


@pytest.mark.parametrize("name", FAMILIES.values())
@pytest.mark.few("efficientvit-m0", "vgg*", "bert*", "deit-tiny")
def test_a_whole_model_of_every_family_does_too(name: str) -> None:
    torch.manual_seed(0)
    module = create_model(name).eval()
    shape = (1, *create_spec(name).blocks()[0].input_shape)
    with BACKEND.load(BACKEND.build(module, shape, options()), options()) as executable:
        executable.run()
        (output,) = executable.outputs()
    assert error_of(output, exact_output(module, shape)) <= 1e-4


def test_an_onnx_model_of_several_inputs_is_built_and_run() -> None:
    graph = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]>'
        "two (float[2,3] a, float[2,3] b) => (float[2,3] c) { c = Add(a, b) }"
    )
    built = BACKEND.build_from_onnx(graph.SerializeToString(), options())
    with BACKEND.load(built, options()) as executable:
        executable.run()
        np.testing.assert_array_equal(executable.outputs()[0], 2 * seeded_input((2, 3)))


def test_the_operator_that_it_does_not_convert_is_named() -> None:
    graph = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17, "elsewhere" : 1]>'
        "one (float[2] a) => (float[2] c) { c = elsewhere.Wobble(a) }"
    )
    with pytest.raises(BackendError, match=r"to OpenVINO failed: .*Wobble"):
        BACKEND.build_from_onnx(graph.SerializeToString(), options())


def test_weights_in_another_file_are_refused() -> None:
    model = onnx.load_from_string(onnx_from_module(torch.nn.Linear(4, 4), (1, 4)))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    with pytest.raises(BackendError, match="from another file, '/etc/passwd'"):
        BACKEND.build_from_onnx(model.SerializeToString(), options())


def test_half_precision_halves_the_artifact(model: torch.nn.Module) -> None:
    big = torch.nn.Linear(512, 512)
    single = BACKEND.build(big, (1, 512), options())
    half = BACKEND.build(big, (1, 512), options(dtype="fp16"))
    assert len(half) < 0.6 * len(single)


@pytest.mark.parametrize("provider", ["CPU", "AUTO"])
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_its_environment_is_read_back_from_a_compiled_model(provider: str, dtype: str) -> None:
    chosen = options(provider=provider, dtype=dtype, threads=2)
    able_to(dtype)
    found = BACKEND.environment(chosen)
    assert json.loads(json.dumps(found)) == found
    assert found["provider"] == provider
    assert found["effective_dtype"] == dtype
    assert found["threads"] == 2
    assert found["streams"] == 1
    assert found["hint"] == "LATENCY"
    assert found["executes_on"] == "CPU"
    # A bundle's manifest takes nothing else.
    assert all(isinstance(one, (str, int, float, type(None))) for one in found.values())


def test_a_session_says_the_same_of_itself(executable: OpenVinoExecutable) -> None:
    said = executable.read_back()
    assert said["threads"] == said["streams"] == 1
    assert said["pinning"] is False
    assert executable.effective_dtype() == "fp32"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"provider": "GPU"}, r"no device 'GPU' here; `provider` is CPU or AUTO"),
        ({"provider": "CPUU"}, r"no device 'CPUU' here \(did you mean 'CPU'\?\)"),
        ({"dtype": "int8"}, "measured in fp32, fp16, bf16, int8-static, not in int8"),
        ({"sparsity": "2:4"}, "OpenVINO has no sparsity '2:4'"),
    ],
)
def test_what_it_has_not_is_refused_with_what_it_has(given: dict[str, str], words: str) -> None:
    import openvino

    if given.get("provider") == "GPU" and len(openvino.Core().available_devices) > 1:
        pytest.skip("this machine has more than a CPU")
    with pytest.raises(UserError, match=words):
        BACKEND.check(options(**given))


def test_a_dtype_that_the_cpu_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class OldCpu:
        available_devices = ("CPU",)

        def get_property(self, device: str, name: str) -> list[str]:
            return ["FP32", "INT8"]

    monkeypatch.setattr("vitprof.backends.openvino.backend.new_core", OldCpu)
    with pytest.raises(UserError, match=r"not compute in bf16 on the CPU .* it has fp32, int8-st"):
        BACKEND.check(options(dtype="bf16"))
    BACKEND.check(options(dtype="int8-static"))


def test_without_openvino_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    assert "pip install 'vitprof[openvino]'" in (BACKEND.unavailable() or "")
    with pytest.raises(UserError, match="cannot be imported here"):
        BACKEND.check(options())


def test_closed_it_holds_nothing(artifact: bytes) -> None:
    executable = BACKEND.load(artifact, options())
    executable.close()
    executable.close()
    for use in (executable.run, executable.outputs, executable.graph, executable.effective_dtype):
        with pytest.raises(BackendError, match="is closed"):
            use()
