"""A breakdown as node data of Google's Model Explorer, which colours a model's graph by it.

The format is that of `GraphNodeData` in the package ai-edge-model-explorer: a value for each node,
found by the id that the adapter model-explorer-onnx gives it, and the colours of the least and the
greatest.
"""

from __future__ import annotations

import math
from typing import Any

from ...errors import UserError
from ...tables import Setting
from .breakdown import Breakdown

# From white to red: readable in print, and distinguishable for everybody.
_COLOURS = ((0, "#ffffff"), (0.25, "#fddbc7"), (1, "#b2182b"))


def node_data(found: Breakdown, setting: Setting) -> dict[str, Any]:
    """Return each node's ms by its unique name; they add up to the latency but for untraced nodes.

    A runtime that fuses nodes shows one time for them, which stands at the node that it was traced
    to; nodes of the file without a value took none of their own.

    Raises UserError where no node could be traced to a node of the file.
    """
    ms: dict[str, list[float]] = {}
    for one in found.nodes:
        if one.origin is not None and one.origin.unique:
            ms.setdefault(one.origin.unique, []).append(one.ms)
    if not ms:
        raise UserError(
            f"no node of {found.model or 'the model'} could be traced to the ONNX file, so Model "
            "Explorer has nothing to show; take --nodes to see what the runtime executed."
        )
    return {
        "name": f"ms ({setting.device}, {setting.backend}, {setting.dtype}, batch {setting.batch})",
        "results": {name: {"value": math.fsum(each)} for name, each in ms.items()},
        "gradient": [{"stop": stop, "bgColor": colour} for stop, colour in _COLOURS],
    }
