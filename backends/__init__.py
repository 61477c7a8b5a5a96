"""Devices and runtimes: compile a module, load it as a session, run it once.

Importing this room imports neither torch nor a runtime; the functions that need them do.
"""

from __future__ import annotations

from .device import Device
from .devices import create_backend, create_builder, device_names, devices, find_device
from .machine.cpu_info import cpu_facts
from .machine.hazards import measuring_hazards
from .onnx.export import onnx_from_module
from .onnxruntime.backend import OnnxRuntimeBackend
from .protocol import (
    DTYPES,
    Backend,
    BackendError,
    BackendOptions,
    BuildsFromOnnx,
    ChecksArtifacts,
    Delegated,
    DeviceTimed,
    Executable,
    HasHazards,
    HasTiles,
    LoadsFiles,
    PreparesArtifacts,
    PrunesWeights,
    RunsKernels,
    TellsPrecision,
    TimesManyRuns,
)
from .random_input import seeded_input

__all__ = [
    "DTYPES",
    "Backend",
    "BackendError",
    "BackendOptions",
    "BuildsFromOnnx",
    "ChecksArtifacts",
    "Delegated",
    "Device",
    "DeviceTimed",
    "Executable",
    "HasHazards",
    "HasTiles",
    "LoadsFiles",
    "OnnxRuntimeBackend",
    "PreparesArtifacts",
    "PrunesWeights",
    "RunsKernels",
    "TellsPrecision",
    "TimesManyRuns",
    "cpu_facts",
    "create_backend",
    "create_builder",
    "device_names",
    "devices",
    "find_device",
    "measuring_hazards",
    "onnx_from_module",
    "seeded_input",
]
