"""Backends by name, and one that another wheel adds."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from vitprof import UserError
from vitprof.backends import Backend, create_backend, find_device
from vitprof.backends.device_file import devices_from_toml
from vitprof.backends.registry import (
    BUILT_IN,
    backend_kind,
    backend_kinds,
    backend_names,
    find_kind,
)

Install = Callable[..., None]
GROUP = "vitprof.backends"
TOY = """
from vitprof.backends import OnnxRuntimeBackend
from vitprof.backends.registry import BackendKind

class ToyBackend(OnnxRuntimeBackend):
    name = "toy"

TOY = BackendKind(
    "toy", "Toy", lambda device: ToyBackend(),
    dtypes_on=lambda device: ("fp32",) if device.name == "cpu" else (),
)
"""
BOARD = """
[toy-board]
title = "A toy"
backend = "toy"
machine = "Toy .*"
dtypes = ["fp16"]
sparsity = ["dense"]
multiples_of = { fp16 = 8 }
"""


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_backend_is_made_for_a_device(name: str) -> None:
    device = find_device({"cuda": "h100", "tensorrt": "t4", "coreml": "iphone13"}.get(name, "cpu"))
    backend = backend_kind(name).create(device)
    assert isinstance(backend, Backend)
    assert backend.name == name


def test_an_unknown_one_is_refused_with_the_nearest() -> None:
    assert find_kind("onnxruntim") is None
    with pytest.raises(UserError, match=r"'onnxruntim' is not known \(did you mean 'onnxruntime'"):
        backend_kind("onnxruntim")


def test_another_wheels_backend_is_known_everywhere(install_wheel: Install) -> None:
    install_wheel("vitprof-toy", {GROUP: {"toy": "toy_backend:TOY"}}, toy_backend=TOY)
    assert backend_names() == [*BUILT_IN, "toy"]
    assert list(backend_kinds()) == [*BUILT_IN, "toy"]
    cpu = find_device("cpu")
    assert cpu.backends[:2] == ("onnxruntime", "torch")
    assert cpu.backends[-1] == "toy"
    assert cpu.dtypes_by("toy") == ("fp32",)
    assert find_device("t4").backends == ("tensorrt", "cuda")
    assert create_backend(cpu, "toy").name == "toy"
    with pytest.raises(UserError, match="its dtypes are fp32"):
        cpu.check("toy", "fp16")
    board = devices_from_toml(BOARD, "mine.toml")["toy-board"]
    assert board.backends == ("toy",)
    assert "not the A toy" in (board.why_not_here() or "")


def test_one_that_takes_a_name_of_ours_is_left_out(
    install_wheel: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install_wheel("vitprof-toy", {GROUP: {"torch": "toy_backend:TOY"}}, toy_backend=TOY)
    with caplog.at_level(logging.WARNING, "vitprof"):
        assert list(backend_kinds()) == list(BUILT_IN)
    assert "vitprof has a backend of this name itself" in caplog.text


def test_a_suffix_that_no_bundle_takes_is_refused(
    install_wheel: Install, caplog: pytest.LogCaptureFixture
) -> None:
    text = TOY.replace('"toy", "Toy",', '"toy", "Toy", suffix="../x", create=')
    text = text.replace("create= lambda", "create=lambda")
    install_wheel("vitprof-toy", {GROUP: {"toy": "toy_backend:TOY"}}, toy_backend=text)
    with caplog.at_level(logging.WARNING, "vitprof"):
        assert find_kind("toy") is None
    assert "its suffix '../x' is not 1 to 16 small letters and digits" in caplog.text
