"""`vitprof build` and `vitprof measure --bundle`: the whole way, for real, and what is refused."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from vitprof.backends import BackendError, OnnxRuntimeBackend
from vitprof.profiler import target
from vitprof.profiler.bundle import bundle as bundle_module
from vitprof.profiler.workshop import Workshop
from vitprof.tables import LatencyTable
from vitprof.tables.setting import PartialSetting

pytestmark = pytest.mark.slow

Run = Callable[..., Any]
DONE = (0, 1)  # a busy machine may call points unstable

# One width of one layer shape: four blocks.
FEW = (
    "--model",
    "vit-micro-8",
    "--whole-models",
    "0",
    "--grid",
    "embed=32;attention.heads=2;attention.qk=16;attention.v=16;mlp.mlp=64",
)
SPACE = ("--model", "vit-micro-8", "--points", "24", "--whole-models", "3")
SESSIONS = ("--sessions", "1")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bundle of the smallest space, built once, by a process of its own."""
    path = tmp_path_factory.mktemp("built") / "b.zip"
    command = [sys.executable, "-m", "vitprof", "build", *SPACE, "--out", str(path), "--json"]
    result = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert result == {
        "bundle": str(path),
        "device": "cpu",
        "points": 24,
        "models": 3,
        "failed": [],
        "seconds": result["seconds"],
        "bytes": path.stat().st_size,
        "unpacked_bytes": result["unpacked_bytes"],
    }
    assert result["seconds"] > 0
    assert result["unpacked_bytes"] > 2 * result["bytes"]
    return path.read_bytes()


@pytest.fixture
def bundle(built: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "b.zip"
    path.write_bytes(built)
    return path


@pytest.fixture
def few(run: Run, tmp_path: Path) -> Path:
    path = tmp_path / "few.zip"
    answer = run("build", *FEW, "--out", path)
    assert answer.code == 0, answer.err
    assert "4 blocks and 0 whole models for this machine's CPU" in answer.out
    assert "vitprof measure --bundle few.zip" in answer.out
    return path


def test_a_bundle_is_measured_into_a_table_like_any_other(
    run: Run, bundle: Path, tmp_path: Path, measured: tuple[Path, Any]
) -> None:
    path = tmp_path / "lut.csv"
    answer = run("measure", "--bundle", bundle, *SESSIONS, "--out", path, "--json")
    assert answer.code in DONE
    assert (answer.json["points"], answer.json["models"], answer.json["failed"]) == (24, 3, [])
    assert answer.json["calibration"]["models"] == 3
    assert answer.json["seconds"]["build"] == 0
    table, local = LatencyTable.read_csv(path), LatencyTable.read_csv(measured[0])
    assert [row.key for row in table.rows] == [row.key for row in local.rows]
    assert table.setting == local.setting
    assert table.environment == local.environment
    assert list(pd.read_csv(path, comment="#")) == list(pd.read_csv(measured[0], comment="#"))
    assert table.header.built["torch"] == table.environment["runtime"]["torch"]
    assert run("predict", "--table", path, "--model", "vit-micro-8", "--json").code == 0
    before = path.read_text().splitlines()[3:]
    assert run("measure", "--bundle", bundle, *SESSIONS, "--out", path).code in DONE
    assert path.read_text().splitlines()[3:] == before, "nothing was measured again"


def test_measuring_a_bundle_needs_no_torch(bundle: Path, tmp_path: Path) -> None:
    code = (
        "import importlib.metadata as metadata, sys\n"
        "sys.modules['torch'] = None\n"  # importing it raises ImportError
        "version = metadata.version\n"
        "def without_torch(name):\n"
        "    if name == 'torch': raise metadata.PackageNotFoundError(name)\n"
        "    return version(name)\n"
        "metadata.version = without_torch\n"
        "from vitprof.cli.main import main\n"
        "main(sys.argv[1:])\n"
    )
    command = [sys.executable, "-c", code]
    measuring = ["--sessions", "1", "--out", str(tmp_path / "lut.csv"), "--json"]
    answer = subprocess.run(
        [*command, "measure", "--bundle", str(bundle), *measuring],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode in DONE, answer.stderr
    assert json.loads(answer.stdout)["failed"] == []
    table = LatencyTable.read_csv(tmp_path / "lut.csv")
    assert len(table.rows) == 27
    assert table.environment["runtime"]["torch"] is None
    assert table.header.built["torch"] is not None
    refused = subprocess.run(
        [*command, "build", *FEW, "--out", str(tmp_path / "no.zip")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode != 0, "the block is real"


def test_the_same_build_by_two_processes_gives_the_same_bytes(
    run: Run, built: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "again.zip"
    assert run("build", *SPACE, "--out", path, "--jobs", "2", "--json").code == 0
    assert path.read_bytes() == built


@pytest.mark.parametrize(
    ("option", "context"), [(("--context", "in_network"), "in_network"), (None, "in_model")]
)
def test_every_context_goes_into_a_bundle(
    option: tuple[str, ...] | None, context: str, run: Run, tmp_path: Path
) -> None:
    arguments = (*FEW, *option) if option else ("--in-model", "vit-micro-8")
    assert run("build", *arguments, "--out", tmp_path / "b.zip").code == 0
    path = tmp_path / "lut.csv"
    answer = run("measure", "--bundle", tmp_path / "b.zip", *SESSIONS, "--out", path)
    assert answer.code in DONE, answer.err
    rows = LatencyTable.read_csv(path).block_rows
    assert {row.context for row in rows} == {"alone", context}
    # A difference of two networks may drown in the noise of a busy machine: nothing else may fail.
    failed = [row for row in rows if row.verdict == "failed"]
    assert all(row.context == context for row in failed)
    assert all("smaller than the noise" in row.error for row in failed)


def test_what_is_only_run_may_be_given_anew(run: Run, few: Path, tmp_path: Path) -> None:
    path = tmp_path / "lut.csv"
    given = ("--threads", "2", "--device", "cpu", "--batch", "1")
    answer = run("measure", "--bundle", few, *given, *SESSIONS, "--out", path)
    assert answer.code in DONE, answer.err
    assert LatencyTable.read_csv(path).setting.threads == 2


def test_a_point_that_cannot_be_compiled_is_a_failed_row_there(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = OnnxRuntimeBackend.build

    def build(self: Any, module: Any, shape: tuple[int, ...], options: Any) -> bytes:
        if len(shape) == 4:
            raise BackendError("no kernel for images")
        return real(self, module, shape, options)

    with monkeypatch.context() as patch:
        patch.setattr(OnnxRuntimeBackend, "build", build)
        answer = run("build", *FEW, "--out", tmp_path / "b.zip", "--json")
    assert answer.code == 1
    (name,) = answer.json["failed"]
    assert name.startswith("patch_embed(")
    assert f"failed: {name}: no kernel for images" in answer.err
    path = tmp_path / "lut.csv"
    measured = run("measure", "--bundle", tmp_path / "b.zip", *SESSIONS, "--out", path, "--json")
    assert measured.code == 1
    assert measured.json["failed"] == [name]
    (failed,) = (row for row in LatencyTable.read_csv(path).rows if row.verdict == "failed")
    assert failed.error == "no kernel for images"


def test_interrupted_no_half_bundle_is_left(
    run: Run, few: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = few.read_bytes()
    seen: list[object] = []

    def build(self: Workshop, subject: object) -> bytes:
        seen.append(subject)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return b"x"

    monkeypatch.setattr(Workshop, "build", build)
    answer = run("build", *FEW, "--out", few)
    assert answer.code == 130
    assert few.read_bytes() == before
    assert list(few.parent.iterdir()) == [few]


@pytest.mark.parametrize(
    ("device", "backend", "provider"),
    [("t4", "tensorrt", "tensorrt_rtx"), ("iphone13", "coreml", "all"), ("h100", "cuda", "eager")],
)
def test_what_says_to_be_of_another_device_is_refused_here(
    device: str, backend: str, provider: str, run: Run, few: Path, tmp_path: Path
) -> None:
    path = tmp_path / "other.zip"

    def as_other(manifest: dict[str, Any]) -> None:
        other = {"device": device, "dtype": "fp16", "backend": backend, "provider": provider}
        manifest["setting"] |= other

    path.write_bytes(with_manifest(few.read_bytes(), as_other))
    answer = run("measure", "--bundle", path, "--out", tmp_path / "lut.csv")
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    assert f"{path}: device '{device}' cannot be measured here" in answer.err
    assert not (tmp_path / "lut.csv").exists()


@pytest.mark.parametrize(
    ("device", "kind"), [("t4", "engine"), ("rtx3080", "engine"), ("iphone13", "mlpackage")]
)
@pytest.mark.few("*-engine")
def test_a_bundle_for_another_device_is_built_here(
    device: str, kind: str, run: Run, tmp_path: Path
) -> None:
    pytest.importorskip({"engine": "tensorrt_rtx", "mlpackage": "coremltools"}[kind])
    path = tmp_path / "b.zip"
    told = run("build", "--device", device, *FEW, "--out", path).out
    assert ("--trust" in told) == (kind == "engine")
    answer = run("build", "--device", device, *FEW, "--out", path, "--json")
    assert answer.code == 0, answer.err
    assert (answer.json["device"], answer.json["points"]) == (device, 4)
    with zipfile.ZipFile(path) as archive:
        assert sum(name.endswith(f".{kind}") for name in archive.namelist()) == 4
    refused = run("measure", "--bundle", path, "--out", tmp_path / "lut.csv")
    assert refused.code == 2
    assert refused.is_one_sentence, refused.err
    assert "cannot be measured here" in refused.err


@pytest.mark.parametrize("trust", [False, True])
def test_engines_are_measured_only_on_trust(
    trust: bool, run: Run, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that has the GPU; here ONNX Runtime stands in for its runtime."""

    def as_t4(manifest: dict[str, Any]) -> None:
        manifest["setting"] |= {"device": "t4", "dtype": "fp16", "backend": "tensorrt"}

    few.write_bytes(with_manifest(few.read_bytes(), as_t4))
    opened = target.target_of(PartialSetting())
    monkeypatch.setattr(bundle_module, "target_of", lambda _: opened)
    path = tmp_path / "lut.csv"
    given = ("--trust",) if trust else ()
    answer = run("measure", "--bundle", few, *given, *SESSIONS, "--out", path)
    if trust:
        assert answer.code in DONE, answer.err
        assert len(LatencyTable.read_csv(path).rows) == 4
    else:
        assert answer.code == 2
        assert answer.is_one_sentence, answer.err
        assert "which are programs" in answer.err
        assert not path.exists()


# --- what is refused ------------------------------------------------------------------------------


def with_manifest(data: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """Return the bundle with its manifest changed, sealed again."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        new.comment = old.comment
        for name in old.namelist():
            content = old.read(name)
            if name == "manifest.json":
                manifest = json.loads(content)
                change(manifest)
                content = json.dumps(manifest).encode()
            entry = zipfile.ZipInfo(name)
            entry.create_system = 3
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            new.writestr(entry, content)
    sealed = buffer.getvalue()[:-64]
    return sealed + hashlib.sha256(sealed).hexdigest().encode()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("device", "t5", ["device 't5' is not known"]),
        ("backend", "tensorrt", ["device 'cpu' is not measured by backend 'tensorrt'"]),
        ("backend", "cuda", ["device 'cpu' is not measured by backend 'cuda'"]),
        ("dtype", "int4", ["dtype 'int4'"]),
        ("dtype", "bf16", ["dtype 'bf16'"]),
        ("provider", "NoSuchProvider", ["NoSuchProvider", "CPUExecutionProvider"]),
        ("sparsity", "1:8", ["sparsity '1:8'"]),
        ("sparsity", "2:4", ["no sparsity '2:4'"]),
        ("graph", "cuda_graph", ["no graph 'cuda_graph'"]),
        ("threads", 5000, ["the number of threads is 5,000, more than 64"]),
    ],
)
def test_a_setting_this_machine_lacks_is_one_sentence(
    name: str, value: object, words: list[str], run: Run, few: Path, tmp_path: Path
) -> None:
    few.write_bytes(with_manifest(few.read_bytes(), lambda m: m["setting"].update({name: value})))
    answer = run("measure", "--bundle", few, "--out", tmp_path / "lut.csv")
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    for word in (str(few), *words):
        assert word in answer.err
    assert not (tmp_path / "lut.csv").exists()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", ["is empty"]),
        (b"op,latency_ms\n", ["not a zip file"]),
        (b"PK\3\4", ["its end is cut off"]),
        (None, ["does not exist", "vitprof build"]),
    ],
)
def test_what_is_no_bundle_is_one_sentence(
    data: bytes | None, words: list[str], run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "b.zip"
    if data is not None:
        path.write_bytes(data)
    answer = run("measure", "--bundle", path, "--out", tmp_path / "lut.csv")
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    for word in (str(path), *words):
        assert word in answer.err
    assert not (tmp_path / "lut.csv").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data[:1000] + b"\0\1\2\3" + data[1004:],
        lambda data: with_manifest(data, lambda m: m.update(version=3)),
    ],
    ids=["half", "cut", "longer", "changed", "version"],
)
def test_a_damaged_bundle_is_one_sentence(
    change: Callable[[bytes], bytes], run: Run, few: Path, tmp_path: Path
) -> None:
    few.write_bytes(change(few.read_bytes()))
    answer = run("measure", "--bundle", few, "--out", tmp_path / "lut.csv", "--json")
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    assert str(few) in answer.err
    assert answer.out == ""
    assert not (tmp_path / "lut.csv").exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--family", "vit"), ["--family"]),
        (("--model", "deit-tiny", "--grid", "embed=192"), ["--model, --grid"]),
        (("--points", "40"), ["--points"]),
        (("--whole-models", "8"), ["--whole-models"]),
        (("--context", "alone"), ["--context"]),
        (("--in-model", "deit-tiny"), ["--in-model"]),
        (("--tokens", "5", "--patch", "2", "--classes", "3"), ["--tokens", "--patch", "--classes"]),
        (("--ray", "auto"), ["--ray"]),
        (("--batch", "4"), ["built for batch 1, not 4", "--batch"]),
        (("--device", "t4"), ["built for device cpu, not t4"]),
        (("--dtype", "fp16"), ["built for dtype fp32, not fp16"]),
        (("--sparsity", "2:4"), ["sparsity dense, not 2:4"]),
        (("--provider", "NoSuchProvider"), ["NoSuchProvider"]),
    ],
    ids=" ".join,
)
def test_options_that_contradict_the_bundle_are_refused(
    given: tuple[str, ...], words: list[str], run: Run, few: Path, tmp_path: Path
) -> None:
    answer = run("measure", "--bundle", few, *given, "--out", tmp_path / "lut.csv")
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    for word in words:
        assert word in answer.err
    assert not (tmp_path / "lut.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--device", "h100"), ["backend 'cuda'", "vitprof measure --device h100"]),
        (("--device", "t4", "--backend", "cuda"), ["backend 'cuda'", "nothing to build"]),
        (("--device", "cpy"), ["cpy", "did you mean 'cpu'"]),
        (("--device", "t4", "--dtype", "fp32"), ["fp32"]),
        (("--family", "vitt"), ["vitt"]),
        (("--model", "deit-smal"), ["deit-smal"]),
        (("--points", "500"), ["--points 500", "94 blocks", "vitprof measure"]),
        (("--points", "3"), ["--points 3"]),
        (("--context", "in_netwrk"), ["in_netwrk"]),
        (("--in-model", "vit-micro-8", "--points", "9"), ["--points", "--in-model"]),
        (("--grid", "embed=a"), ["embed=a"]),
        (("--out", "no/such/folder/b.zip"), ["no/such/folder"]),
        (("--out", "."), ["is a folder"]),
        (("--provider", "NoSuchProvider"), ["NoSuchProvider"]),
        (("--sparsity", "2:4"), ["2:4"]),
        (("--seed", "x"), ["--seed"]),
    ],
    ids=" ".join,
)
def test_what_cannot_be_built_is_one_sentence_and_nothing_is_written(
    arguments: tuple[str, ...],
    words: list[str],
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = run("build", *arguments)
    assert answer.code == 2
    assert answer.is_one_sentence, answer.err
    for word in words:
        assert word in answer.err
    assert answer.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_table_is_never_written_over_by_a_bundle(run: Run, lut: Path) -> None:
    before = lut.read_bytes()
    answer = run("build", *FEW, "--out", lut)
    assert answer.code == 2
    assert "is not written over" in answer.err
    assert lut.read_bytes() == before


def test_a_plan_too_large_for_a_bundle_is_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_module, "MOST_POINTS", 3)
    answer = run("build", *FEW, "--out", tmp_path / "b.zip")
    assert answer.code == 2
    assert "4 points and a bundle holds 3" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_trust_without_a_bundle_is_refused(run: Run, tmp_path: Path) -> None:
    answer = run("measure", "--trust", "--out", tmp_path / "lut.csv")
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert "--bundle" in answer.err
