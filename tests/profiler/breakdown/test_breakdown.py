"""Shares of an instrumented run, scaled to the time without: known numbers, and real runs.

About 25 seconds: every kind of block of every known model is profiled once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from vitprof.backends import BackendOptions, OnnxRuntimeBackend
from vitprof.backends.pytorch.backend import TorchBackend
from vitprof.backends.random_input import input_dtype, seeded_input
from vitprof.models import Block, Spec, create_model, create_spec, spec_names
from vitprof.models.families.swin.spec import SwinSpec
from vitprof.models.modules.folding import folded
from vitprof.models.ops import find_op
from vitprof.profiler.breakdown.breakdown import Breakdown, breakdown_models
from vitprof.profiler.breakdown.classes import (
    CLASSES,
    CONVOLUTION,
    COPY,
    ELEMENTWISE,
    MATMUL,
    NORMALISATION,
    OTHER,
    SOFTMAX,
)
from vitprof.profiler.breakdown.onnxruntime import profile_onnxruntime
from vitprof.profiler.breakdown.profile import Node, Profile, merged
from vitprof.profiler.breakdown.pytorch import profile_runs, profile_torch
from vitprof.profiler.breakdown.work import Work
from vitprof.profiler.plan import Subject
from vitprof.profiler.target import Target
from vitprof.profiler.workshop import Workshop
from vitprof.tables import Setting

pytestmark = pytest.mark.slow

OPTIONS = BackendOptions()
CPU = Setting("cpu", "onnxruntime", "CPUExecutionProvider")


def node(op: str, kind: str, ms: float, macs: int | None = 0, moved: int | None = 0) -> Node:
    return Node(op.lower(), op, kind, ms, Work(macs, moved))


PROFILE = Profile(
    12.0,
    (
        node("Gemm", MATMUL, 4.25, 2_000_000, 1_000),
        node("Conv", CONVOLUTION, 1.25, 500_000, 500),
        node("Reshape", COPY, 0.25),
        node("Transpose", COPY, 1.25, 0, 64),
        node("Gelu", ELEMENTWISE, 0.75, 0, 32),
        node("LayerNormalization", NORMALISATION, 0.5, 0, 16),
        node("Softmax", SOFTMAX, 0.5, 0, 16),
        node("Gemm", MATMUL, 0.25, None, None),
    ),
    recording_ms=0.25,
)


def test_shares_are_the_instrumented_times_without_recording_and_scaled_to_the_total() -> None:
    found = Breakdown("toy", 3.5, 3.4, 3.6, PROFILE)
    assert PROFILE.nodes_ms == 9.0
    assert PROFILE.outside_ms == 3.0
    assert found.net_ms == 7.0
    assert found.scale == 0.5
    assert list(found.classes) == list(CLASSES)
    assert {kind: part.ms for kind, part in found.classes.items()} == {
        MATMUL: 2.0,
        CONVOLUTION: 0.5,
        COPY: 0.5,
        ELEMENTWISE: 0.25,
        NORMALISATION: 0.125,
        SOFTMAX: 0.125,
    }
    assert sum(part.ms for part in found.classes.values()) == found.latency_ms
    assert found.classes[COPY].share == 1 / 7
    assert found.classes[COPY].nodes == 2
    assert found.memory_bound_share == pytest.approx(2 / 7, rel=1e-15)
    assert found.compute_bound_share == pytest.approx(5 / 7, rel=1e-15)
    assert found.other_ops == []


@pytest.mark.parametrize(
    ("latency_ms", "disturbed"),
    [(7.0, False), (7.6, False), (6.5, False), (6.0, True), (20, True)],
)
def test_a_scale_far_from_one_is_a_sign_of_disturbance(latency_ms: float, disturbed: bool) -> None:
    found = Breakdown("m", latency_ms, latency_ms, latency_ms, PROFILE)
    assert found.was_disturbed is disturbed


def test_rates_are_of_the_scaled_time_and_unknown_work_is_not_zero() -> None:
    found = Breakdown("toy", 3.5, 3.4, 3.6, PROFILE)
    convolution = found.classes[CONVOLUTION]
    assert (convolution.macs, convolution.bytes) == (500_000, 500)
    assert convolution.gmacs_per_s == 1.0  # 0.5 MMACs in 0.5 ms
    assert convolution.gbytes_per_s == 0.001
    assert convolution.macs_per_byte == 1000.0
    unknown = found.classes[MATMUL]  # of one of its two nodes the shapes are not known
    assert (unknown.macs, unknown.bytes, unknown.gmacs_per_s) == (None, None, None)
    assert found.classes[COPY].gmacs_per_s is None


def test_the_heaviest_nodes_come_first_in_scaled_time() -> None:
    heavy = Breakdown("toy", 3.5, 3.4, 3.6, PROFILE).heaviest(3)
    assert [(one.node.op, one.ms) for one in heavy] == [
        ("Gemm", 2.0),
        ("Conv", 0.5),
        ("Transpose", 0.5),
    ]
    assert heavy[0].share == 4 / 7
    assert len(Breakdown("toy", 3.5, 3.4, 3.6, PROFILE).heaviest(99)) == 8


def test_what_is_of_no_class_is_shown_with_its_operations() -> None:
    nodes = (node("Gemm", MATMUL, 3.0), node("TopK", OTHER, 1.0), node("Celt", OTHER, 0.0))
    found = Breakdown("toy", 8.0, 7.0, 9.0, Profile(5.0, nodes))
    assert list(found.classes) == [*CLASSES, OTHER]
    assert found.classes[OTHER].ms == 2.0
    assert found.other_ops == ["Celt", "TopK"]
    assert sum(part.ms for part in found.classes.values()) == 8.0


def test_the_parts_add_up_to_the_total_whatever_they_are() -> None:
    nodes = tuple(node("Add", CLASSES[n % 6], 0.1 + n / 7) for n in range(50))
    found = Breakdown("toy", 28.37, 28.0, 29.0, Profile(99.0, nodes, 0.1))
    total = math.fsum(part.ms for part in found.classes.values())
    assert total == pytest.approx(28.37, rel=1e-14)
    assert math.fsum(part.share for part in found.classes.values()) == pytest.approx(1, rel=1e-14)


def test_medians_are_taken_node_by_node() -> None:
    runs = [
        Profile(total, (node("Gemm", MATMUL, gemm), node("Add", ELEMENTWISE, add)), recording)
        for total, gemm, add, recording in (
            (9.0, 5.0, 1.0, 0.1),
            (7.0, 9.0, 2.0, 0.3),
            (8.0, 6.0, 0.5, 0.2),
        )
    ]
    together = merged(runs)
    assert together.total_ms == 8.0
    assert [one.ms for one in together.nodes] == [6.0, 1.0]
    assert together.recording_ms == 0.2


def named(name: str, op: str, ms: float) -> Node:
    return Node(name, op, MATMUL, ms, Work(0, 0))


def test_nodes_that_a_session_orders_otherwise_are_found_by_name() -> None:
    first = Profile(9.0, (named("a", "Gemm", 1.0), named("b", "Gemm", 7.0), named("c", "Add", 3.0)))
    second = Profile(
        9.0, (named("c", "Add", 5.0), named("b", "Gemm", 9.0), named("a", "Gemm", 3.0))
    )
    assert [(one.name, one.ms) for one in merged([first, second]).nodes] == [
        ("a", 2.0),
        ("b", 8.0),
        ("c", 4.0),
    ]


def test_nodes_of_the_same_name_are_told_apart_by_their_order() -> None:
    runs = [
        Profile(9.0, (named("R", "R", one), named("R", "R", two)))
        for one, two in ((1.0, 7.0), (3.0, 9.0))
    ]
    assert [one.ms for one in merged(runs).nodes] == [2.0, 8.0]


def test_nodes_whose_names_are_made_up_are_found_by_operation() -> None:
    first = Profile(9.0, (named("t1", "Gemm", 1.0), named("t2", "Add", 7.0)))
    second = Profile(9.0, (named("t8", "Add", 9.0), named("t9", "Gemm", 3.0)))
    assert [(one.op, one.ms) for one in merged([first, second]).nodes] == [
        ("Gemm", 2.0),
        ("Add", 8.0),
    ]


def test_runs_of_different_nodes_have_no_median(refused) -> None:
    with refused("2 nodes in one run and 1 others in another"):
        merged(
            [
                Profile(1.0, (node("Gemm", MATMUL, 1.0), node("Add", ELEMENTWISE, 1.0))),
                Profile(1.0, (node("Gemm", MATMUL, 1.0),)),
            ]
        )
    with refused("no profiled run"):
        merged([])


def test_a_profile_without_any_time_is_refused(refused) -> None:
    with refused("the profile of toy shows no time", "`batch`"):
        Breakdown("toy", 1.0, 1.0, 1.0, Profile(1.0, (node("Gemm", MATMUL, 0.0),)))


@pytest.fixture(scope="module")
def workshop() -> Iterator[Workshop]:
    with Workshop(Target(OnnxRuntimeBackend(), CPU)) as open_workshop:
        yield open_workshop


@pytest.fixture(scope="module")
def profile_of(workshop: Workshop) -> Callable[[Subject], Profile]:
    def profile(subject: Subject) -> Profile:
        return profile_onnxruntime(workshop.artifact(subject), OPTIONS, 0, 1)

    return profile


def kinds_of_block() -> dict[tuple[object, ...], Block]:
    """Return a small block for each op and each set of the choices that change its nodes."""
    found: dict[tuple[object, ...], Block] = {}
    for spec in sorted(map(create_spec, spec_names()), key=lambda spec: spec.macs):
        for block in spec.blocks():
            choices = [axis for axis in find_op(block.op).fixed if axis != "resolution"]
            found.setdefault((block.op, *(block[axis] for axis in choices)), block)
    return found


def small_models() -> dict[str, Spec]:
    """Return the smallest known model of each family, where fusions cross from block to block."""
    found: dict[str, Spec] = {}
    for spec in sorted(map(create_spec, spec_names()), key=lambda spec: spec.macs):
        found.setdefault(spec.family, spec)
    found["swin"] = SwinSpec.uniform(
        16, [2, 2], [1, 2], patch=2, resolution=32, window=4, classes=5
    )
    return found


KINDS = kinds_of_block()
MODELS = small_models()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(map(str, kind)))
def test_every_node_of_every_kind_of_block_has_a_class(kind, profile_of) -> None:
    block = KINDS[kind]
    profile = profile_of((block,))
    assert [one.op for one in profile.nodes if one.kind == OTHER] == []
    # Padding of channels may add to the model's MACs, nothing may be lost.
    assert block.macs <= sum(one.work.macs or 0 for one in profile.nodes) <= 1.5 * block.macs
    assert None not in [one.work.macs for one in profile.nodes]


@pytest.mark.parametrize("family", MODELS)
def test_every_node_of_every_family_has_a_class(family: str, profile_of) -> None:
    found = Breakdown(family, 1.0, 1.0, 1.0, profile_of(MODELS[family]))
    assert found.other_ops == []
    assert list(found.classes) == list(CLASSES)


@pytest.mark.parametrize("dtype", ["fp32", "fp16"])
def test_a_softmax_and_a_gelu_have_their_class_in_every_dtype(dtype: str) -> None:
    target = Target(OnnxRuntimeBackend(), replace(CPU, dtype=dtype))
    with Workshop(target) as shop:
        artifact = shop.artifact(create_spec("vit-micro-8"))
        profile = profile_onnxruntime(artifact, target.options, 0, 1)
    softmax = [one.op for one in profile.nodes if one.kind == SOFTMAX]
    # fp16 has no kernel for it on a CPU and comes in five parts
    assert len(softmax) == (4 if dtype == "fp32" else 4 * 5)
    assert {one.op for one in profile.nodes if one.kind == OTHER} == set()


def test_macs_are_those_of_the_closed_forms(profile_of) -> None:
    spec = create_spec("vit-micro-8")
    parts = Breakdown(spec.name, 1.0, 1.0, 1.0, profile_of(spec)).classes
    stem = spec.blocks()[0]
    assert parts[CONVOLUTION].macs == stem.macs
    assert parts[MATMUL].macs == spec.macs - stem.macs
    assert all(part.macs == 0 for kind, part in parts.items() if kind not in (CONVOLUTION, MATMUL))
    # Each weight of a product is read, each of its inputs and outputs at least once.
    assert (parts[MATMUL].bytes or 0) > 4 * sum(b.params for b in spec.blocks()[1:])


def test_models_of_convolutions_and_of_products_are_told_apart(profile_of) -> None:
    conv = Breakdown("conv", 1.0, 1.0, 1.0, profile_of(MODELS["efficientvit"])).classes
    product = Breakdown("product", 1.0, 1.0, 1.0, profile_of(MODELS["vit"])).classes
    assert (conv[CONVOLUTION].macs or 0) > 5 * (conv[MATMUL].macs or 0)
    assert (product[MATMUL].macs or 0) > 5 * (product[CONVOLUTION].macs or 0)
    # And where there is only the one, no time goes to the other.
    alone = profile_of((Block.of("mlp", embed=64, mlp=256, tokens=17),))
    mlp = Breakdown("mlp", 1.0, 1.0, 1.0, alone).classes
    assert mlp[MATMUL].ms > 0
    assert (mlp[CONVOLUTION].ms, mlp[CONVOLUTION].nodes) == (0.0, 0)
    stem = [create_spec("vit-micro-8").blocks()[0]]
    assert stem[0].op == "patch_embed"
    only_conv = Breakdown("stem", 1.0, 1.0, 1.0, profile_of(tuple(stem))).classes
    assert (only_conv[MATMUL].ms, only_conv[MATMUL].nodes) == (0.0, 0)
    assert only_conv[CONVOLUTION].nodes == 1


def test_a_real_model_is_divided_from_end_to_end() -> None:
    spec = create_spec("vit-micro-8")
    seen: list[tuple[str, int, int, str]] = []
    (found,) = breakdown_models(
        [spec],
        Target(OnnxRuntimeBackend(), replace(CPU, batch=2)),
        profile_onnxruntime,
        sessions=2,
        warmup=1,
        runs=3,
        on_progress=lambda *done: seen.append(done),
    )
    assert found.low_ms <= found.latency_ms <= found.high_ms
    assert math.fsum(part.ms for part in found.classes.values()) == pytest.approx(
        found.latency_ms, rel=1e-12
    )
    assert sum(part.macs or 0 for part in found.classes.values()) == 2 * spec.macs
    assert found.profile.total_ms >= found.profile.nodes_ms > 0
    assert seen[-1] == ("measuring", 4, 4, "1/1 models")
    assert [done for _, done, *_ in seen] == sorted(done for _, done, *_ in seen)


def test_pytorch_divides_the_same_model_into_the_same_classes() -> None:
    spec = create_spec("vit-micro-8")
    target = Target(TorchBackend(), Setting("cpu", "torch", "eager"))
    (found,) = breakdown_models([spec], target, profile_torch, sessions=1, warmup=1, runs=3)
    assert found.other_ops == []
    assert math.fsum(part.ms for part in found.classes.values()) == pytest.approx(
        found.latency_ms, rel=1e-12
    )
    assert all(part.ms > 0 for part in found.classes.values())
    assert found.profile.total_ms > found.profile.nodes_ms > 0
    ops = [one.op for one in found.profile.nodes]
    assert ops.count("aten::addmm") == 17  # four of each of four blocks, and the head


@pytest.mark.parametrize("family", MODELS)
def test_every_operation_of_pytorch_has_a_class(family: str) -> None:
    spec = MODELS[family]
    model = folded(create_model(spec))
    shape = (1, *spec.blocks()[0].input_shape)
    given = torch.from_numpy(seeded_input(shape, input_dtype(model, "fp32")))
    with torch.inference_mode():
        profile = profile_runs(lambda: model(given), 1)
    assert sorted({one.op for one in profile.nodes if one.kind == OTHER}) == []
