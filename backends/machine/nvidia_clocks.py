"""What slowed an NVIDIA GPU down: read from its driver between timed windows, never during one.

Polling the driver during a window makes latency spikes. So what is asked here is cumulative: for
how long the GPU has been held back since the last asking.
"""

from __future__ import annotations

from typing import Any

# Policies whose violation means that the GPU was not the GPU it usually is. The power cap is not
# among them: cards such as the T4 run at theirs whenever they are busy.
_POLICIES = {"NVML_PERF_POLICY_THERMAL": "heat", "NVML_PERF_POLICY_RELIABILITY": "reliability"}
# Reasons that may show just after a window, on drivers that do not count violations.
_REASONS = {
    "nvmlClocksThrottleReasonHwThermalSlowdown": "heat (hardware)",
    "nvmlClocksThrottleReasonSwThermalSlowdown": "heat (driver)",
    "nvmlClocksThrottleReasonHwPowerBrakeSlowdown": "the power supply's brake",
}


class ThrottleWatch:
    """Remembers what the driver has counted, so that each asking is about the time since."""

    def __init__(self) -> None:
        self._held_ns: dict[str, int] = {}

    def since_last(self) -> str | None:
        """Return "the GPU was held back by heat" or the like; None if not, or if nobody tells.

        None too without the package nvidia-ml-py (the extra `cuda`), driver or GPU.
        """
        try:
            import pynvml
        except ImportError:
            return None
        try:
            pynvml.nvmlInit()
            try:
                found = self._found(pynvml, first_gpu(pynvml))
            finally:
                pynvml.nvmlShutdown()
        except pynvml.NVMLError:
            return None
        return f"the GPU was held back by {' and '.join(sorted(found))}" if found else None

    def _found(self, pynvml: Any, gpu: Any) -> set[str]:
        found = set()
        for policy, words in _POLICIES.items():
            try:
                status = pynvml.nvmlDeviceGetViolationStatus(gpu, getattr(pynvml, policy))
            except pynvml.NVMLError:
                continue  # not every GPU counts every policy
            held_ns = int(status.violationTime)
            if policy in self._held_ns and held_ns > self._held_ns[policy]:
                found.add(words)
            self._held_ns[policy] = held_ns
        reasons = int(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(gpu))
        found |= {words for name, words in _REASONS.items() if reasons & getattr(pynvml, name)}
        return found


def first_gpu(pynvml: Any) -> Any:
    """Return NVML's handle of the GPU that PyTorch calls 0, which CUDA_VISIBLE_DEVICES decides."""
    import torch

    if torch.cuda.is_available():
        uuid = getattr(torch.cuda.get_device_properties(0), "uuid", None)
        if uuid is not None:
            return pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
    return pynvml.nvmlDeviceGetHandleByIndex(0)


_WATCH = ThrottleWatch()


def throttling() -> str | None:
    """Return what held this machine's first GPU back since the last asking, None for nothing."""
    return _WATCH.since_last()
