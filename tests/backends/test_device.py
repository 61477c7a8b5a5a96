from pathlib import Path

import pytest
from vitprof import UserError
from vitprof.backends import Device, device, devices, find_device
from vitprof.backends.nvidia_gpus import NvidiaGpu
from vitprof.backends.onnxruntime_backend import OnnxRuntimeBackend

# Names as nvidia-smi reports them, and the one device each is.
GPUS = [
    (NvidiaGpu("Tesla T4", "7.5"), "t4"),
    (NvidiaGpu("Tesla V100-SXM2-16GB", "7.0"), "v100"),
    (NvidiaGpu("Tesla V100-PCIE-32GB", None), "v100"),
    (NvidiaGpu("Tesla V100S-PCIE-32GB", "7.0"), None),
    (NvidiaGpu("NVIDIA A100-SXM4-40GB", "8.0"), "a100"),
    (NvidiaGpu("NVIDIA A100 80GB PCIe", "8.0"), "a100"),
    (NvidiaGpu("NVIDIA A100-SXM4-40GB MIG 1g.5gb", "8.0"), None),
    (NvidiaGpu("NVIDIA A10", "8.6"), None),
    (NvidiaGpu("NVIDIA H100 80GB HBM3", "9.0"), "h100"),
    (NvidiaGpu("NVIDIA H200", "9.0"), None),
    (NvidiaGpu("NVIDIA GeForce RTX 2080", "7.5"), "rtx2080"),
    (NvidiaGpu("NVIDIA GeForce RTX 2080 Ti", "7.5"), None),
    (NvidiaGpu("NVIDIA GeForce RTX 3080", "8.6"), "rtx3080"),
    (NvidiaGpu("NVIDIA GeForce RTX 3080 Laptop GPU", "8.6"), None),
    (NvidiaGpu("NVIDIA GeForce RTX 3090", "8.6"), "rtx3090"),
    (NvidiaGpu("NVIDIA GeForce RTX 4090", "8.9"), "rtx4090"),
    (NvidiaGpu("NVIDIA GeForce RTX 4090 D", "8.9"), None),
    (NvidiaGpu("Tesla T4", "8.0"), None),
]


@pytest.mark.parametrize(("gpu", "name"), GPUS)
def test_a_gpu_is_exactly_the_device_it_says_it_is(gpu, name) -> None:
    assert [each.name for each in devices().values() if each.is_gpu(gpu)] == [name] * bool(name)


def test_the_cpu_can_be_measured_here() -> None:
    assert find_device("cpu").why_not_here() is None


def test_the_cpu_cannot_be_measured_without_its_runtime(monkeypatch) -> None:
    monkeypatch.setattr(OnnxRuntimeBackend, "unavailable", lambda self: "no runtime here.")
    assert find_device("cpu").why_not_here() == "no runtime here."


@pytest.mark.parametrize(
    ("gpus", "words"),
    [
        (None, "no NVIDIA driver answers"),
        ([], "GPU is none and not the NVIDIA Tesla T4"),
        ([NvidiaGpu("NVIDIA L4", "8.9")], "GPU is 'NVIDIA L4' and not the NVIDIA Tesla T4"),
        ([NvidiaGpu("Tesla T4", "7.5")], "this machine has the NVIDIA Tesla T4"),
    ],
)
def test_a_gpu_device_says_what_this_machine_has(monkeypatch, gpus, words) -> None:
    monkeypatch.setattr(device, "nvidia_gpus", lambda: gpus)
    reason = find_device("t4").why_not_here()
    assert reason is not None
    assert words in reason
    assert "ONNX Runtime only and has no TensorRT adapter" in reason
    assert "measured on this device elsewhere" in reason


def test_an_iphone_needs_a_mac(monkeypatch) -> None:
    monkeypatch.setattr(device.platform, "system", lambda: "Linux")
    assert "Apple's systems only" in (find_device("iphone13").why_not_here() or "")
    monkeypatch.setattr(device.platform, "system", lambda: "Darwin")
    reason = find_device("iphone13").why_not_here() or ""
    assert "iPhone 13 has to be connected to this Mac" in reason
    assert "no Core ML adapter" in reason


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (None, "computer and not the NVIDIA Jetson AGX Orin"),
        ("NVIDIA Jetson AGX Orin Developer Kit\0", "is the NVIDIA Jetson AGX Orin"),
        ("Raspberry Pi 5\0", "is 'Raspberry Pi 5' and not the"),
        ("NVIDIA Jetson Orin Nano Developer Kit\0", "Orin Nano Developer Kit' and not the"),
    ],
)
def test_a_jetson_is_told_by_its_board(monkeypatch, tmp_path: Path, model, words) -> None:
    board = tmp_path / "model"
    if model is not None:
        board.write_text(model)
    monkeypatch.setattr(device, "_BOARD_MODEL", board)
    assert words in (find_device("jetson-orin").why_not_here() or "")


def test_a_dtype_the_device_lacks_is_refused_with_those_it_has() -> None:
    a100: Device = find_device("a100")
    for dtype in a100.dtypes:
        a100.check_dtype(dtype)
    with pytest.raises(UserError, match=r"'t4'.*'fp32'; its dtypes are fp16\."):
        find_device("t4").check_dtype("fp32")


def test_devices_are_hashable() -> None:
    assert len({find_device("cpu"), find_device("cpu"), find_device("t4")}) == 2
