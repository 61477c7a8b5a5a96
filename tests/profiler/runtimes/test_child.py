"""Child processes that answer requests: refusals, crashes, chatter, restarts."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from vitprof.backends import BackendError
from vitprof.errors import UserError
from vitprof.profiler.runtimes.child import Child

ECHO = """
import os, sys, time
from vitprof.profiler.runtimes.child import serve
from vitprof.temporary_folder import TemporaryFolder

kept = []

def answer(request):
    print("chatter of a library")
    if request["do"] == "fail":
        raise ValueError("two\\nlines")
    if request["do"] == "die":
        print("last words", file=sys.stderr, flush=True)
        os._exit(7)
    if request["do"] == "crash":
        os.abort()
    if request["do"] == "keep":
        folder = TemporaryFolder()
        kept.append(folder)
        (folder.path / "model").write_text("")
        return {"place": str(folder.path)}
    if request["do"] == "hang":
        time.sleep(60)
    return {"said": request["text"], "pid": os.getpid()}

serve(answer)
"""


@pytest.fixture(autouse=True)
def _echo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "echo_child.py").write_text(ECHO)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def test_what_libraries_print_is_no_answer() -> None:
    with Child(sys.executable, "echo_child") as child:
        assert child.ask("say", text="ä\n")["said"] == "ä\n"


def test_an_exception_is_one_line_and_the_child_goes_on() -> None:
    with Child(sys.executable, "echo_child") as child:
        with pytest.raises(BackendError, match=r"^two lines$"):
            child.ask("fail")
        assert child.ask("say", text="on")["said"] == "on"


def test_a_child_that_ends_tells_how_and_is_started_again() -> None:
    with Child(sys.executable, "echo_child") as child:
        first = child.ask("say", text="")["pid"]
        with pytest.raises(BackendError, match="exit code 7: last words"):
            child.ask("die")
        with pytest.raises(BackendError, match="signal 6"):
            child.ask("crash")
        assert child.ask("say", text="")["pid"] != first


def test_a_child_is_renewed_by_another_process() -> None:
    with Child(sys.executable, "echo_child") as child:
        first = child.ask("say", text="")["pid"]
        assert child.ask("say", text="")["pid"] == first
        assert child.answers == 2
        child.renew()
        assert child.answers == 0
        assert child.ask("say", text="")["pid"] != first


def test_a_system_that_starts_no_process_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with Child(sys.executable, "echo_child") as child:
        first = child.ask("say", text="")["pid"]
        child.renew()
        with monkeypatch.context() as patch:
            patch.setattr(subprocess, "Popen", refused)
            with pytest.raises(BackendError, match="no process can be started: Resource temp"):
                child.ask("say", text="")
        assert child.ask("say", text="")["pid"] != first


def refused(*_: object, **__: object) -> None:
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


def test_a_child_that_hangs_is_ended() -> None:
    with (
        Child(sys.executable, "echo_child", seconds=0.5) as child,
        pytest.raises(BackendError, match="no answer to 'hang'"),
    ):
        child.ask("hang")


def test_closing_twice_does_nothing_and_ends_the_process() -> None:
    child = Child(sys.executable, "echo_child")
    child.close()
    child.close()


def test_a_python_that_is_none_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be run"):
        Child(str(tmp_path / "python"), "echo_child")


@pytest.mark.parametrize("killed", [False, True])
def test_what_a_child_had_in_temporary_files_goes_with_it(
    killed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    (tmp_path / "tmp").mkdir()
    with pytest.raises(KeyboardInterrupt), Child(sys.executable, "echo_child") as child:
        place = Path(child.ask("keep")["place"])
        assert place.is_relative_to(tmp_path / "tmp")
        assert (place / "model").exists()
        if not killed:
            child.close()
        raise KeyboardInterrupt
    assert list((tmp_path / "tmp").iterdir()) == []
    tempfile.tempdir = None
