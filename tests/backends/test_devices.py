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
from vitprof.backends.devices import built_in_devices, use_device_files, user_device_file

PROMISED = (
    "cpu t4 v100 a100 h100 rtx2080 rtx3080 rtx3090 rtx4090 iphone11 iphone13 iphone15 jetson-orin"
)
APPLES = {"mac", "iphone11", "iphone13", "iphone15"}
ANDROIDS = {"android", "pixel8", "galaxy-s24"}
WITHOUT_SPARSE_TENSOR_CORES = {"cpu", "t4", "v100", "rtx2080", *APPLES, *ANDROIDS}


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
    with pytest.raises(UserError, match="known: a100, android, cpu"):
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


MINE = """
[my-board]
title = "My board"
backend = "onnxruntime"
machine = 'My board .*'
dtypes = ["fp32"]
sparsity = ["dense"]
multiples_of = { fp32 = 16 }
"""


@pytest.fixture
def own_file(tmp_path, monkeypatch):
    """The user's own device file, not there yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "vitprof").mkdir()
    yield tmp_path / "vitprof" / "devices.toml"
    use_device_files()


def test_the_users_own_devices_are_known(own_file) -> None:
    with pytest.raises(UserError, match="'my-board' is not known"):
        find_device("my-board")
    own_file.write_text(MINE)
    device = find_device("my-board")
    assert device_names() == [*built_in_devices(), "my-board"]
    assert device.backends[:2] == ("onnxruntime", "torch")
    assert "not the My board" in (device.why_not_here() or "")


def test_files_given_are_read_too(own_file, tmp_path) -> None:
    own_file.write_text(MINE)
    other = tmp_path / "other.toml"
    other.write_text(MINE.replace("my-board", "other-board"))
    use_device_files([other])
    assert device_names()[-2:] == ["my-board", "other-board"]
    use_device_files()
    assert device_names()[-1] == "my-board"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (MINE.replace("my-board", "cpu"), "there is a device 'cpu' already"),
        (MINE, "there is a device 'my-board' already"),
        ("[x", "is not valid TOML"),
        (b"\xff", "not UTF-8"),
        (MINE.replace('"onnxruntime"', '"nothing"').replace("my-b", "b"), "'nothing' is not known"),
        (None, "does not exist"),
    ],
)
def test_a_wrong_file_is_refused_by_name(own_file, tmp_path, text, words) -> None:
    own_file.write_text(MINE)
    other = tmp_path / "other.toml"
    if text is not None:
        other.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=rf"other\.toml.*{words}"):
        use_device_files([other])
    assert device_names()[-1] == "my-board"  # as before


def test_a_relative_settings_folder_is_ignored(monkeypatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/ada")
    assert str(user_device_file()) == "/home/ada/.config/vitprof/devices.toml"


WHEEL = """
from vitprof.backends.devices import DeviceEntry
BOARD = DeviceEntry("pi", {
    "title": "A Pi", "backend": "onnxruntime", "machine": "Raspberry Pi .*", "dtypes": ["fp32"],
    "sparsity": ["dense"], "multiples_of": {"fp32": 16},
})
"""


def test_another_wheels_device_is_known(own_file, install_wheel) -> None:
    install_wheel("vitprof-pi", {"vitprof.devices": {"pi": "pi_board:BOARD"}}, pi_board=WHEEL)
    assert find_device("pi").title == "A Pi"
    assert device_names() == [*built_in_devices(), "pi"]


def test_a_wrong_one_is_left_out_with_its_reason(own_file, install_wheel, caplog) -> None:
    text = WHEEL.replace('"fp32"]', '"fp8"]')
    install_wheel("vitprof-pi", {"vitprof.devices": {"pi": "pi_board:BOARD"}}, pi_board=text)
    assert device_names() == list(built_in_devices())
    assert "the device 'pi' of the wheel 'vitprof-pi' is left out" in caplog.text
    assert "dtypes has 'fp8'" in caplog.text
