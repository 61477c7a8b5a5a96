"""`vitprof.doctor` and its command: what is said, in 80 columns, and the exit code."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from typing import Any

import pytest
import vitprof
from click.testing import CliRunner
from vitprof.cli.commands import doctor as command_module
from vitprof.cli.commands.doctor import WIDTH, doctor, lines
from vitprof.profiler.speed_probe import SpeedProbe
from vitprof.verbs import doctor as verb_module
from vitprof.verbs.doctor import Diagnosis, MissingLibrary, Runtime

GOVERNOR = "the CPU frequency governor is 'powersave'; set it to 'performance'."
CALM = SpeedProbe(3.0, 1000, 2.0, 2.01, 2.02, 0.0, 0.0)
MACHINE: dict[str, object] = {
    "cpu": "A Processor of a name that is so long that it has to be wrapped at some place @ 2 GHz",
    "architecture": "x86_64",
    "logical_cores": 8,
    "memory_gib": 15.6,
    "os": None,
    "kernel": "Linux 6.1",
    "python": "3.12.1",
}


@pytest.fixture
def diagnosis() -> Callable[..., Diagnosis]:
    def of(*hazards: str, speed: SpeedProbe | None = CALM) -> Diagnosis:
        runtimes = [
            Runtime("onnxruntime", "ONNX Runtime", "1.27.0", None, None, True),
            Runtime("torch", "PyTorch", "2.13.0", None, None, False),
            Runtime("coreml", "Core ML", None, "Core ML runs on Apple's systems only", None, True),
            Runtime(
                "toy", "Toy", None, "it lacks " + 30 * "this and " + "; get it.", "no; so", True
            ),
        ]
        missing = [MissingLibrary("ray", "ray", "measuring on a fleet")]
        return Diagnosis("1.0", MACHINE, runtimes, missing, ["cpu"], hazards, speed)

    return of


def test_this_machine_is_examined_without_a_probe() -> None:
    found = vitprof.doctor(quick=True)
    by_name = {one.name: one for one in found.runtimes}
    assert by_name["onnxruntime"].why_not is None
    assert by_name["onnxruntime"].version
    assert not by_name["torch"].bundled
    assert found.speed is None
    assert "cpu" in found.devices
    json.dumps(found.report())


def test_a_probe_is_part_of_it_unless_it_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    restless = SpeedProbe(3.0, 1000, 2.0, 2.5, 3.0)
    monkeypatch.setattr("vitprof.profiler.speed_probe.probe_speed", lambda clock: restless)
    found = vitprof.doctor()
    assert found.speed == restless
    assert restless.hazards()[0] in found.hazards


def test_a_system_without_proc_and_affinity_is_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    monkeypatch.setattr("vitprof.backends.machine.cpu_info.mac_cpu_facts", dict)
    found = vitprof.doctor(quick=True)
    assert found.machine["cpu"] is None
    assert lines(found)


def test_a_library_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    there = verb_module._is_there
    monkeypatch.setattr(verb_module, "_is_there", lambda name: name != "pymoo" and there(name))
    missing = {one.library: one for one in vitprof.doctor(quick=True).missing}
    assert missing["pymoo"].remedy == "pip install 'vitprof[search]'"


def test_hazards_are_causes_and_remedies(diagnosis: Callable[..., Diagnosis]) -> None:
    found = diagnosis(GOVERNOR)
    assert found.is_doubtful
    expected = {
        "cause": "the CPU frequency governor is 'powersave'",
        "remedy": "set it to 'performance'",
    }
    assert found.report()["hazards"] == [expected]
    assert found.to_frame().to_dict("records") == [expected]
    assert found.title == "1 thing will hurt measuring."


def test_every_line_fits_80_columns(diagnosis: Callable[..., Diagnosis]) -> None:
    told = lines(diagnosis(GOVERNOR, "a cause " + 40 * "so " + "long; and " + 40 * "a remedy "))
    assert max(map(len, told)) <= WIDTH
    text = "\n".join(told)
    assert "onnxruntime  1.27.0        yes       yes" in text
    assert "torch        2.13.0        yes       -" in text
    assert "- ray, for measuring on a fleet: pip install 'vitprof[ray]'" in text
    assert "  → set it to 'performance'" in text
    assert "litert-torch" in text.lower()


@pytest.mark.parametrize(("hazards", "code"), [((), 0), ((GOVERNOR,), 1)])
@pytest.mark.parametrize("arguments", [[], ["--quick"], ["--json"]])
def test_the_exit_code_says_whether_something_hurts(
    hazards: tuple[str, ...],
    code: int,
    arguments: list[str],
    diagnosis: Callable[..., Diagnosis],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: dict[str, Any] = {}

    def examine(**given: Any) -> Diagnosis:
        asked.update(given)
        return diagnosis(*hazards)

    monkeypatch.setattr(verb_module, "doctor", examine)
    result = CliRunner().invoke(doctor, arguments, standalone_mode=False)
    assert result.return_value == code
    assert asked == {"quick": "--quick" in arguments}
    if "--json" in arguments:
        assert len(json.loads(result.stdout)["hazards"]) == len(hazards)
    else:
        assert ("Nothing was found" in result.stdout) == (code == 0)
    assert command_module.__doc__
