"""How a session of ONNX Runtime is set up: quiet, sequential, and without a fallback."""

from __future__ import annotations

from typing import Any

from ..protocol import BackendOptions

CPU_PROVIDER = "CPUExecutionProvider"
_ERRORS_ONLY = 3


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
    session.log_severity_level = _ERRORS_ONLY
    # Idle threads that spin slow whatever else is being timed on this machine.
    session.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session.add_session_config_entry("session.force_spinning_stop", "1")
    # The runtime has a format of its own too, which nobody has looked into.
    session.add_session_config_entry("session.load_model_format", "ONNX")
    if options.provider != CPU_PROVIDER:
        # Nodes a provider does not take would run on the CPU and be timed under its name.
        session.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    return session
