import re

import pytest
from vitprof import UserError
from vitprof.backends import (
    DTYPES,
    OnnxRuntimeBackend,
    create_backend,
    create_builder,
    device,
    device_names,
    devices,
    find_device,
)

PROMISED = (
    "cpu t4 v100 a100 h100 rtx2080 rtx3080 rtx3090 rtx4090 iphone11 iphone13 iphone15 jetson-orin"
)
APPLES = {"mac", "iphone11", "iphone13", "iphone15"}
WITHOUT_SPARSE_TENSOR_CORES = {"cpu", "t4", "v100", "rtx2080", *APPLES}


def test_the_promised_devices_are_there() -> None:
    assert set(PROMISED.split()) <= set(device_names())
    assert device_names() == list(devices())


@pytest.mark.parametrize("name", device_names())
def test_every_device_is_complete(name: str) -> None:
    device = find_device(name)
    assert device.name == name
    assert device.title
    assert device.default_dtype == device.dtypes[0]
    assert set(device.dtypes) <= set(DTYPES)
    assert device.sparsity[0] == "dense"
    assert set(device.multiples_of) == {*device.dtypes, *device.sparsity[1:]}
    if device.backend in ("cuda", "tensorrt"):
        assert device.machine or (device.gpu_name and device.compute_capability)
    if device.backend == "coreml":
        assert re.fullmatch(r"iPhone\d+,\d+|.*Mac.*", device.machine or "")


def test_only_ampere_and_newer_have_sparse_tensor_cores() -> None:
    without = {device.name for device in devices().values() if "2:4" not in device.sparsity}
    assert without == WITHOUT_SPARSE_TENSOR_CORES


def test_turing_is_measured_in_fp16_only_by_tensorrt() -> None:
    turing = [device for device in devices().values() if device.compute_capability == "7.5"]
    assert {device.name for device in turing} == {"t4", "rtx2080"}
    assert all(device.dtypes == ("fp16",) for device in turing)


def test_no_two_devices_are_identified_alike() -> None:
    identities = [
        (device.gpu_name, device.compute_capability, device.machine)
        for device in devices().values()
    ]
    assert len(set(identities)) == len(identities)


def test_the_registry_cannot_be_changed_by_a_caller() -> None:
    with pytest.raises(TypeError):
        devices()["toaster"] = find_device("cpu")  # type: ignore[index]
    with pytest.raises(TypeError):
        find_device("cpu").multiples_of["fp32"] = 3  # type: ignore[index]


def test_an_unknown_device_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"'rtx309' is not known.*did you mean 'rtx3090'"):
        find_device("rtx309")
    with pytest.raises(UserError, match="known: a100, cpu"):
        find_device("zzzzzzzz")


def test_the_cpus_backend_is_onnx_runtime() -> None:
    assert isinstance(create_backend(find_device("cpu")), OnnxRuntimeBackend)


def test_a_device_that_is_not_here_is_refused_with_its_reason(monkeypatch) -> None:
    monkeypatch.setattr(device.platform, "system", lambda: "Linux")
    with pytest.raises(UserError, match=r"'iphone11' cannot be measured here: .*vitprof build"):
        create_backend(find_device("iphone11"))


def test_what_is_built_for_need_not_be_here() -> None:
    assert create_builder(find_device("cpu")).name == "onnxruntime"
    assert create_builder(find_device("t4")).name == "tensorrt"
    assert create_builder(find_device("t4"), "cuda").name == "cuda"
    assert create_builder(find_device("iphone13")).name == "coreml"


def test_where_nothing_can_be_built_the_reason_is_told(monkeypatch) -> None:
    monkeypatch.setattr(OnnxRuntimeBackend, "unbuildable", lambda self: "no exporter.")
    with pytest.raises(UserError, match=r"'cpu' cannot be built for here: no exporter\."):
        create_builder(find_device("cpu"))
