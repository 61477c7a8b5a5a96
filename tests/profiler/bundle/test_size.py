"""The size that is told before a bundle is built, against bundles that were built."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from vitprof.backends import OnnxRuntimeBackend
from vitprof.models import Block, ViTSpec, create_spec
from vitprof.profiler.bundle.bundle import build_bundle, expected_size
from vitprof.profiler.bundle.size import EstimatedSize, estimated_size, megabytes
from vitprof.profiler.plan import Plan
from vitprof.profiler.target import Target
from vitprof.tables import Setting
from vitprof.verbs.plan import plan

CPU = Setting("cpu", "onnxruntime", "CPUExecutionProvider")
BLOCKS = [
    Block.of("attention", embed=192, heads=3, qk=64, v=64, tokens=50),
    Block.of("mlp", embed=192, mlp=768, tokens=50),
    Block.of("classifier", embed=192, classes=1000, heads=1, tokens=50),
]


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "int8"])
def test_a_real_bundle_is_as_large_as_was_said(dtype: str, tmp_path: Path) -> None:
    setting = replace(CPU, dtype=dtype)
    built_plan = Plan.of_blocks(BLOCKS, models=[ViTSpec.uniform(96, 4, 3, resolution=64)])
    said = expected_size(built_plan, setting)
    built = build_bundle(built_plan, Target(OnnxRuntimeBackend(), setting), tmp_path / "b.zip")
    assert not built.failed
    assert built.unpacked_bytes == pytest.approx(said.unpacked, rel=0.3 if dtype == "int8" else 0.1)
    assert said.packed / 2 < built.bytes < said.packed * 2
    assert built.bytes < built.unpacked_bytes / 5


# What `vitprof build --device` wrote: bytes of the file and of what is in it.
BUILT = {
    "cpu": (Setting("cpu", "onnxruntime", "CPUExecutionProvider"), 11_026_714, 793_933_617),
    "t4": (Setting("t4", "tensorrt", "tensorrt_rtx", dtype="fp16"), 19_325_920, 560_545_866),
    "rtx3080": (
        Setting("rtx3080", "tensorrt", "tensorrt_rtx", dtype="fp16"),
        17_678_836,
        533_548_667,
    ),
    "iphone13": (Setting("iphone13", "coreml", "all", dtype="fp16"), 5_569_590, 397_712_949),
}


@pytest.mark.parametrize("device", BUILT)
def test_the_default_plans_travel(device: str) -> None:
    setting, packed, unpacked = BUILT[device]
    said = expected_size(plan("vit"), setting)
    assert said.packed == pytest.approx(packed, rel=0.3)
    assert said.unpacked == pytest.approx(unpacked, rel=0.1)
    assert said.packed < 60e6


def test_parts_are_counted_once() -> None:
    once, twice = Plan.of_blocks(BLOCKS[:1]), Plan.of_blocks(BLOCKS[:1], "in_network")
    assert expected_size(once, CPU).unpacked == 4 * BLOCKS[0].params
    parts = {part.subject for point in twice.points for part in point.parts}
    assert expected_size(twice, CPU) == estimated_size(parts, CPU)


def test_weights_of_a_foreign_model_do_not_shrink() -> None:
    from vitprof.models.families.foreign.spec import ForeignSpec

    spec = ForeignSpec.of([*BLOCKS[:2], *BLOCKS[:2]], name="net.onnx")
    assert estimated_size([spec], CPU) == EstimatedSize(4 * spec.params, 4 * spec.params)
    own = create_spec("deit-tiny")
    assert estimated_size([own], CPU).packed < 4 * own.params / 15


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0.00 MB"), (123_000, "0.12 MB"), (1_240_000, "1.2 MB"), (794_310_000, "794 MB")],
)
def test_bytes_as_a_text(count: int, text: str) -> None:
    assert megabytes(count) == text
