"""What is compiled is kept in a folder, and taken from there by the next workshop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from vitprof.backends import BackendError, BackendOptions, OnnxRuntimeBackend
from vitprof.errors import UserError
from vitprof.models import Block
from vitprof.profiler.target import Target
from vitprof.profiler.workshop import CannotBuildError, Workshop
from vitprof.tables import Setting

MLP = (Block.of("mlp", embed=8, mlp=16, tokens=2),)
OTHER = (Block.of("mlp", embed=8, mlp=24, tokens=2),)


@pytest.fixture
def target(new_backend: Callable[..., Any], toy_setting: Setting) -> Target:
    return Target(new_backend(), toy_setting)


def sums(target: Target, *subjects: Any) -> list[tuple[float, ...]]:
    """Open a session of each in a workshop of its own; return the sums its outputs are to have."""
    with Workshop(target) as workshop:
        for subject in subjects:
            workshop.fresh_session(subject).close()
        found = [workshop.expected(subject) for subject in subjects]
    return [() if one is None else one[0].sums for one in found]


def test_the_second_workshop_compiles_nothing(target: Target, tmp_path: Path) -> None:
    keeping = target.keeping(tmp_path / "new" / "kept")
    first = sums(keeping, MLP, OTHER)
    assert len(target.backend.built) == 2
    assert [len(one) for one in first] == [64, 64]
    again = sums(keeping, MLP, OTHER)
    assert again == [pytest.approx(one, rel=1e-6) for one in first]
    assert len(target.backend.built) == 2
    sums(target, MLP)
    assert len(target.backend.built) == 3, "without a folder it is compiled"


@pytest.mark.parametrize("change", [{"threads": 2}, {"batch": 4}, {"dtype": "int8"}])
def test_another_setting_is_compiled_anew(
    target: Target, tmp_path: Path, change: dict[str, Any]
) -> None:
    sums(target.keeping(tmp_path), MLP)
    other = replace(target, setting=replace(target.setting, **change))
    sums(other.keeping(tmp_path), MLP)
    assert len(target.backend.built) == 2


def test_another_version_is_compiled_anew(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sums(target.keeping(tmp_path), MLP)
    monkeypatch.setattr("vitprof.profiler.kept_artifacts.__version__", "9.9")
    sums(target.keeping(tmp_path), MLP)
    assert len(target.backend.built) == 2


@pytest.mark.parametrize("name", ["*.artifact", "*.json"])
@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"", lambda data: b"[]"])
def test_what_is_damaged_is_compiled_anew_and_mended(
    target: Target, tmp_path: Path, name: str, damage: Callable[[bytes], bytes]
) -> None:
    keeping = target.keeping(tmp_path)
    (first,) = sums(keeping, MLP)
    (file,) = tmp_path.glob(name)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    if file.suffix == ".json" and damage(whole) == whole[:-1]:
        file.write_bytes(whole[:-3])  # without the closing brace, not only the line's end
    assert sums(keeping, MLP) == [pytest.approx(first, rel=1e-6)]
    assert len(target.backend.built) == 2
    assert file.read_bytes() == whole


def test_what_cannot_be_compiled_is_not_kept(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(*_: object) -> bytes:
        raise BackendError("no such operator")

    monkeypatch.setattr(target.backend, "build", build)
    with pytest.raises(CannotBuildError, match="no such operator"):
        sums(target.keeping(tmp_path), MLP)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_folders_place_is_refused(target: Target, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match="is not a folder to keep artifacts in"):
        target.keeping(tmp_path / "taken")


def test_an_artifact_that_refers_to_a_file_is_refused(tmp_path: Path, toy_setting: Setting) -> None:
    """The folder may be a stranger's: its artifacts are checked like a bundle's."""
    import hashlib
    import json

    import onnx

    backend = OnnxRuntimeBackend()
    setting = replace(toy_setting, backend="onnxruntime", provider="")
    keeping = Target(backend, setting).keeping(tmp_path)
    sums(keeping, MLP)
    (file,) = tmp_path.glob("*.artifact")
    model = onnx.load_from_string(file.read_bytes())
    model.graph.initializer[0].ClearField("raw_data")
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    model.graph.initializer[0].external_data.add(key="location", value="/etc/passwd")
    file.write_bytes(model.SerializeToString())
    record = json.loads(file.with_suffix(".json").read_text())
    record["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    file.with_suffix(".json").write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"is refused: .*; delete it"):
        sums(keeping, MLP)


def test_options_of_the_backend_are_part_of_the_name(target: Target, tmp_path: Path) -> None:
    one = target.keeping(tmp_path).artifacts
    assert one is not None
    options = BackendOptions()
    first = one.of(target.backend, options, target.setting)
    assert first.find(MLP) is None
    first.keep(MLP, b"data", None)
    assert first.find(MLP) == (b"data", None)
    assert first.find(OTHER) is None
