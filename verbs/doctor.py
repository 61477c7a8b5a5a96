"""`vitprof.doctor`: what is installed, what is missing for what, and what will hurt measuring."""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..progress import shown_wait
from ..results import Result

if TYPE_CHECKING:
    import pandas as pd

    from ..backends.registry import BackendKind
    from ..profiler.speed_probe import SpeedProbe

# The packages whose version says most of a backend; one of another wheel has its own words.
_PACKAGES = {
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "torch": ("torch",),
    "cuda": ("torch",),
    "tensorrt": ("tensorrt-rtx", "tensorrt"),
    "coreml": ("coremltools",),
    "openvino": ("openvino",),
    "litert": ("ai-edge-litert", "litert-torch"),
    "executorch": ("executorch",),
}
# What an extra is for, where that is not a backend.
_FOR = {
    "measure": "measuring, and models as PyTorch modules",
    "train": "training on images",
    "search": "vitprof search by evolution",
    "text": "texts as data",
    "int8": "int8 by PyTorch",
    "segmentation": "Mask2Former, and reference models",
    "validate": "the random forest that validate compares with",
    "ray": "measuring on a fleet",
    "cuda": "clocks and temperature of NVIDIA GPUs",
    "tensorrt": "TensorRT for RTX",
    "coreml": "Core ML",
    "openvino": "OpenVINO",
    "litert": "LiteRT: measuring",
    "litert-build": "LiteRT: building",
    "executorch": "ExecuTorch",
}
# Wheels that pin other versions of the same libraries.
APART = (
    "litert-torch (torch below 2.14, jax, torchao) and executorch (its own torch) do not install "
    "beside each other; give each an environment of its own, build in one (vitprof build) and "
    "measure in the other (vitprof measure --bundle)"
)


@dataclass(frozen=True)
class Runtime:
    """A backend: its version, and why it does not measure or build here (None: it does)."""

    name: str
    title: str
    version: str | None
    why_not: str | None
    why_no_build: str | None
    bundled: bool

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "backend": self.name,
            "title": self.title,
            "version": self.version,
            "measures": self.why_not is None,
            "builds": self.why_no_build is None,
            "why_not": self.why_not,
            "why_no_build": self.why_no_build,
        }


@dataclass(frozen=True)
class MissingLibrary:
    """A library that an extra of vitprof would bring, and what it is for."""

    library: str
    extra: str
    needed_for: str

    @property
    def remedy(self) -> str:
        """What installs it."""
        return f"pip install 'vitprof[{self.extra}]'"


@dataclass(frozen=True)
class Diagnosis(Result):
    """What was found of this machine; `hazards` are sentences "cause; remedy"."""

    vitprof: str
    machine: Mapping[str, object]
    runtimes: Sequence[Runtime]
    missing: Sequence[MissingLibrary]
    devices: Sequence[str]
    hazards: Sequence[str]
    speed: SpeedProbe | None

    @property
    def title(self) -> str:
        """How many things will hurt measuring."""
        count = len(self.hazards)
        if not count:
            return "Nothing was found that would hurt measuring."
        return f"{count} thing{'s' if count > 1 else ''} will hurt measuring."

    @property
    def is_doubtful(self) -> bool:
        """Whether something will hurt measuring."""
        return bool(self.hazards)

    def report(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {
            "vitprof": self.vitprof,
            "machine": dict(self.machine),
            "runtimes": [one.as_dict() for one in self.runtimes],
            "missing": [
                {
                    "library": one.library,
                    "extra": one.extra,
                    "needed_for": one.needed_for,
                    "remedy": one.remedy,
                }
                for one in self.missing
            ],
            "apart": APART,
            "devices": list(self.devices),
            "hazards": [
                dict(zip(("cause", "remedy"), cause_and_remedy(one), strict=True))
                for one in self.hazards
            ],
            "speed": self.speed.as_dict() if self.speed else None,
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a line a hazard: its cause and its remedy."""
        import pandas as pd

        lines = [cause_and_remedy(one) for one in self.hazards]
        return pd.DataFrame(lines, columns=["cause", "remedy"])


def cause_and_remedy(sentence: str) -> tuple[str, str]:
    """Return both parts of a sentence "cause; remedy", without its full stop."""
    cause, _, remedy = sentence.rstrip(".").partition("; ")
    return cause, remedy


def doctor(*, quick: bool = False) -> Diagnosis:
    """Say what is installed, what is missing, and what disturbs measuring on this machine.

    Args:
        quick: Skip the test of the machine's speed, which takes three seconds.

    Returns:
        Every backend with its version and whether it measures and builds here, the libraries that
        are missing with the extra that brings them, the devices that can be measured here, and what
        will disturb measuring, each with its remedy. `is_doubtful` where something will.

    Raises:
        UserError: A device file of the user is damaged.

    Example:
        >>> import vitprof
        >>> found = vitprof.doctor(quick=True)
        >>> [one.name for one in found.runtimes][:2]
        ['onnxruntime', 'torch']
    """
    from .. import __version__
    from ..backends import cpu_facts, measuring_hazards
    from ..backends.devices import devices
    from ..backends.machine.standing_hazards import standing_hazards
    from ..backends.registry import backend_kinds

    speed = None
    if not quick:
        from ..profiler.sampling.clock import SystemClock
        from ..profiler.speed_probe import probe_speed

        with shown_wait("testing the machine's speed"):
            speed = probe_speed(SystemClock())  # first, while nothing is imported
    hazards = [*measuring_hazards(1), *standing_hazards(os.environ)]
    if speed is not None:
        hazards += speed.hazards()
    return Diagnosis(
        __version__,
        cpu_facts(),
        [_runtime(kind) for kind in backend_kinds().values()],
        list(_missing()),
        [name for name, device in devices().items() if device.why_not_here() is None],
        hazards,
        speed,
    )


def _runtime(kind: BackendKind) -> Runtime:
    """Return what a backend says of itself, asked for a device that it measures."""
    from ..backends.devices import devices

    version = _version(kind.name)
    if kind.only_on is not None and platform.system() != kind.only_on[0]:
        why_not: str | None = f"{kind.title} runs on {kind.only_on[1]} only"
    else:
        why_not = None
    its = [device for device in devices().values() if kind.name in device.backends]
    if not its:
        return Runtime(kind.name, kind.title, version, "no device is measured by it", None, False)
    reasons = [device.why_not_here(kind.name) for device in its]
    here = [device for device, reason in zip(its, reasons, strict=True) if reason is None]
    backend = kind.create((here or its)[0])
    if why_not is None and not here:
        why_not = backend.unavailable() or reasons[0]
    no_build = backend.unbuildable()
    return Runtime(kind.name, kind.title, version, why_not, no_build, kind.bundled)


def _version(backend: str) -> str | None:
    from ..backends.installed import installed

    found = (installed(package) for package in _PACKAGES.get(backend, ()))
    return next((version for version in found if version), None)


def _missing() -> Iterator[MissingLibrary]:
    from ..extras import EXTRAS

    for library, extra in EXTRAS.items():
        if not _is_there(library):
            yield MissingLibrary(library, extra, _FOR.get(extra, f"the extra {extra}"))


def _is_there(library: str) -> bool:
    try:
        return importlib.util.find_spec(library) is not None
    except (ImportError, ValueError):  # a broken one
        return False
