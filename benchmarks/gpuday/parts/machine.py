"""What the machine is, and whether the backend keeps every promise on it."""

from __future__ import annotations

import platform

from vitprof.backends import BackendOptions
from vitprof.backends.installed import installed
from vitprof.backends.registry import backend_kind
from vitprof.profiler.conformance.backend import check_backend

from ..findings import Findings
from ..rig import Rig

SETTINGS = ("provider", "dtype", "sparsity", "cache", "graph")
PACKAGES = ("numpy", "onnx", "onnxruntime", "triton", "nvidia-ml-py", "tensorrt-rtx")


def run(rig: Rig, findings: Findings) -> None:
    import torch

    findings.fact("device", rig.device.title)
    findings.fact("Python", platform.python_version())
    backend = rig.runtime()
    options = BackendOptions(dtype=rig.dtypes[0], provider=backend.default_provider)
    for name, value in backend.environment(options).items():
        if value is not None and name not in SETTINGS:
            findings.fact(name, value)
    if not rig.rehearse:
        findings.fact("cudnn", torch.backends.cudnn.version())
        findings.fact("cuSPARSELt", _cusparselt())
        findings.fact("GPU memory, GiB", f"{torch.cuda.mem_get_info()[1] / 2**30:.0f}")
    for package in PACKAGES:
        findings.fact(package, installed(package) or "not installed")
    if not rig.is_known:
        findings.say(f"vitprof has no device for this GPU; it was measured as '{rig.device.name}'.")
    broken = 0
    for one in check_backend(backend_kind(rig.backend)):
        broken += one.answer == "broken"
        columns = ("promise", "answer", "why")
        findings.row(f"Backend {rig.backend}", columns, (one.promise, one.answer, one.why))
    if broken:
        findings.say(f"{broken} promises are broken.")


def _cusparselt() -> str:
    import torch

    try:
        library = torch.backends.cusparselt
        return str(library.version()) if library.is_available() else "not in this torch"
    except Exception as error:  # a library that is there and cannot be loaded
        return f"cannot be used: {' '.join(str(error).split())[:200]}"
