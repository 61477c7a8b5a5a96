"""A backend of another wheel: every command that measures takes it by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

TOY = """
from vitprof.backends import OnnxRuntimeBackend
from vitprof.backends.registry import BackendKind

class ToyBackend(OnnxRuntimeBackend):
    name = "toy"

TOY = BackendKind(
    "toy", "Toy", lambda device: ToyBackend(),
    dtypes_on=lambda device: ("fp32",) if device.name == "cpu" else (), suffix="toy",
)
"""


@pytest.fixture(autouse=True)
def toy(install_wheel: Callable[..., None]) -> None:
    install_wheel("toy", {"vitprof.backends": {"toy": "toy_backend:TOY"}}, toy_backend=TOY)


def test_it_measures_models(run) -> None:
    answer = run(
        "bench",
        "--model",
        "vit-micro-8",
        "--backend",
        "toy",
        "--sessions",
        "1",
        "--runs",
        "3",
        "--json",
    )
    assert answer.code in (0, 1), answer.err
    assert answer.json["latency_ms"] > 0


def test_its_bundles_are_programs_unless_it_says_otherwise(run, tmp_path) -> None:
    bundle, out = tmp_path / "b.zip", tmp_path / "toy.csv"
    built = run(
        "build",
        "--model",
        "vit-micro-8",
        "--points",
        "24",
        "--whole-models",
        "0",
        "--backend",
        "toy",
        "--out",
        bundle,
    )
    assert built.code == 0, built.err
    assert "--trust" in built.out
    refused = run("measure", "--bundle", bundle, "--out", out)
    assert (refused.code, refused.is_one_sentence) == (2, True)
    assert "holds toy toys, which are programs" in refused.err
    measured = run("measure", "--bundle", bundle, "--trust", "--sessions", "1", "--out", out)
    assert measured.code in (0, 1), measured.err
    assert "cpu,toy," in out.read_text()


def test_an_unknown_one_is_refused_with_the_nearest(run) -> None:
    answer = run("bench", "--model", "vit-micro-8", "--backend", "toi")
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert "'toi' (did you mean 'toy'?)" in answer.err
