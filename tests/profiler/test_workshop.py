"""The workshop: what is compiled once, prepared once, and loaded afresh often."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from vitprof.backends import BackendError, BackendOptions, OnnxRuntimeBackend
from vitprof.backends.onnxruntime.prepared import is_prepared
from vitprof.models import Block
from vitprof.profiler.target import Target
from vitprof.profiler.workshop import Artifact, CannotBuildError, Workshop
from vitprof.tables import Setting

MLP = (Block.of("mlp", embed=8, mlp=16, tokens=2),)
OTHER = (Block.of("mlp", embed=8, mlp=24, tokens=2),)


@pytest.fixture
def preparing(new_backend: Callable[..., Any]) -> Any:
    """A scripted runtime that prepares: the artifact says so, and `prepared` counts it."""

    class Preparing(new_backend):  # type: ignore[misc, valid-type]
        prepare_fault = ""
        prepared = 0
        loaded: list[dict[str, int]]

        def prepare(self, artifact: bytes, options: BackendOptions) -> bytes:
            self.prepared += 1
            if self.prepare_fault:
                raise BackendError(self.prepare_fault)
            return json.dumps(json.loads(artifact) | {"prepared": 1}).encode()

        def load(self, artifact: bytes, options: BackendOptions) -> Any:
            self.loaded.append(json.loads(artifact))
            return super().load(artifact, options)

    backend = Preparing()
    backend.loaded = []
    return backend


def is_made(artifact: dict[str, int]) -> bool:
    return "prepared" in artifact


def test_a_subject_is_built_and_prepared_once_and_loaded_often(
    preparing: Any, toy_setting: Setting
) -> None:
    with Workshop(Target(preparing, toy_setting)) as workshop:
        for subject in (MLP, OTHER, MLP, MLP):
            workshop.fresh_session(subject).close()
    assert (len(preparing.built), preparing.prepared) == (2, 2)
    assert [is_made(one) for one in preparing.loaded] == [True] * 4
    assert [one["params"] for one in preparing.loaded[2:]] == [preparing.built[0]["params"]] * 2


def test_what_is_built_for_elsewhere_is_not_prepared(preparing: Any, toy_setting: Setting) -> None:
    workshop = Workshop(Target(preparing, toy_setting))
    assert not is_made(json.loads(workshop.build(MLP)))


def test_what_was_built_is_built_again_only_where_it_was_prepared(
    preparing: Any, toy_setting: Setting
) -> None:
    with Workshop(Target(preparing, toy_setting)) as workshop:
        workshop.fresh_session(MLP).close()
        assert not is_made(json.loads(workshop.built(MLP)))
        assert len(preparing.built) == 2
        preparing.prepare_fault = "no room"
        workshop.fresh_session(OTHER).close()
        assert not is_made(json.loads(workshop.built(OTHER)))
        assert len(preparing.built) == 3


def test_where_preparing_fails_the_artifact_is_loaded_as_it_was_built(
    preparing: Any, toy_setting: Setting
) -> None:
    preparing.prepare_fault = "no room"
    with Workshop(Target(preparing, toy_setting)) as workshop:
        workshop.fresh_session(MLP).run()
        workshop.fresh_session(MLP).run()
    assert preparing.prepared == 1
    assert [is_made(one) for one in preparing.loaded] == [False, False]


def test_where_the_prepared_one_does_not_load_the_built_one_does(
    preparing: Any, toy_setting: Setting
) -> None:
    preparing.load_fault = lambda artifact: "no kernel" if is_made(artifact) else ""
    with Workshop(Target(preparing, toy_setting)) as workshop:
        for subject in (MLP, OTHER, MLP, OTHER):
            workshop.fresh_session(subject).run()
    params = [(one["params"], is_made(one)) for one in preparing.loaded]
    one, other = (built["params"] for built in preparing.built[::2])
    assert one != other
    tried = [(one, True), (one, False), (other, True), (other, False)]
    assert params == [*tried, (one, False), (other, False)]


def test_what_loads_neither_way_is_told_in_the_runtimes_words(
    preparing: Any, toy_setting: Setting
) -> None:
    preparing.load_fault = lambda artifact: "no kernel"
    with Workshop(Target(preparing, toy_setting)) as workshop:
        for _ in range(2):
            with pytest.raises(CannotBuildError, match=r"^no kernel$"):
                workshop.fresh_session(MLP)
    assert [is_made(one) for one in preparing.loaded] == [True, False, False]


class Elsewhere:
    """Artifacts that were built before."""

    built: ClassVar[dict[str, object]] = {}
    reference = None

    def __init__(self, artifacts: dict[Any, bytes]) -> None:
        self.artifacts = artifacts
        self.asked = 0

    def artifact(self, subject: Any) -> Artifact:
        self.asked += 1
        return Artifact("here", self.artifacts[subject])


def test_what_was_built_elsewhere_is_prepared_here_once(
    preparing: Any, toy_setting: Setting
) -> None:
    target = Target(preparing, toy_setting)
    elsewhere = Elsewhere({MLP: Workshop(target).build(MLP)})
    preparing.built.clear()
    with Workshop(target, elsewhere) as workshop:
        for _ in range(3):
            workshop.fresh_session(MLP).run()
    assert (preparing.built, preparing.prepared, elsewhere.asked) == ([], 1, 1)
    assert [is_made(one) for one in preparing.loaded] == [True] * 3


def test_onnx_runtime_loads_prepared_models_which_go_with_the_workshop(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    backend = OnnxRuntimeBackend()
    target = Target(backend, Setting("cpu", backend.name, backend.default_provider))
    with Workshop(target) as workshop:
        with workshop.fresh_session(MLP) as executable:
            executable.run()
        assert is_prepared(workshop.artifact(MLP))
        assert not is_prepared(workshop.build(MLP))
    assert list(tmp_path.iterdir()) == []
