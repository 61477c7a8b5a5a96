"""What of `coreml_device` can be tested without a phone: everything up to Xcode's own tools."""

import asyncio
import inspect
import json
import os
from pathlib import Path

import pytest
from vitprof.backends.coreml.device import (
    TEAM_VARIABLE,
    AppleDevice,
    DeviceLink,
    devices_in,
    find_connected,
    signing_team,
)
from vitprof.backends.coreml.quiet import quiet_coremltools


def listed(machine: str, state: str = "connected", identifier: str = "A-1") -> dict[str, object]:
    """One entry as devicectl writes it, the keys that matter here."""
    return {
        "identifier": identifier,
        "deviceProperties": {"name": "a phone", "osVersionNumber": "18.5"},
        "hardwareProperties": {
            "deviceType": "iPhone",
            "platform": "iOS",
            "productType": machine,
            "udid": "00008110-000000000000001E",
        },
        "connectionProperties": {"pairingState": "paired", "tunnelState": state},
    }


def listing(*devices: dict[str, object]) -> dict[str, object]:
    return {"info": {"outcome": "success"}, "result": {"devices": list(devices)}}


@pytest.fixture
def xcode(tmp_path: Path, monkeypatch):
    """Put an `xcrun` and a `devicectl` on the path that write the given listing."""
    tools = tmp_path / "tools"
    tools.mkdir()
    answer = tmp_path / "answer.json"
    for name in ("xcrun", "devicectl"):
        tool = tools / name
        # The last argument is the file to write, for vitprof (--json-output) and coremltools (-j).
        tool.write_text(f'#!/bin/sh\nfor last; do :; done\ncat "{answer}" > "$last"\n')
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")

    def lists(*devices: dict[str, object]) -> None:
        answer.write_text(json.dumps(listing(*devices)))

    return lists


def test_devices_are_read() -> None:
    assert devices_in(listing(listed("iPhone14,5"), listed("iPad13,1", "Disconnected", "B"))) == [
        AppleDevice("A-1", "iPhone14,5", "iOS 18.5", "connected"),
        AppleDevice("B", "iPad13,1", "iOS 18.5", "disconnected"),
    ]


@pytest.mark.parametrize(
    "strange",
    [
        None,
        [],
        {"result": 3},
        {"result": {"devices": "none"}},
        listing({}),
        listing({"identifier": "A", "hardwareProperties": ["iPhone14,5"]}),
        listing({"identifier": 7, "hardwareProperties": {"productType": "iPhone14,5"}}),
    ],
)
def test_a_strange_listing_has_no_devices(strange) -> None:
    assert devices_in(strange) == []


def test_the_connected_device_of_the_wanted_kind_is_found(xcode) -> None:
    xcode(listed("iPhone15,4", identifier="B"), listed("iPhone14,5"))
    assert find_connected("iPhone14,5").identifier == "A-1"


def test_what_is_not_connected_is_told_apart(xcode, refused) -> None:
    xcode(listed("iPhone14,5", "disconnected"))
    with refused("knows a iPhone14,5", "disconnected", "Devices and Simulators"):
        find_connected("iPhone14,5")
    with refused("no device of the kind iPhone15,4", "known to it: iPhone14,5", "developer mode"):
        find_connected("iPhone15,4")
    with refused("no device of the kind iPhone1", "known to it: iPhone14,5"):
        find_connected("iPhone1")
    xcode(listed("iPhone14,5"), listed("iPhone14,5", identifier="B"))
    with refused("2 devices", "leave one connected"):
        find_connected("iPhone14,5")
    xcode()
    with refused("known to it: none"):
        find_connected("iPhone14,5")


def test_without_xcode_it_says_what_is_missing(monkeypatch, tmp_path, refused) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with refused("xcrun devicectl", "install Xcode 15"):
        find_connected("iPhone14,5")


def test_a_tool_that_fails_or_answers_nonsense_is_a_sentence(xcode, tmp_path, refused) -> None:
    xcode(listed("iPhone14,5"))
    (tmp_path / "answer.json").write_text("no json")
    with refused("xcrun devicectl", "Expecting value"):
        find_connected("iPhone14,5")
    (tmp_path / "answer.json").unlink()
    with refused("xcrun devicectl", "install Xcode 15"):
        find_connected("iPhone14,5")


def test_the_signing_team_is_checked(monkeypatch, refused) -> None:
    monkeypatch.delenv(TEAM_VARIABLE, raising=False)
    assert signing_team() is None
    monkeypatch.setenv(TEAM_VARIABLE, "AB12CD34EF")
    assert signing_team() == "AB12CD34EF"
    for bad in ("", "ab12cd34ef", "AB12CD34EF; rm -rf ~", "x" * 5000):
        monkeypatch.setenv(TEAM_VARIABLE, bad)
        with refused(TEAM_VARIABLE, "not a development team"):
            signing_team()


def test_an_app_that_cannot_be_started_ends_the_run_with_a_sentence(
    xcode, capfd, monkeypatch, refused
) -> None:
    """coremltools finds the listed device by itself, and then misses Xcode."""
    monkeypatch.delenv(TEAM_VARIABLE, raising=False)
    xcode(listed("iPhone14,5"))
    with refused("could not be started on the iPhone14,5", "xcodebuild", TEAM_VARIABLE):
        DeviceLink(find_connected("iPhone14,5"))
    assert capfd.readouterr() == ("", "")


def test_it_says_the_same_in_a_notebook_whose_event_loop_runs(xcode, monkeypatch, refused) -> None:
    monkeypatch.delenv(TEAM_VARIABLE, raising=False)
    xcode(listed("iPhone14,5"))

    async def cell() -> None:
        with refused("could not be started on the iPhone14,5", "xcodebuild", TEAM_VARIABLE):
            DeviceLink(find_connected("iPhone14,5"))

    asyncio.run(cell())


def test_coremltools_still_has_what_is_used_of_it() -> None:
    with quiet_coremltools():
        from coremltools.models import MLModel
        from coremltools.models.compute_plan import MLComputePlan
        from coremltools.models.ml_program.experimental.async_wrapper import MLModelAsyncWrapper
        from coremltools.models.ml_program.experimental.remote_device import (
            AppSigningCredentials,
            Device,
        )

    def takes(function, *names: str) -> bool:
        return set(names) <= set(inspect.signature(function).parameters)

    assert takes(AppSigningCredentials, "development_team")
    assert takes(Device.prepare_for_model_debugging, "credentials", "working_directory")
    assert {"identifier", "session"} <= set(Device.__dataclass_fields__)
    assert takes(
        MLModelAsyncWrapper.from_spec_or_path,
        "spec_or_path",
        "weights_dir",
        "compute_units",
        "device",
    )
    for name in ("load", "predict", "unload", "retrieve_compute_plan", "cleanup"):
        assert callable(getattr(MLModelAsyncWrapper, name))
    assert hasattr(MLModelAsyncWrapper, "last_predict_duration_in_nano_seconds")
    assert takes(MLModel, "model", "compute_units")
    assert hasattr(MLModel, "last_predict_duration_in_nano_seconds")
    assert callable(MLModel.get_compiled_model_path)
    assert takes(MLComputePlan.load_from_path, "path", "compute_units")
