"""What ONNX Runtime itself makes of a graph: the oracle of the fusion."""

from __future__ import annotations

from collections import Counter

import onnx
from vitprof.backends import BackendOptions
from vitprof.backends.onnxruntime.prepared import optimised_graph
from vitprof.foreign.fusion import fused
from vitprof.foreign.onnx_file import onnx_from_bytes
from vitprof.foreign.rules import Rules
from vitprof.foreign.shapes import graph_of
from vitprof.profiler.channels_per_block import channels_per_block


def of_runtime(model: bytes) -> Counter[str]:
    """Return how often the runtime's optimised graph has which node, with its activation."""
    found: Counter[str] = Counter()
    optimised = onnx.load_model_from_string(optimised_graph(model, BackendOptions()))
    for node in optimised.graph.node:
        activation = next((a.s.decode() for a in node.attribute if a.name == "activation"), "")
        added = node.op_type == "Conv" and len(node.input) > 3 and bool(node.input[3])
        found[_name(node.op_type, "nchwc" in node.domain, activation, added)] += 1
    return found


def of_ours(model: bytes) -> Counter[str]:
    """Return the same of the nodes that vitprof finds without the runtime."""
    graph = graph_of(onnx_from_bytes(model, "model"))
    found: Counter[str] = Counter()
    for node in fused(graph, Rules(channels_per_block())):
        activation = str(node.attributes.get("activation", ""))
        added = bool(node.attributes.get("added"))
        found[_name(node.op, bool(node.attributes.get("blocked")), activation, added)] += 1
    return found


def _name(op: str, blocked: bool, activation: str, added: bool) -> str:
    # The runtime's layout is a domain of convolutions only; elsewhere blocks change no node.
    layout = " in blocks" if blocked and op == "Conv" else ""
    more = f" + {activation}" if activation else ""
    return {"Upsample": "Resize"}.get(op, op) + layout + more + (" + sum" if added else "")
