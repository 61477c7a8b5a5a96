"""What `benchmark_model` printed on phones, read."""

from __future__ import annotations

from pathlib import Path

import pytest
from vitprof.backends import BackendError
from vitprof.backends.litert.android.benchmark_output import read_benchmark_output

RECORDED = Path(__file__).parents[3] / "data" / "litert"
XNNPACK = (RECORDED / "android_xnnpack.txt").read_text()
GPU = (RECORDED / "android_gpu.txt").read_text()
FAILED = (RECORDED / "android_gpu_failed.txt").read_text()


def test_the_timed_runs_are_read_and_not_the_warm_up() -> None:
    found = read_benchmark_output(XNNPACK)
    assert found.runs == 25
    assert found.mean_ms == pytest.approx(145.528)
    assert (found.least_ms, found.most_ms) == pytest.approx((140.071, 195.121))
    assert (found.p5_ms, found.median_ms, found.p95_ms) == pytest.approx(
        (140.545, 141.253, 187.533)
    )
    assert found.typical_ms == found.median_ms
    assert (found.init_ms, found.first_ms) == pytest.approx((92.318, 235.158))
    assert found.delegated == pytest.approx(539 / 548)


def test_older_versions_print_the_mean_alone() -> None:
    found = read_benchmark_output(GPU)
    assert found.runs == 50
    assert found.median_ms is None
    assert found.typical_ms == found.mean_ms == pytest.approx(119.375)
    assert found.delegated == 1.0
    assert found.applied == ("GPU",)


def test_androids_log_is_read_too() -> None:
    logged = "".join(
        f"07-14 13:14:52.190 22838 22838 I tflite  : {x}\n" for x in XNNPACK.split("\n")
    )
    assert read_benchmark_output(logged) == read_benchmark_output(XNNPACK)


def test_large_numbers_are_printed_in_another_form() -> None:
    found = read_benchmark_output(
        "count=2 first=9992420 curr=9992420 min=9992420 max=9992420 avg=9.99242e+06 std=0\n"
        "Inference timings in us: Init: 25558, First inference: 9992420, "
        "Warmup (avg): 9.99242e+06, Inference (avg): 9.99242e+06\n"
    )
    assert found.mean_ms == pytest.approx(9992.42)
    assert found.delegated is None


def test_a_delegate_that_takes_nothing_runs_nothing() -> None:
    said = (
        "Though NNAPI delegate is explicitly applied, the model graph will not be executed by the "
        "delegate.\n"
    )
    found = read_benchmark_output(said + GPU.replace("Explicitly applied GPU", "Once"))
    assert found.delegated == 0.0
    assert found.applied == ()


def test_several_pieces_are_parts_of_one_model() -> None:
    line = (
        "VERBOSE: Replacing {} out of 50 node(s) with delegate ({}) node, yielding 1 partitions.\n"
    )
    said = line.format(30, "TfLiteGpuDelegateV2") + line.format(10, "TfLiteXNNPackDelegate")
    assert read_benchmark_output(said + XNNPACK.replace("Replacing", "")).delegated == 0.8


def test_a_failure_is_in_its_own_words() -> None:
    with pytest.raises(
        BackendError, match=r"timed nothing: .*Failed to apply GPU delegate\."
    ) as got:
        read_benchmark_output(FAILED)
    assert "\n" not in str(got.value)


@pytest.mark.parametrize(
    "text", ["", "\n", "Segmentation fault \n", XNNPACK[: XNNPACK.index("INFO: Inference timings")]]
)
def test_what_did_not_end_timed_nothing(text: str) -> None:
    with pytest.raises(BackendError, match="timed nothing"):
        read_benchmark_output(text)


@pytest.mark.parametrize("time", ["0", "1e", "..", "1e999e"])
def test_a_time_that_is_none_is_refused(time: str) -> None:
    with pytest.raises(BackendError):
        read_benchmark_output(GPU.replace("avg=119375", f"avg={time}"))
