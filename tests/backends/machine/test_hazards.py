import os
import platform
from pathlib import Path

import pytest
from vitprof.backends import measuring_hazards

SUPPLY = "sys/class/power_supply"
CPU = "sys/devices/system/cpu"


@pytest.fixture
def quiet_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.1, 0.1, 0.1))


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def only(sentences: list[str]) -> str:
    (sentence,) = sentences
    return sentence


def test_a_quiet_machine_has_none(quiet_linux, tmp_path) -> None:
    files = {f"{CPU}/cpu{core}/cpufreq/scaling_governor": "performance" for core in range(4)}
    assert measuring_hazards(4, write(tmp_path, files)) == []


def test_more_threads_than_cores(quiet_linux, tmp_path) -> None:
    assert "use at most 4" in only(measuring_hazards(5, tmp_path))


def test_more_threads_than_physical_cores(quiet_linux, tmp_path) -> None:
    files = {f"{CPU}/cpu{core}/topology/physical_package_id": "0" for core in range(4)}
    files |= {f"{CPU}/cpu{core}/topology/core_id": str(core // 2) for core in range(4)}
    root = write(tmp_path, files)
    assert measuring_hazards(2, root) == []
    sentence = only(measuring_hazards(3, root))
    assert "hyper-threads" in sentence
    assert "use at most 2" in sentence


def test_a_small_container(quiet_linux, tmp_path) -> None:
    root = write(tmp_path, {"sys/fs/cgroup/cpu.max": "150000 100000"})
    assert measuring_hazards(1, root) == []
    assert "1.5 cores" in only(measuring_hazards(2, root))


def test_a_governor_that_follows_the_load(quiet_linux, tmp_path) -> None:
    root = write(tmp_path, {f"{CPU}/cpu0/cpufreq/scaling_governor": "powersave"})
    sentence = only(measuring_hazards(1, root))
    assert "'powersave'" in sentence
    assert "set it to 'performance'" in sentence


def test_one_core_of_several_with_another_governor(quiet_linux, tmp_path) -> None:
    files = {f"{CPU}/cpu{core}/cpufreq/scaling_governor": "performance" for core in range(4)}
    files[f"{CPU}/cpu3/cpufreq/scaling_governor"] = "schedutil"
    assert "'performance/schedutil'" in only(measuring_hazards(1, write(tmp_path, files)))


@pytest.mark.parametrize(("load", "busy"), [(2.0, False), (2.1, True)])
def test_other_work_on_the_machine(quiet_linux, tmp_path, monkeypatch, load, busy) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0, 0))
    sentences = measuring_hazards(1, tmp_path)
    assert len(sentences) == busy
    assert all("load average is 2.1 on 4 cores" in sentence for sentence in sentences)


@pytest.mark.parametrize(
    ("supplies", "on_battery"),
    [
        ({"AC/type": "Mains", "AC/online": "0", "BAT0/type": "Battery"}, True),
        ({"AC/type": "Mains", "AC/online": "1", "BAT0/type": "Battery"}, False),
        ({"BAT0/type": "Battery", "BAT0/status": "Discharging"}, True),
        ({"BAT0/type": "Battery", "BAT0/status": "Charging"}, False),
        ({"mouse/type": "Battery", "mouse/status": "Discharging", "mouse/scope": "Device"}, False),
        ({}, False),
    ],
)
def test_battery(quiet_linux, tmp_path, supplies, on_battery) -> None:
    root = write(tmp_path, {f"{SUPPLY}/{name}": text for name, text in supplies.items()})
    sentences = measuring_hazards(1, root)
    assert ["battery" in sentence for sentence in sentences] == [True] * on_battery


def test_nothing_is_raised_where_nothing_can_be_read(monkeypatch, tmp_path) -> None:
    def unreadable(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(platform, "system", lambda: "Plan 9")
    monkeypatch.setattr(os, "getloadavg", unreadable)
    monkeypatch.setattr(os, "sched_getaffinity", unreadable, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert measuring_hazards(8, tmp_path / "nothing") == []


def test_this_machine_can_be_asked() -> None:
    assert all(sentence.endswith(".") for sentence in measuring_hazards(4096))
    assert measuring_hazards(4096) != []
