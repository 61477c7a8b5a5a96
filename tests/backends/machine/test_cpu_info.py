import getpass
import json
import os
import platform
import socket
from pathlib import Path

import pytest
from vitprof.backends import cpu_facts
from vitprof.backends.machine import cpu_info, mac_cpu
from vitprof.backends.machine.cpu_info import has_bf16_products, lacks_avx512_vnni

XEON = """\
processor\t: 0
model name\t: Imaginary Xeon 8000 @ 2.00GHz
cpu MHz\t\t: 1999.998
flags\t\t: fpu sse2 {hypervisor} avx2

processor\t: 1
model name\t: Imaginary Xeon 8000 @ 2.00GHz
cpu MHz\t\t: 2500.400
"""


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def machine_with(root: Path, *, hypervisor: str = "hypervisor") -> Path:
    """Two physical cores with two hyper-threads each."""
    cpu = "sys/devices/system/cpu"
    files = {
        "proc/cpuinfo": XEON.format(hypervisor=hypervisor),
        "proc/meminfo": "MemTotal:       16777216 kB\nMemFree: 1 kB\n",
        "etc/os-release": 'NAME="Imaginary"\nPRETTY_NAME="Imaginary Linux 12"\n',
        f"{cpu}/intel_pstate/no_turbo": "0\n",
        f"{cpu}/cpu0/cache/index0/level": "1\n",
        f"{cpu}/cpu0/cache/index0/size": "32K\n",
        f"{cpu}/cpu0/cache/index2/level": "2\n",
        f"{cpu}/cpu0/cache/index2/size": "1024K\n",
        f"{cpu}/cpu0/cache/index3/level": "3\n",
        f"{cpu}/cpu0/cache/index3/size": "32M\n",
        "sys/fs/cgroup/cpu.max": "150000 100000\n",
    }
    for core in range(4):
        files |= {
            f"{cpu}/cpu{core}/topology/physical_package_id": "0\n",
            f"{cpu}/cpu{core}/topology/core_id": f"{core // 2}\n",
            f"{cpu}/cpu{core}/cpufreq/scaling_governor": "powersave\n",
            f"{cpu}/cpu{core}/cpufreq/cpuinfo_max_freq": "3500000\n",
            f"{cpu}/cpu{core}/cpufreq/scaling_cur_freq": f"{2_000_000 - core}\n",
        }
    return write(root, files)


@pytest.fixture
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)


def test_a_linux_machines_facts(linux, tmp_path) -> None:
    facts = cpu_facts(machine_with(tmp_path))
    wanted = {
        "cpu": "Imaginary Xeon 8000 @ 2.00GHz",
        "cores_available": 3,
        "physical_cores": 2,
        "physical_cores_available": 2,
        "cpu_quota": 1.5,
        "max_mhz": 3500,
        "current_mhz": 2000,
        "governor": "powersave",
        "turbo": True,
        "virtual_machine": True,
        "l2_kib": 1024,
        "l3_kib": 32 * 1024,
        "memory_gib": 16.0,
        "os": "Imaginary Linux 12",
    }
    assert {key: facts[key] for key in wanted} == wanted


def test_cores_outside_the_affinity_do_not_count(linux, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 3}, raising=False)
    facts = cpu_facts(machine_with(tmp_path))
    assert (facts["cores_available"], facts["physical_cores_available"]) == (2, 1)


def test_a_real_machine_is_not_called_virtual(linux, tmp_path) -> None:
    assert cpu_facts(machine_with(tmp_path, hypervisor=""))["virtual_machine"] is False


def test_clocks_fall_back_to_cpuinfo(linux, tmp_path) -> None:
    root = write(tmp_path, {"proc/cpuinfo": XEON.format(hypervisor="")})
    facts = cpu_facts(root)
    assert (facts["current_mhz"], facts["max_mhz"], facts["governor"]) == (2500, None, None)


@pytest.mark.parametrize(
    ("files", "key", "value"),
    [
        ({"sys/devices/system/cpu/cpufreq/boost": "0"}, "turbo", False),
        ({"sys/devices/system/cpu/cpufreq/boost": "1"}, "turbo", True),
        ({"sys/devices/system/cpu/intel_pstate/no_turbo": "1"}, "turbo", False),
        ({"sys/fs/cgroup/cpu.max": "max 100000"}, "cpu_quota", None),
        (
            {
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            "cpu_quota",
            2.0,
        ),
        (
            {
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            "cpu_quota",
            None,
        ),
        (
            {"proc/cpuinfo": "CPU implementer\t: 0x41\nCPU part\t: 0xd42\n"},
            "cpu",
            "ARM implementer 0x41 part 0xd42",
        ),
        ({"proc/cpuinfo": "Model\t\t: Raspberry Pi 5\n"}, "cpu", "Raspberry Pi 5"),
        ({"proc/cpuinfo": "Model\t\t: Raspberry Pi 5\n"}, "virtual_machine", None),
    ],
)
def test_one_fact(linux, tmp_path, files, key, value) -> None:
    assert cpu_facts(write(tmp_path, files))[key] == value


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00garbage", b"-", b"9" * 5000, b": :\n::"])
def test_unreadable_facts_are_none_and_nothing_is_raised(linux, tmp_path, content) -> None:
    for path in machine_with(tmp_path).rglob("*"):
        if path.is_file():
            path.write_bytes(content)
    facts = cpu_facts(tmp_path)
    assert list(facts) == list(cpu_facts(tmp_path / "nothing"))
    for key in ("cpu", "max_mhz", "turbo", "l2_kib", "memory_gib", "cpu_quota", "os"):
        assert facts[key] is None
    json.dumps(facts)


def test_a_mac_is_asked_through_sysctl(monkeypatch, tmp_path) -> None:
    values = {
        "machdep.cpu.brand_string": "Apple M2",
        "hw.physicalcpu": "8",
        "hw.memsize": str(16 * 1024**3),
        "hw.l2cachesize": str(4 * 1024**2),
        "kern.hv_vmm_present": "0",
    }
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "mac_ver", lambda: ("15.1", ("", "", ""), "arm64"))
    monkeypatch.setattr(mac_cpu, "answer_of", lambda *command: values.get(command[-1]))
    facts = cpu_facts(tmp_path)
    assert facts["cpu"] == "Apple M2"
    assert facts["physical_cores"] == 8
    assert facts["l2_kib"] == 4096
    assert facts["l3_kib"] is None
    assert facts["memory_gib"] == 16.0
    assert facts["virtual_machine"] is False
    assert facts["os"] == "macOS 15.1"


def test_a_mac_that_does_not_answer_raises_nothing(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(mac_cpu, "answer_of", lambda *command: None)
    assert cpu_facts(tmp_path)["cpu"] is None


def test_a_system_nobody_thought_of_raises_nothing(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Plan 9")
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    facts = cpu_facts(tmp_path)
    assert facts["cores_available"] == os.cpu_count()


def test_commands_that_fail_or_are_absent_answer_none() -> None:
    assert mac_cpu.answer_of("/bin/sh", "-c", "echo yes") == "yes"
    assert mac_cpu.answer_of("/bin/sh", "-c", "echo yes; exit 1") is None
    assert mac_cpu.answer_of("/no/such/program") is None


def test_this_machines_facts_are_json_and_hold_nothing_personal() -> None:
    facts = cpu_facts()
    assert set(facts) == set(cpu_info._FACTS)
    text = json.dumps(facts)
    values = [str(value) for value in facts.values()]
    assert socket.gethostname() not in values
    assert getpass.getuser() not in values
    assert str(Path.home()) + "/" not in text
    assert 1 <= int(str(facts["cores_available"])) <= int(str(facts["logical_cores"]))
    assert facts["python"] == platform.python_version()


@pytest.mark.parametrize(
    ("flags", "there"),
    [
        ("flags : fpu avx512f avx512_vnni", False),
        ("flags : avx512f avx512_bf16", True),
        ("flags : amx_tile amx_bf16", True),
        ("Features : fp asimd bf16 i8mm", True),
        ("", False),
    ],
)
def test_bf16_products_are_read_from_the_flags(tmp_path, flags: str, there: bool) -> None:
    assert has_bf16_products(write(tmp_path, {"proc/cpuinfo": flags})) is there


@pytest.mark.parametrize(
    ("machine", "flags", "lacks"),
    [
        ("x86_64", "flags : fpu avx2", True),
        ("x86_64", "flags : avx2 avx_vnni", True),
        ("x86_64", "flags : avx512f avx512_vnni", False),
        ("x86_64", "", False),
        ("aarch64", "Features : fp asimd", False),
    ],
)
def test_what_an_x86_lacks_is_read_from_the_flags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str, flags: str, lacks: bool
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert lacks_avx512_vnni(write(tmp_path, {"proc/cpuinfo": flags})) is lacks
