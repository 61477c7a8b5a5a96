"""How a session of ONNX Runtime is set up: quiet, sequential, and without a fallback."""

from __future__ import annotations

import os
from typing import Any

from ..protocol import BackendOptions

CPU_PROVIDER = "CPUExecutionProvider"
# Errors are raised; the log of them on stderr has colour codes, also where it is not a terminal.
_FATAL_ONLY = 4


def cores_of_workers(threads: int) -> list[int]:
    """Return a core for each thread but the calling one (`profiler/place/pinned.py`).

    None where one thread is enough, or where there are fewer cores than threads.
    """
    if threads < 2 or not hasattr(os, "sched_getaffinity"):
        return []
    cores = sorted(os.sched_getaffinity(0))
    return cores[1:threads] if len(cores) >= threads else []


def session_options(options: BackendOptions) -> Any:
    """Return a new onnxruntime.SessionOptions for measuring under `options`."""
    import onnxruntime

    levels = onnxruntime.GraphOptimizationLevel
    session = onnxruntime.SessionOptions()
    session.intra_op_num_threads = options.threads
    session.inter_op_num_threads = 1
    session.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    session.graph_optimization_level = {
        "disabled": levels.ORT_DISABLE_ALL,
        "basic": levels.ORT_ENABLE_BASIC,
        "extended": levels.ORT_ENABLE_EXTENDED,
        "all": levels.ORT_ENABLE_ALL,
    }[options.optimization]
    session.log_severity_level = _FATAL_ONLY
    # Several threads wait for each other many times a run, and waking one takes 50 µs. Idle threads
    # that spin slow what else is being timed on this machine: they stop with the run.
    spinning = "1" if options.threads > 1 else "0"
    session.add_session_config_entry("session.intra_op.allow_spinning", spinning)
    session.add_session_config_entry("session.force_spinning_stop", "1")
    workers = cores_of_workers(options.threads)
    if workers:
        affinities = ";".join(str(core + 1) for core in workers)  # the runtime counts from 1
        session.add_session_config_entry("session.intra_op_thread_affinities", affinities)
    # The runtime has a format of its own too, which nobody has looked into.
    session.add_session_config_entry("session.load_model_format", "ONNX")
    if options.provider != CPU_PROVIDER:
        # Nodes a provider does not take would run on the CPU and be timed under its name.
        session.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    return session
