"""Whether a `.tflite` model from elsewhere may be loaded: looked at, and then tried in a child."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from ...temporary_folder import TemporaryFolder
from ..protocol import BackendError

_IDENTIFIER = b"TFL3"
_SECONDS_TO_LOAD = 60
# What the child may have of memory beyond the model: XNNPACK repacks weights and has its arena.
_MEMORY_BYTES = 8 << 30
# Run by a Python of its own: a model that crashes the runtime crashes that.
_TRIAL = f"""
import json, os, resource, sys
sys.path[:] = json.loads(sys.argv[2])
for limit, value in (
    (resource.RLIMIT_AS, {_MEMORY_BYTES}),
    (resource.RLIMIT_CPU, {_SECONDS_TO_LOAD}),
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_FSIZE, 0),
):
    resource.setrlimit(limit, (value, value))
said = os.dup(1)
nowhere = os.open(os.devnull, os.O_WRONLY)
os.dup2(nowhere, 1)
os.dup2(nowhere, 2)
try:
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter
    data = open(sys.argv[1], "rb").read()
    interpreter = Interpreter(model_content=data, num_threads=1)
    model = schema.Model.GetRootAsModel(data, 0)
    elsewhere = getattr(model, "ExternalBufferGroupsLength", lambda: 0)()
    if elsewhere:
        raise ValueError("it keeps its weights in other files")
    interpreter.allocate_tensors()
    for tensor in interpreter.get_input_details():
        interpreter.set_tensor(tensor["index"], np.zeros(tensor["shape"], tensor["dtype"]))
    interpreter.invoke()
    answer = "ok"
except BaseException as error:
    answer = " ".join(str(error).split())[:300] or type(error).__name__
os.write(said, answer.encode("utf-8", "replace"))
os._exit(0)
"""


def check_header(model: bytes) -> None:
    """Raise BackendError unless the bytes begin as a LiteRT model does."""
    root = int.from_bytes(model[:4], "little")
    if model[4:8] != _IDENTIFIER or not 8 <= root < len(model) - 4:
        raise BackendError(
            "this is no LiteRT model: it does not begin as a .tflite file does (TFL3)."
        )


def check_runs_alone(model: bytes) -> None:
    """Raise BackendError unless a process of its own loads and runs the model once.

    The runtime's own checks find most damage; what they miss ends that process, not this one. It
    may write no file and has limits of time and memory.
    """
    check_header(model)
    libraries = [entry for entry in sys.path if entry]  # where this process has them from
    with TemporaryFolder() as folder:
        file = Path(folder) / "model.tflite"
        file.write_bytes(model)
        try:
            tried = subprocess.run(  # noqa: S603 - our own program, this very Python
                [sys.executable, "-I", "-c", _TRIAL, str(file), json.dumps(libraries)],
                capture_output=True,
                timeout=2 * _SECONDS_TO_LOAD,
                check=False,
                cwd=folder,
            )
        except subprocess.TimeoutExpired:
            raise BackendError(
                f"this LiteRT model was not loaded within {2 * _SECONDS_TO_LOAD} s."
            ) from None
    answer = tried.stdout.decode("utf-8", "replace")
    if tried.returncode != 0 or not answer:
        raise BackendError("this LiteRT model ends the process that loads it.")
    if answer != "ok":
        raise BackendError(f"LiteRT does not take this model: {answer}")
