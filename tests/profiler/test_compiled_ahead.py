"""Compiling in several processes at once: what lies in the folder, crashes, interruptions."""

from __future__ import annotations

import tempfile
from pathlib import Path

import psutil
import pytest
from vitprof import UserError
from vitprof.models import Block, ViTSpec
from vitprof.profiler import compiled_ahead as module
from vitprof.profiler.compiled_ahead import compiled_ahead
from vitprof.profiler.plan import Subject
from vitprof.profiler.runtimes.child import Child
from vitprof.profiler.target import Target, target_of
from vitprof.profiler.workshop import Workshop
from vitprof.tables.setting import PartialSetting

pytestmark = pytest.mark.slow

BLOCKS: list[Subject] = [(Block.of("mlp", embed=8, mlp=mlp, tokens=2),) for mlp in (8, 16, 24)]
MODEL = ViTSpec.uniform(8, 1, 1, resolution=8, patch=4, classes=2, name="smallest")
CRASHES = """
import os
from vitprof.profiler.runtimes.child import serve
serve(lambda request: os.abort())
"""


@pytest.fixture
def target() -> Target:
    return target_of(PartialSetting())


@pytest.fixture
def nothing_compiles_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(*_: object) -> bytes:
        raise AssertionError("it was compiled ahead")

    monkeypatch.setattr(Workshop, "build", build)


def compile_here(target: Target, subjects: list[Subject]) -> list[bytes]:
    with Workshop(target) as workshop:
        return [workshop.built(one) for one in subjects]


def test_what_processes_compile_is_what_one_would(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subjects = [*BLOCKS, MODEL, BLOCKS[0]]
    expected = compile_here(target, subjects)
    seen = []

    def on_progress(stage: str, done: int, total: int, detail: str) -> None:
        seen.append((stage, done, total))

    kept = target.keeping(tmp_path)
    with compiled_ahead(subjects, kept, 2, on_progress=on_progress) as place:
        assert place is kept
        monkeypatch.setattr(Workshop, "build", None)
        assert compile_here(place, subjects) == expected
    assert seen == [("compiling", done, 4) for done in range(5)], "each subject once"
    assert len(list(tmp_path.glob("*.artifact"))) == 4


@pytest.mark.usefixtures("nothing_compiles_here")
def test_a_process_that_compiled_many_is_renewed(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POINTS_A_PROCESS", 1)
    started = []

    class Counted(Child):
        def _start(self) -> None:
            super()._start()
            started.append(self._process.pid)

    monkeypatch.setattr(module, "Child", Counted)
    with compiled_ahead(BLOCKS, target.keeping(tmp_path), 2) as place:
        assert len(compile_here(place, BLOCKS)) == 3
    assert len(set(started)) == 3, "two, and one for the third block"
    assert not any(psutil.pid_exists(pid) for pid in started)


@pytest.mark.usefixtures("nothing_compiles_here")
def test_without_a_folder_it_is_a_temporary_one(target: Target) -> None:
    with compiled_ahead(BLOCKS, target, 8) as place:
        assert place.artifacts is not None
        folder = place.artifacts.folder
        assert len(compile_here(place, BLOCKS)) == 3
    assert not folder.exists()


def test_one_job_or_one_subject_starts_no_process(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "Child", None)
    for subjects, jobs in ((BLOCKS, 1), (BLOCKS[:1], 8), ([], 8)):
        with compiled_ahead(subjects, target, jobs) as place:
            assert place is target


def test_what_crashes_a_process_is_left_to_whoever_needs_it(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "crashes.py").write_text(CRASHES)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(module, "COMPILER", "crashes")
    with compiled_ahead(BLOCKS, target, 2) as place:
        assert compile_here(place, BLOCKS) == compile_here(target, BLOCKS)


def test_a_block_of_another_device_needs_no_such_device(tmp_path: Path) -> None:
    from vitprof.profiler.target import builder_of

    target = builder_of(PartialSetting(device="t4")).keeping(tmp_path)
    with compiled_ahead(BLOCKS[:2], target, 2, elsewhere=True):
        assert len(list(tmp_path.glob("*.artifact"))) == 2


def test_an_interruption_ends_the_processes(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def interrupt(stage: str, done: int, total: int, detail: str) -> None:
        if done == 1:
            assert children(), "another one is being compiled"
            raise KeyboardInterrupt

    def children() -> list[psutil.Process]:
        found = psutil.Process().children(recursive=True)
        return [one for one in found if any("profiler.compiler" in w for w in one.cmdline())]

    with (
        pytest.raises(KeyboardInterrupt),
        compiled_ahead(BLOCKS, target, 2, on_progress=interrupt),
    ):
        pytest.fail("it was interrupted before")
    assert not children()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_ends_it_at_once(target: Target, tmp_path: Path) -> None:
    subjects: list[Subject] = [
        (Block.of("mlp", embed=8, mlp=mlp, tokens=2),) for mlp in range(8, 48, 8)
    ]
    done = []
    kept = target.keeping(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    (tmp_path / "gone").touch()
    with (
        pytest.raises(UserError, match="is not a folder to keep artifacts in"),
        compiled_ahead(subjects, kept, 2, on_progress=lambda *told: done.append(told[1])),
    ):
        pytest.fail("nothing can be kept")
    assert done == [0]
