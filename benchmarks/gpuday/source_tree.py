"""Importing vitprof from a source tree that is not installed."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Where containers keep the driver's tools, which need not be on PATH.
DRIVER_TOOLS = "/usr/local/nvidia/bin"


def path_with_driver_tools() -> str:
    """Return PATH with the driver's folder behind all others."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), DRIVER_TOOLS])


def environment_of_children(folder: Path) -> dict[str, str]:
    """Return the environment in which `import vitprof` finds this very source tree.

    The package's folder is the checkout, which may have any name: a link in `folder` gives it its
    name. What the parts keep (known machines, compiled kernels) stays in `folder` too.
    """
    source = folder / "source"
    source.mkdir(parents=True, exist_ok=True)
    link = source / "vitprof"
    if link.is_symlink():
        link.unlink()
    link.symlink_to(ROOT, target_is_directory=True)
    given = os.environ.get("PYTHONPATH")
    paths = [str(source), str(ROOT / "benchmarks"), *([given] if given else [])]
    return {
        **os.environ,
        "PATH": path_with_driver_tools(),
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "agg",
        "VITPROF_STATE": str(folder / "state"),
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
        "TRITON_CACHE_DIR": str(folder / "triton"),
        # No network: nothing may be fetched, and nothing may wait for it.
        "HF_HUB_OFFLINE": "1",
    }
