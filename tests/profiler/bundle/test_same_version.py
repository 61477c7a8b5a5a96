"""Whose version built a bundle, and whose measures it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from vitprof.profiler.bundle.same_version import check_versions
from vitprof.profiler.target import Target
from vitprof.tables import Setting

Refused = Callable[..., Any]
ONNX = Setting("cpu", "onnxruntime", "CPUExecutionProvider")
ENGINES = Setting("t4", "tensorrt", "tensorrt_rtx", dtype="fp16")
PACKAGES = Setting("iphone13", "coreml", "all", dtype="fp16")
FLAT = Setting("cpu", "litert", "xnnpack")
TOY = Setting("cpu", "toy", "cpu")


class Installed:
    """A runtime that tells its versions."""

    default_provider = "none"

    def __init__(self, **versions: object) -> None:
        self.versions = versions

    def environment(self, options: object) -> dict[str, object]:
        return {"backend": "a", "threads": 1, **self.versions}


def check(setting: Setting, built: dict[str, object], **here: object) -> None:
    check_versions(Path("b.zip"), built, Target(Installed(**here), setting))  # type: ignore[arg-type]


def test_an_engine_of_another_version_is_refused_with_both(refused: Refused) -> None:
    check(ENGINES, {"tensorrt_rtx": "1.2"}, tensorrt_rtx="1.2")
    with refused("b.zip was built by tensorrt_rtx 1.2", "has 1.3", "load its engines", "with 1.3"):
        check(ENGINES, {"tensorrt_rtx": "1.2"}, tensorrt_rtx="1.3")


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        (ONNX, "onnxruntime"),
        (PACKAGES, "coremltools"),
        (FLAT, "ai_edge_litert"),
        (TOY, "toy"),
    ],
)
def test_of_another_version_that_loads_it_both_are_named(
    setting: Setting, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    check(setting, {name: "1.2", "torch": "2.1"}, **{name: "1.3"}, torch="2.2")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"b.zip was built by {name} 1.2 and is measured by 1.3" in record.message


def test_nothing_is_said_where_nothing_differs_or_is_known(
    caplog: pytest.LogCaptureFixture,
) -> None:
    check(ONNX, {"onnxruntime": "1.2", "torch": "2.1"}, onnxruntime="1.2", torch=None)
    check(ONNX, {"torch": "2.1"}, onnxruntime="1.2")
    check(ONNX, {"onnxruntime": None}, onnxruntime="1.2")
    check(ENGINES, {"tensorrt_rtx": "1.2"})
    assert not caplog.records
