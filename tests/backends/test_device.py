from pathlib import Path

import pytest
from vitprof import UserError
from vitprof.backends import Device, device, devices, find_device
from vitprof.backends.cuda.backend import CudaBackend
from vitprof.backends.machine.nvidia_gpus import NvidiaGpu
from vitprof.backends.onnxruntime.backend import OnnxRuntimeBackend
from vitprof.backends.tensorrt.backend import TensorRtBackend

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
    (NvidiaGpu("NVIDIA H200", "9.0"), "h200"),
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
        (None, ["no NVIDIA driver answers", "NVIDIA Tesla T4 is needed"]),
        ([], ["GPU is none and not the NVIDIA Tesla T4"]),
        (
            [NvidiaGpu("NVIDIA A100-SXM4-40GB", "8.0")],
            ["GPU is 'NVIDIA A100-SXM4-40GB' and not the NVIDIA Tesla T4"],
        ),
        (
            [NvidiaGpu("NVIDIA L4", "8.9"), NvidiaGpu("Tesla T4", "7.5")],
            [
                "'NVIDIA L4', 'Tesla T4'",
                "the first, which would be measured",
                "CUDA_VISIBLE_DEVICES",
            ],
        ),
    ],
)
def test_a_gpu_device_says_what_this_machine_has_instead(monkeypatch, gpus, words) -> None:
    monkeypatch.setattr(device, "nvidia_gpus", lambda: gpus)
    reason = find_device("t4").why_not_here() or ""
    for word in words:
        assert word in reason
    assert "vitprof build --device t4" in reason
    by_pytorch = find_device("t4").why_not_here("cuda") or ""
    assert "run vitprof measure on the machine that has it" in by_pytorch


def test_on_the_device_itself_the_runtime_decides(monkeypatch) -> None:
    monkeypatch.setattr(device, "nvidia_gpus", lambda: [NvidiaGpu("Tesla T4", "7.5")])
    monkeypatch.setattr(CudaBackend, "unavailable", lambda self: None)
    assert find_device("t4").why_not_here("cuda") is None
    monkeypatch.setattr(CudaBackend, "unavailable", lambda self: "no torch here.")
    assert find_device("t4").why_not_here("cuda") == "no torch here."


def test_engines_for_a_t4_are_built_without_one(monkeypatch) -> None:
    monkeypatch.setattr(device, "nvidia_gpus", lambda: None)
    assert find_device("t4").why_no_build_here() is None
    assert find_device("iphone13").why_no_build_here() is None


def test_gpus_are_measured_by_pytorch_too() -> None:
    assert find_device("t4").backends == ("tensorrt", "cuda")
    assert find_device("h100").backends == ("cuda",)
    assert find_device("cpu").backends[:2] == ("onnxruntime", "torch")
    assert find_device("t4").dtypes_by("tensorrt") == ("fp16",)
    assert find_device("t4").dtypes_by("cuda") == ("fp16", "fp32")
    assert "bf16" in find_device("a100").dtypes_by("cuda")
    assert find_device("t4").runtime("cuda").name == "cuda"
    assert find_device("t4").runtime().name == "tensorrt"


def test_an_iphone_needs_a_mac(monkeypatch) -> None:
    monkeypatch.setattr(device.platform, "system", lambda: "Linux")
    reason = find_device("iphone13").why_not_here() or ""
    assert "Apple's systems only" in reason
    assert "vitprof build --device iphone13" in reason


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (None, "computer and not the NVIDIA Jetson AGX Orin"),
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


def test_on_the_board_itself_the_runtime_decides(monkeypatch, tmp_path: Path) -> None:
    board = tmp_path / "model"
    board.write_text("NVIDIA Jetson AGX Orin Developer Kit\0")
    monkeypatch.setattr(device, "_BOARD_MODEL", board)
    monkeypatch.setattr(TensorRtBackend, "unavailable", lambda self: "no TensorRT here.")
    assert find_device("jetson-orin").why_not_here() == "no TensorRT here."


def test_what_the_device_lacks_is_refused_with_what_it_has() -> None:
    a100: Device = find_device("a100")
    for dtype in a100.dtypes:
        a100.check("tensorrt", dtype)
    with pytest.raises(UserError, match=r"'t4'.*'fp32'; its dtypes are fp16\."):
        find_device("t4").check("tensorrt", "fp32")
    find_device("t4").check("cuda", "fp32")
    with pytest.raises(UserError, match=r"'t4'.*'bf16'; its dtypes are fp16, fp32\."):
        find_device("t4").check("cuda", "bf16")
    with pytest.raises(UserError, match=r"'coreml'.*its backend is tensorrt or cuda"):
        find_device("t4").check("coreml", "fp16")


def test_devices_are_hashable() -> None:
    assert len({find_device("cpu"), find_device("cpu"), find_device("t4")}) == 2


@pytest.mark.parametrize(("name", "hint"), [("t4", "b.zip --trust)"), ("iphone13", "b.zip)")])
def test_what_a_bundle_needs_to_be_measured_is_said(
    name: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Device, "why_no_build_here", lambda self, backend=None: None)
    monkeypatch.setattr(Device, "_why_elsewhere", lambda self: "it is not here")
    assert f"vitprof measure --bundle {hint}" in str(find_device(name).why_not_here())
