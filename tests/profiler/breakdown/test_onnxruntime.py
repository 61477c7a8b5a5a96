"""ONNX Runtime's profile file: a scripted one is read exactly, a damaged one is one sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vitprof.errors import UserError
from vitprof.profiler.breakdown.breakdown import Breakdown
from vitprof.profiler.breakdown.classes import (
    CLASSES,
    CONVOLUTION,
    COPY,
    ELEMENTWISE,
    MATMUL,
    NORMALISATION,
    OTHER,
    SOFTMAX,
    class_of_aten,
    classes_of_onnx,
    only_calls_others,
)
from vitprof.profiler.breakdown.onnxruntime import profiles_from_json, with_recording
from vitprof.profiler.breakdown.profile import merged
from vitprof.profiler.breakdown.work import Tensor, Work, work_of


def session(name: str, start: int, us: int) -> dict[str, Any]:
    return {
        "cat": "Session",
        "pid": 7,
        "tid": 7,
        "ph": "X",
        "name": name,
        "ts": start,
        "dur": us,
        "args": {},
    }


def kernel(op: str, start: int, us: int, **args: Any) -> dict[str, Any]:
    return {
        "cat": "Node",
        "pid": 7,
        "tid": 7,
        "ph": "X",
        "name": f"/{op}_kernel_time",
        "ts": start,
        "dur": us,
        "args": {"op_name": op, "provider": "CPU", **args},
    }


def run(start: int, *nodes: tuple[str, int], total: int) -> list[dict[str, Any]]:
    """Return a run's events as the file has them: its nodes, a gap of 10 us after each, itself."""
    events, now = [], start + 5
    for op, us in nodes:
        events.append(kernel(op, now, us))
        now += us + 10
    return [
        *events,
        session("SequentialExecutor::Execute", start + 2, total - 4),
        session("model_run", start, total),
    ]


NODES = (("Conv", 100), ("Reshape", 2), ("FusedMatMul", 402), ("Softmax", 52), ("Transpose", 52))
SCRIPT = [
    session("model_loading_array", 0, 900),
    session("session_initialization", 910, 5000),
    kernel("Gemm", 2000, 70),  # a constant, computed once
    *run(10_000, *((op, 3 * us) for op, us in NODES), total=9000),
    *run(20_000, *NODES, total=800),
    *run(21_000, *((op, us + 1) for op, us in NODES), total=802),
    *run(22_000, *((op, us - 1) for op, us in NODES), total=798),
]


def test_a_scripted_file_gives_its_numbers_back() -> None:
    runs = profiles_from_json(json.dumps(SCRIPT))
    assert [one.total_ms for one in runs] == [9.0, 0.8, 0.802, 0.798]
    profile = with_recording(merged(runs[1:]))
    assert [(one.op, one.kind, one.ms) for one in profile.nodes] == [
        ("Conv", CONVOLUTION, 0.1),
        ("Reshape", COPY, 0.002),
        ("FusedMatMul", MATMUL, 0.402),
        ("Softmax", SOFTMAX, 0.052),
        ("Transpose", COPY, 0.052),
    ]
    assert profile.nodes[0].name == "/Conv"
    assert profile.recording_ms == 0.002
    assert profile.outside_ms == pytest.approx(0.8 - 0.608)
    # 98 + 0 + 400 + 50 + 50 us of kernels
    shares = {kind: part.share for kind, part in Breakdown("m", 1, 1, 1, profile).classes.items()}
    assert shares == pytest.approx(
        {
            MATMUL: 400 / 598,
            CONVOLUTION: 98 / 598,
            COPY: 50 / 598,
            ELEMENTWISE: 0,
            NORMALISATION: 0,
            SOFTMAX: 50 / 598,
        },
        rel=1e-12,
    )


def test_the_order_of_the_events_in_the_file_does_not_matter() -> None:
    assert profiles_from_json(json.dumps(SCRIPT[::-1])) == profiles_from_json(json.dumps(SCRIPT))


def test_without_a_view_the_cost_of_recording_is_unknown() -> None:
    (profile,) = profiles_from_json(json.dumps(run(0, ("Gemm", 40), ("Add", 3), total=90)))
    assert with_recording(profile).recording_ms == 0.0


TEXT = json.dumps(SCRIPT)


@pytest.mark.parametrize("kept", [0, 1, 2, 100, len(TEXT) // 2, len(TEXT) - 1])
def test_a_file_that_is_cut_off_is_one_sentence(kept: int, refused) -> None:
    with refused("ONNX Runtime", "cannot be read", "not complete JSON"):
        profiles_from_json(TEXT[:kept])


GOOD = run(100, ("Gemm", 5), total=30)


def changed(event: int, **fields: Any) -> list[Any]:
    return [{**one, **fields} if place == event else one for place, one in enumerate(GOOD)]


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ({"traceEvents": GOOD}, "not a list of events"),
        ([*GOOD, 3], "an event is not an object"),
        ([], "no run"),
        (GOOD[:-1], "no run"),
        (GOOD[1:], "a run of it has no nodes"),
        (changed(0, ts=5000), "node '/Gemm' was executed in no complete run"),
        (changed(0, dur="5"), "'dur' is not a time"),
        (changed(0, dur=-1), "'dur' is not a time"),
        (changed(0, dur=True), "'dur' is not a time"),
        (changed(0, dur=None), "'dur' is not a time"),
        (changed(0, dur=float("nan")), "'dur' is not a time"),
        (changed(0, dur=float("inf")), "'dur' is not a time"),
        (changed(0, ts=[1]), "'ts' is not a time"),
        (changed(2, dur=10**30), "'dur' is not a time"),
        (changed(0, args=None), "node '/Gemm' does not say its operation"),
        (changed(0, args={"op_name": 7}), "does not say its operation"),
        (changed(0, args={"op_name": ""}), "does not say its operation"),
    ],
)
def test_a_file_of_something_else_is_one_sentence(events: object, words: str, refused) -> None:
    with refused("ONNX Runtime", "cannot be read", words):
        profiles_from_json(json.dumps(events))


def test_a_file_nested_without_end_is_one_sentence(refused) -> None:
    with refused("cannot be read"):
        profiles_from_json("[" * 100_000)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["cat", "name", "ts", "dur", "args", "op_name"]), inner)
    ),
    max_leaves=8,
)


@given(st.integers(0, len(SCRIPT) - 1), st.sampled_from(["ts", "dur", "cat", "name", "args"]), JSON)
def test_whatever_stands_in_a_field_is_read_or_refused(place: int, field: str, value: Any) -> None:
    events = [dict(event) for event in SCRIPT]
    events[place][field] = value
    try:
        runs = profiles_from_json(json.dumps(events))
    except UserError as error:
        assert "cannot be read" in str(error)
    else:
        assert all(run.nodes for run in runs)


@pytest.mark.parametrize(
    "shapes",
    [
        None,
        3,
        [3],
        [{}],
        [{"float": 3}],
        [{"float": [-1]}],
        [{"float": ["a"]}],
        [{"float": [1], "x": [1]}],
        [{"float": [2, 2]}, None],
    ],
)
def test_shapes_that_are_not_told_leave_the_work_unknown(shapes: object) -> None:
    event = kernel("Gemm", 5, 5, input_type_shape=shapes, output_type_shape=[{"float": [2, 2]}])
    (profile,) = profiles_from_json(json.dumps([event, session("model_run", 0, 30)]))
    assert profile.nodes[0].work == Work(None, None)


def tensors(*shapes: tuple[int, ...]) -> list[Tensor]:
    return [Tensor("float", shape) for shape in shapes]


@pytest.mark.parametrize(
    ("op", "kind", "inputs", "output", "work"),
    [
        # a constant weight is packed, and not among the inputs
        (
            "Gemm",
            MATMUL,
            [(17, 64), (192,)],
            (17, 192),
            Work(17 * 64 * 192, 4 * (17 * 64 + 192 + 17 * 192 + 64 * 192)),
        ),
        (
            "MatMul",
            MATMUL,
            [(1, 4, 17, 16), (1, 4, 16, 17)],
            (1, 4, 17, 17),
            Work(4 * 17 * 16 * 17, 4 * 4 * (2 * 17 * 16 + 17 * 17)),
        ),
        (
            "FusedMatMul",
            MATMUL,
            [(4, 16, 17), (4, 16, 9)],
            (4, 17, 9),
            Work(4 * 17 * 16 * 9, 4 * 4 * (16 * 17 + 16 * 9 + 17 * 9)),
        ),
        ("MatMul", MATMUL, [(3,), (3,)], (), Work(None, None)),
        ("Attention", MATMUL, [(2, 5, 7)], (2, 6, 7), Work(None, None)),
        (
            "Conv",
            CONVOLUTION,
            [(1, 8, 14, 14), (16, 4, 3, 3), (16,)],
            (1, 16, 7, 7),
            Work(16 * 49 * 4 * 9, 4 * (8 * 196 + 16 * 36 + 16 + 16 * 49)),
        ),
        ("Conv", CONVOLUTION, [(1, 8, 14, 14)], (1, 16, 7, 7), Work(None, None)),
        ("Reshape", COPY, [(2, 6), (3,)], (3, 4), Work(0, 0)),
        ("Transpose", COPY, [(2, 6)], (6, 2), Work(0, 96)),
        ("Softmax", SOFTMAX, [(2, 6)], (2, 6), Work(0, 96)),
    ],
)
def test_work_is_what_the_shapes_say(op, kind, inputs, output, work: Work) -> None:
    assert work_of(op, kind, tensors(*inputs), tensors(output)) == work


def test_bytes_count_the_size_of_an_element() -> None:
    halves = [Tensor("float16", (2, 6))]
    assert work_of("Cast", COPY, halves, tensors((2, 6))) == Work(0, 24 + 48)


@pytest.mark.parametrize(
    ("kind", "ops"),
    [
        (MATMUL, "MatMul FusedMatMul Gemm Attention MultiHeadAttention"),
        (CONVOLUTION, "Conv FusedConv NhwcFusedConv ConvTranspose"),
        (
            COPY,
            "Reshape Transpose Concat Split Slice Gather Pad Cast Expand ReorderInput "
            "ReorderOutput",
        ),
        (
            ELEMENTWISE,
            "Add Mul Relu Gelu BiasGelu FastGelu QuickGelu HardSwish Sigmoid Where "
            "GlobalAveragePool ReduceMean Erf Exp",
        ),
        (
            NORMALISATION,
            "LayerNormalization SkipLayerNormalization BatchNormalization "
            "GroupNormalization SimplifiedLayerNormalization",
        ),
        (SOFTMAX, "Softmax LogSoftmax BiasSoftmax"),
        (OTHER, "TopK NonMaxSuppression softmax"),
    ],
)
def test_fused_and_plain_nodes_have_their_class(kind: str, ops: str) -> None:
    assert classes_of_onnx(ops.split()) == [kind] * len(ops.split())


def test_a_softmax_in_parts_is_a_softmax() -> None:
    text = "Mul Cast ReduceMax Sub Exp Cast ReduceSum Div Cast MatMul ReduceMax Sub Div"
    ops = text.split()
    kinds = classes_of_onnx(ops)
    assert [op for op, kind in zip(ops, kinds, strict=True) if kind == SOFTMAX] == [
        "ReduceMax",
        "Sub",
        "Exp",
        "ReduceSum",
        "Div",
    ]
    assert kinds[-3:] == [ELEMENTWISE] * 3
    assert kinds[1] == COPY


@pytest.mark.parametrize(
    ("op", "kind"),
    [
        ("aten::addmm", MATMUL),
        ("aten::_scaled_dot_product_flash_attention_for_cpu", MATMUL),
        ("aten::mkldnn_convolution", CONVOLUTION),
        ("aten::copy_", COPY),
        ("aten::_to_copy", COPY),
        ("aten::add_", ELEMENTWISE),
        ("aten::hardswish", ELEMENTWISE),
        ("aten::native_layer_norm", NORMALISATION),
        ("aten::_softmax", SOFTMAX),
        ("aten::topk", OTHER),
    ],
)
def test_operations_of_pytorch_have_their_class(op: str, kind: str) -> None:
    assert class_of_aten(op) == kind
    assert kind in (*CLASSES, OTHER)


def test_only_callers_leave_their_time_to_those_they_call() -> None:
    assert only_calls_others("aten::matmul")
    assert not only_calls_others("aten::addmm")
