"""Models that ONNX Runtime has optimised already: they load in less than half the time.

Most of the time to open a session goes into rewriting the graph, the same way every time. A
prepared model is the graph as it was rewritten on this machine, and is opened with optimisation
off: the same nodes run by the same kernels.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from ...temporary_folder import TemporaryFolder
from ..protocol import BackendOptions
from .session_options import CPU_PROVIDER, session_options

# What the runtime writes is one protobuf message, which cannot pass 2 GiB. Half of that leaves
# room: constants that it computes beforehand are written too, and fp16 weights become fp32.
_LARGEST = 2**30


def prepared_model(model: bytes, options: BackendOptions) -> bytes:
    """Return the optimised graph of an ONNX model, for sessions of this process under `options`.

    The model itself comes back where there is nothing to gain (no optimisation asked for), where
    another provider than the CPU's compiles it, and where the runtime cannot write its graph.
    """
    if (
        options.provider != CPU_PROVIDER
        or options.optimization == "disabled"
        or len(model) > _LARGEST
        or is_prepared(model)
    ):
        return model
    try:
        return optimised_graph(model, options) + _MARK
    except Exception:  # loading the model as it is will say why, if it cannot be loaded
        return model


def as_it_is(model: bytes) -> bytes:
    """Return a model whose nodes this process made, to be run without any rewriting."""
    return model + _MARK


def is_prepared(model: bytes) -> bool:
    """Tell whether `prepared_model` made it, in this process."""
    return model.endswith(_MARK)


def unoptimised(session: Any) -> Any:
    """Return SessionOptions changed to open a prepared model."""
    import onnxruntime

    session.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    # The file has the nodes in the order in which they were to run. Sorted by default they would
    # run in another, for their numbers are new.
    session.execution_order = onnxruntime.ExecutionOrder.PRIORITY_BASED
    return session


def optimised_graph(model: bytes, options: BackendOptions) -> bytes:
    """Return the graph that a session of the model would run, as ONNX Runtime writes it."""
    import onnxruntime

    with TemporaryFolder() as folder:
        path = Path(folder) / "optimised.onnx"
        session = session_options(options)
        session.optimized_model_filepath = str(path)
        # This session never runs, so its weights need not be laid out for the kernels.
        session.add_session_config_entry("session.disable_prepacking", "1")
        onnxruntime.InferenceSession(
            model, session, providers=[options.provider], enable_fallback=False
        )
        return path.read_bytes()


def _mark(token: bytes) -> bytes:
    """Return one more entry of a model's metadata; protobuf merges what is appended.

    At the end, so that megabytes of weights need not be copied to take it off again.
    """
    key = b"vitprof.prepared"
    entry = b"\x0a" + bytes([len(key)]) + key + b"\x12" + bytes([len(token)]) + token
    metadata_props = 14 << 3 | 2
    return bytes([metadata_props, len(entry)]) + entry


# A file from elsewhere cannot know it, and so is never taken for what was checked and made here.
_MARK = _mark(secrets.token_hex(16).encode())
