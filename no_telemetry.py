"""The telemetry of libraries is off: nothing about models or machines is sent anywhere.

ONNX Runtime sends it from Linux and macOS too since 1.29: names and hashes of models, among others.
Its variable counts only before its first import, so `import vitprof` sets all of them. A variable
that the user has set stays as it is.
"""

from __future__ import annotations

import os
import sys

OFF = {
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "WANDB_ERROR_REPORTING": "false",
}
# What OpenVINO and NNCF import to send; they do without it where it cannot be imported.
_OF_OPENVINO = "openvino_telemetry"


def switch_off_telemetry() -> None:
    """Set the variables of all libraries that read one."""
    for name, value in OFF.items():
        os.environ.setdefault(name, value)


def switch_off_openvinos() -> None:
    """Keep OpenVINO and NNCF from finding their package for it, unless it is imported already.

    They have no variable: they ask for consent in a dialog, and send where there was none.
    """
    sys.modules.setdefault(_OF_OPENVINO, None)  # type: ignore[arg-type]
