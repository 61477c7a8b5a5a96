"""Signals are handled after sessions of OpenVINO, opened and closed in any order."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("openvino")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="what is kept is Linux's"),
]

# A child process, for what fails is a segmentation fault.
SESSIONS = """
import faulthandler, os, signal, sys, threading, time
import torch
from vitprof.backends import BackendOptions
from vitprof.backends.openvino.backend import OpenVinoBackend

faulthandler.enable()  # it handles signals on a stack of its own, and so then does Python
backend, options = OpenVinoBackend(), BackendOptions(provider="CPU")
artifact = backend.build(torch.nn.Linear(8, 8), (1, 8), options)
first, second = (backend.load(artifact, options) for _ in range(2))
if sys.argv[1] == "another thread":
    closing = threading.Thread(target=lambda: (first.close(), second.close()))
    closing.start()
    closing.join()
else:
    first.close()
    second.close()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("closed_in", ["this thread", "another thread"])
def test_ctrl_c_interrupts_after_sessions_are_closed(closed_in: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SESSIONS, closed_in],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr[-2000:]
