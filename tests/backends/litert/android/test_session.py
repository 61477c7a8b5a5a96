"""Models on a phone, by a stand-in `adb`: files, arguments, times, and a phone that goes away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from vitprof import UserError
from vitprof.backends import BackendError, BackendOptions, DeviceTimed, Executable, find_device
from vitprof.backends.litert import backend as on_this_machine
from vitprof.backends.litert.android import session
from vitprof.backends.litert.android.adb import Phone, connected_phone, phones_in
from vitprof.backends.litert.android.backend import AndroidBackend
from vitprof.backends.protocol import Delegated
from vitprof.backends.random_input import seeded_input

RECORDED = Path(__file__).parents[3] / "data" / "litert"
XNNPACK = (RECORDED / "android_xnnpack.txt").read_text()
GPU = (RECORDED / "android_gpu.txt").read_text()
MODEL = b"\x1c\0\0\0TFL3" + bytes(100)
OPTIONS = BackendOptions(provider="xnnpack", threads=2)


def tensor(name: str, shape: tuple[int, ...], dtype: type = np.float32, scale: float = 0.0) -> Any:
    return {
        "name": name,
        "index": 0,
        "shape": np.array(shape, np.int32),
        "shape_signature": np.array(shape, np.int32),
        "dtype": dtype,
        "quantization": (scale, 0),
    }


@pytest.fixture
def backend(phone, monkeypatch: pytest.MonkeyPatch) -> AndroidBackend:
    """Give what needs no runtime here: the model's inputs and outputs are known."""
    monkeypatch.setattr(on_this_machine.LiteRtBackend, "unavailable", lambda _: None)
    known = ([tensor("serving_default_x:0", (1, 4))], [tensor("y", (1, 2))])
    monkeypatch.setattr(session, "tensors_of_model", lambda _: known)
    phone.says(XNNPACK)
    phone.install()
    return AndroidBackend("Pixel 8")


def test_each_run_is_a_process_of_the_phone(phone, backend) -> None:
    with backend.load(MODEL, OPTIONS) as executable:
        assert isinstance(executable, Executable)
        assert isinstance(executable, DeviceTimed)
        executable.run()
        assert executable.device_ms() == pytest.approx(141.253)
        phone.says(XNNPACK.replace("median=141253", "median=99000"))
        executable.run()
        assert executable.device_ms() == pytest.approx(99.0)
    first, second, third = phone.runs()
    assert first == second == third
    assert first["num_threads"] == "2"
    assert first["use_xnnpack"] == "true"
    assert first["input_layer"] == "serving_default_x:0"
    assert first["input_layer_shape"] == "1,4"
    name, _, path = first["input_layer_value_files"].partition("::0:")
    assert name == "serving_default_x"
    assert Path(path).read_bytes() == seeded_input((1, 4)).tobytes()
    assert Path(first["graph"]).read_bytes() == MODEL


def test_the_share_of_the_phones_delegate_is_told_where_it_tells(phone, backend) -> None:
    with backend.load(MODEL, OPTIONS) as executable:
        assert isinstance(executable, Delegated)
        assert executable.delegated_share() == pytest.approx(539 / 548)
    phone.says(XNNPACK.replace("Replacing", "Taking"))
    with backend.load(MODEL, OPTIONS) as executable:
        assert not isinstance(executable, Delegated)


def test_the_outputs_are_the_phones(phone, backend) -> None:
    (phone.home / "outputs.bin").write_bytes(np.array([1.5, -2.0], np.float32).tobytes())
    with backend.load(MODEL, OPTIONS) as executable:
        (output,) = executable.outputs()
    np.testing.assert_array_equal(output, [[1.5, -2.0]])
    assert not [name for name in phone.files() if name.endswith(".out")]


def test_int8_outputs_are_what_they_stand_for(phone, backend, monkeypatch) -> None:
    known = ([tensor("x", (1, 4))], [tensor("y", (1, 2), np.int8, 0.5)])
    monkeypatch.setattr(session, "tensors_of_model", lambda _: known)
    (phone.home / "outputs.bin").write_bytes(np.array([3, -2], np.int8).tobytes())
    with backend.load(MODEL, OPTIONS) as executable:
        np.testing.assert_array_equal(executable.outputs()[0], [[1.5, -1.0]])


def test_a_program_that_writes_no_outputs_says_so(phone, backend) -> None:
    with (
        backend.load(MODEL, OPTIONS) as executable,
        pytest.raises(BackendError, match=r"wrote no outputs.*newer"),
    ):
        executable.outputs()
    (phone.home / "outputs.bin").write_bytes(b"1234")
    with (
        backend.load(MODEL, OPTIONS) as executable,
        pytest.raises(BackendError, match="4 bytes of outputs, too few"),
    ):
        executable.outputs()


def test_our_folder_is_removed_and_nothing_else(phone, backend) -> None:
    (phone.home / "data/local/tmp/other people's.txt").write_text("x")
    before = phone.files()
    executable = backend.load(MODEL, OPTIONS)
    assert any(name.endswith(".tflite") for name in phone.files())
    executable.close()
    with pytest.raises(BackendError, match="closed"):
        executable.run()
    backend._link.close()
    assert phone.files() == before


def test_a_model_is_copied_once(phone, backend) -> None:
    for _ in range(3):
        backend.load(MODEL, OPTIONS).close()
    calls = (phone.home / "calls.txt").read_text().splitlines()
    assert sum('"push"' in call and ".tflite" in call for call in calls) == 1


def test_the_program_of_this_machine_is_copied(phone, backend, tmp_path, monkeypatch) -> None:
    on_phone = phone.home / "data/local/tmp/benchmark_model"
    here = tmp_path / "my program"
    on_phone.rename(here)
    with pytest.raises(UserError, match=r"not on the phone.*VITPROF_BENCHMARK_MODEL.*arm64-v8a"):
        backend.load(MODEL, OPTIONS)
    monkeypatch.setenv("VITPROF_BENCHMARK_MODEL", str(here))
    with backend.load(MODEL, OPTIONS) as executable:
        assert executable.device_ms() > 0
    monkeypatch.setenv("VITPROF_BENCHMARK_MODEL", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="cannot be read"):
        AndroidBackend(".*").load(MODEL, OPTIONS)


def test_what_the_phone_is_is_in_the_environment(phone, backend) -> None:
    facts = backend.environment(OPTIONS)
    assert facts["machine"] == "Pixel 8"
    assert facts["android"] == "16"
    assert facts["abi"] == "arm64-v8a"
    assert facts["soc"] == "Tensor G3"
    assert len(str(facts["benchmark_model"])) == 16
    assert backend.environment(OPTIONS) == facts
    phone.becomes(serials=[])
    assert "machine" not in AndroidBackend("Pixel 8").environment(OPTIONS)


def test_a_phone_that_goes_away_is_a_failed_point(phone, backend) -> None:
    executable = backend.load(MODEL, OPTIONS)
    phone.becomes(lost=True)
    with pytest.raises(BackendError, match=r"the phone is lost: .*'ABC123' not found"):
        executable.run()
    with pytest.raises(BackendError, match="lost"):
        backend.load(MODEL + b"x", OPTIONS)
    executable.close()
    backend._link.close()


def test_a_full_phone_is_a_failed_point(phone, backend) -> None:
    backend.load(MODEL, OPTIONS).close()
    phone.becomes(full=True)
    with pytest.raises(BackendError, match=r"adb push failed: .*No space left"):
        backend.load(MODEL + b"x", OPTIONS)


def test_a_program_that_fails_is_a_failed_point(phone, backend) -> None:
    phone.says((RECORDED / "android_gpu_failed.txt").read_text())
    (phone.home / "exit.txt").write_text("1")
    with pytest.raises(BackendError, match="GPU delegate") as caught:
        backend.load(MODEL, BackendOptions(provider="gpu"))
    assert "\n" not in str(caught.value)


def test_the_gpu_computes_in_fp32_and_has_to_take_something(phone, backend) -> None:
    phone.says(GPU)
    with backend.load(MODEL, BackendOptions(provider="gpu")) as executable:
        assert executable.device_ms() == pytest.approx(119.375)
    (run,) = phone.runs()
    assert (run["use_gpu"], run["gpu_precision_loss_allowed"]) == ("true", "false")
    phone.says(XNNPACK)
    with pytest.raises(BackendError, match="takes nothing"):
        backend.load(MODEL, BackendOptions(provider="gpu"))
    with pytest.raises(UserError, match="no provider 'nnapi' here"):
        backend.load(MODEL, BackendOptions(provider="nnapi"))


def test_a_phone_that_does_not_answer_is_a_failed_point(phone, backend, monkeypatch) -> None:
    executable = backend.load(MODEL, OPTIONS)
    monkeypatch.setattr(session, "_MOST_SECONDS", 0.05)
    program = phone.home / "data/local/tmp/benchmark_model"
    program.write_text("#!/bin/sh\nexec sleep 20\n")
    with pytest.raises(BackendError, match="did not answer within"):
        executable.run()


def test_what_is_no_model_never_reaches_the_phone(phone, backend) -> None:
    with pytest.raises(BackendError, match="TFL3"):
        backend.load(b"PK\3\4", OPTIONS)
    assert phone.files() == ["benchmark_model"]


def test_without_adb(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"adb is not installed.*platform-tools"):
        connected_phone()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"serials": []}, "no Android phone is connected"),
        ({"serials": ["A1", "B2"]}, r"2 Android phones are connected \(A1, B2\).*ANDROID_SERIAL"),
        ({"state": "unauthorized"}, "ABC123 is unauthorized; unlock it"),
        ({"state": "offline"}, "ABC123 is offline"),
        ({"properties": {"ro.product.model": "SM-S921B"}}, "is a 'SM-S921B' and not of the kind"),
        ({"lost": True}, "the phone is lost"),
    ],
)
def test_a_phone_that_cannot_be_measured_is_one_sentence(phone, backend, changes, words) -> None:
    phone.becomes(**changes)
    reason = backend.unavailable()
    with pytest.raises(UserError, match=words) as caught:
        backend.load(MODEL, OPTIONS)
    assert reason == str(caught.value)
    assert "\n" not in reason


def test_one_of_several_phones_is_chosen_by_adbs_own_variable(phone, backend, monkeypatch) -> None:
    phone.becomes(serials=["A1", "B2"])
    monkeypatch.setenv("ANDROID_SERIAL", "B2")
    assert backend.unavailable() is None
    assert connected_phone().serial == "B2"
    monkeypatch.setenv("ANDROID_SERIAL", "C3")
    with pytest.raises(UserError, match="no Android phone with the serial number 'C3'"):
        connected_phone()


def test_words_of_the_phones_shell_are_quoted(phone, backend) -> None:
    adb = connected_phone()
    assert adb.shell("echo", "a b; exit 3", "$HOME", "'") == "a b; exit 3 $HOME '\n"


def test_listings_of_adb() -> None:
    text = (
        "* daemon started successfully\nList of devices attached\n"
        "A1\tdevice\nB2\tno permissions\n\n"
    )
    assert phones_in(text) == [Phone("A1", "device"), Phone("B2", "no")]
    assert phones_in("") == []


def test_the_devices_are_measured_by_it(phone, backend) -> None:
    for name in ("android", "pixel8"):
        device = find_device(name)
        assert isinstance(device.runtime(), AndroidBackend)
        assert device.why_not_here() is None
        assert device.dtypes[0] == "fp32"
    assert "'Pixel 8' and not of the kind" in (find_device("galaxy-s24").why_not_here() or "")


def test_without_the_program_nothing_is_begun(phone, backend) -> None:
    assert backend.unavailable() is None
    (phone.home / "data/local/tmp/benchmark_model").unlink()
    assert "benchmark_model is not on the phone" in backend.unavailable()
    assert phone.files() == []
