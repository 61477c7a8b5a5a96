"""A phone that is not there: an `adb` that keeps its files in a folder and runs its programs."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ADB = """#!{python}
import json, pathlib, subprocess, shutil, sys

home = pathlib.Path({home!r})
state = json.loads((home / "state.json").read_text())
log = home / "calls.txt"
words = sys.argv[1:]
with log.open("a") as file:
    file.write(json.dumps(words) + "\\n")

def there(path):
    assert path.startswith("/data/local/tmp/"), path
    return home / path[1:]

def lost():
    if state["lost"]:
        sys.stderr.write("adb: device '" + state["serials"][0] + "' not found\\n")
        sys.exit(1)

if words == ["devices"]:
    print("List of devices attached")
    for serial in state["serials"]:
        print(serial + "\\t" + state["state"])
    print()
    sys.exit(0)
assert words[0] == "-s" and words[1] in state["serials"], words
lost()
words = words[2:]
if words[0] == "push":
    if state["full"]:
        sys.stderr.write("adb: error: failed to copy: No space left on device\\n")
        sys.exit(1)
    shutil.copy(words[1], there(words[2]))
elif words[0] == "pull":
    if not there(words[1]).exists():
        sys.stderr.write("adb: error: failed to stat remote object: No such file\\n")
        sys.exit(1)
    shutil.copy(there(words[1]), words[2])
elif words[0] == "shell":
    command = words[1]
    if command.startswith("getprop "):
        print(state["properties"].get(command.split()[1], ""))
        sys.exit(0)
    # Paths of the phone are paths in its folder; the rest is an ordinary shell.
    command = command.replace("/data/local/tmp", str(home / "data/local/tmp"))
    sys.exit(subprocess.run(["sh", "-c", command]).returncode)
else:
    sys.exit(2)
"""

# Prints what was recorded, and writes the outputs it is told to.
PROGRAM = """#!{python}
import pathlib, sys

home = pathlib.Path({home!r})
given = dict(word[2:].split("=", 1) for word in sys.argv[1:])
with (home / "runs.txt").open("a") as file:
    file.write(repr(given) + "\\n")
assert pathlib.Path(given["graph"]).is_file()
if "output_filepath" in given and (home / "outputs.bin").exists():
    pathlib.Path(given["output_filepath"]).write_bytes((home / "outputs.bin").read_bytes())
sys.stdout.write((home / "says.txt").read_text())
sys.exit(int((home / "exit.txt").read_text()) if (home / "exit.txt").exists() else 0)
"""


@dataclass
class StandIn:
    """The phone: `home` has its files; what it is and does is set by `becomes`."""

    home: Path
    now: dict[str, object] = field(default_factory=dict)

    def becomes(self, **changes: object) -> None:
        import json

        self.now |= changes
        (self.home / "state.json").write_text(json.dumps(self.now))

    def says(self, text: str) -> None:
        (self.home / "says.txt").write_text(text)

    def files(self) -> list[str]:
        tmp = self.home / "data/local/tmp"
        return sorted(str(path.relative_to(tmp)) for path in tmp.rglob("*"))

    def runs(self) -> list[dict[str, str]]:
        import ast

        file = self.home / "runs.txt"
        lines = file.read_text().splitlines() if file.exists() else []
        return [ast.literal_eval(line) for line in lines]

    def install(self, program: str = PROGRAM) -> Path:
        file = self.home / "data/local/tmp/benchmark_model"
        file.write_text(program.format(python=sys.executable, home=str(self.home)))
        file.chmod(0o755)
        return file


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    home = tmp_path / "phone"
    (home / "data/local/tmp").mkdir(parents=True)
    tools = tmp_path / "tools"
    tools.mkdir()
    adb = tools / "adb"
    adb.write_text(ADB.format(python=sys.executable, home=str(home)))
    adb.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}/usr/bin{os.pathsep}/bin")
    for name in ("ANDROID_SERIAL", "VITPROF_BENCHMARK_MODEL"):
        monkeypatch.delenv(name, raising=False)
    stand_in = StandIn(home)
    properties = {
        "ro.product.model": "Pixel 8",
        "ro.build.version.release": "16",
        "ro.product.cpu.abi": "arm64-v8a",
        "ro.soc.model": "Tensor G3",
    }
    stand_in.becomes(
        serials=["ABC123"], state="device", properties=properties, lost=False, full=False
    )
    return stand_in
