"""What a run without pause is reported as: figures, words, table, picture, files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from vitprof.errors import UserError
from vitprof.models import create_spec
from vitprof.profiler.deployed.footprint import Footprint
from vitprof.profiler.deployed.process_memory import ProcessMemory
from vitprof.profiler.sustained.loop import run_without_pause
from vitprof.profiler.sustained.result import Sources, SustainedResult
from vitprof.profiler.sustained.sensors import Sensors, Untold
from vitprof.tables import Setting

NewResult = Callable[..., SustainedResult]
NOTHING = Untold("nobody tells")


def heated(seconds: float) -> float:
    return 20.0 if seconds < 30 else 26.0


@pytest.fixture
def result_of(clock: Any, model: Callable[..., Any], untold: Sensors) -> NewResult:
    """Return the result of a scripted run at batch 4."""

    def make(
        ms_at: Callable[[float], float] = heated, seconds: float = 90, sensors: Sensors = untold
    ) -> SustainedResult:
        trace = run_without_pause(model(ms_at), seconds, clock, sensors)
        footprint = Footprint(12.5, ProcessMemory(100, 60), 20.0)
        sources = Sources.of(sensors, trace)
        setting = Setting("cpu", "onnxruntime", batch=4)
        return SustainedResult(
            create_spec("vit-micro-8"), setting, trace, footprint, sources, seconds
        )

    return make


def test_a_throttled_run_is_told_in_figures(result_of: NewResult) -> None:
    report = result_of().report()
    assert report["model"] == "vit-micro-8"
    assert (report["fast_ms"], report["steady_ms"]) == (20, 26)
    assert report["throttling"]["begins_s"] == pytest.approx(30, abs=0.5)
    assert report["throttling"]["rise"] == pytest.approx(0.3)
    assert report["throttling"]["settled"]
    assert report["images_per_s"] == pytest.approx(4 * report["runs"] / report["seconds"])
    assert (report["load_ms"], report["peak_bytes"], report["model_bytes"]) == (12.5, 100, 40)
    assert sum(one["runs"] for one in report["intervals"]) == report["runs"]
    assert "20 to 26 ms (+30.0%)" in report["throttling_in_words"]
    assert "only the latency says so" in report["throttling_in_words"]


def test_energy_is_a_number_or_the_word_unmeasurable(
    result_of: NewResult, gauge: Callable[..., Any]
) -> None:
    report = result_of().report()
    assert report["energy_per_run_j"] == "unmeasurable"
    assert report["energy"] == "nobody tells"
    counted = result_of(
        lambda s: 25, 10, Sensors(NOTHING, NOTHING, gauge(lambda s: 40 * s), NOTHING)
    )
    assert counted.report()["energy_per_run_j"] == pytest.approx(1.0)
    still = result_of(lambda s: 25, 10, Sensors(NOTHING, NOTHING, gauge(lambda s: 7.0), NOTHING))
    assert still.report()["energy_per_run_j"] == "unmeasurable"
    assert "did not count" in still.report()["energy"]
    lost = result_of(
        lambda s: 25, 10, Sensors(NOTHING, NOTHING, gauge(lambda s: s if s < 5 else None), NOTHING)
    )
    assert lost.report()["energy_per_run_j"] == "unmeasurable"
    assert "could not be read until the end" in lost.report()["energy"]


def test_a_clock_that_falls_with_the_latency_is_named(
    result_of: NewResult, gauge: Callable[..., Any]
) -> None:
    clock = gauge(lambda s: 3400 if s < 30 else 2600)
    words = result_of(sensors=Sensors(clock, NOTHING, NOTHING, NOTHING)).throttling_in_words
    assert words.endswith("the clock from 3400 to 2600 MHz")


def test_without_throttling_there_is_one_level(result_of: NewResult) -> None:
    result = result_of(lambda s: 20, 30)
    assert result.report()["throttling"] is None
    assert result.fast_ms == result.steady_ms == 20
    assert "none" in result.throttling_in_words
    assert "too short" in result_of(lambda s: 20, 3).throttling_in_words


def test_a_rise_that_other_work_makes_is_not_called_throttling(
    clock: Any, executable: Callable[..., Any], run_of: Callable[..., Any], untold: Sensors
) -> None:
    waited = run_of(30.0, cpu_ms=20.0, switches=3)
    trace = run_without_pause(executable(*[20.0] * 500, waited), 60, clock, untold)
    result = SustainedResult(
        create_spec("vit-micro-8"),
        Setting("cpu", "onnxruntime"),
        trace,
        Footprint(12.5, ProcessMemory(100, 60), 20.0),
        Sources.of(untold, trace),
        60,
    )
    assert result.is_doubtful
    assert result.throttling is None
    assert "other work interrupted most runs" in result.throttling_in_words


def test_the_table_has_a_line_an_interval(result_of: NewResult) -> None:
    result = result_of(seconds=30)
    frame = result.to_frame()
    assert len(frame) == len(result.trace.intervals)
    assert frame["runs"].sum() == result.trace.runs
    assert frame[["mhz", "celsius", "joules"]].isna().all().all()
    assert set(frame["load_ms"]) == {12.5}
    assert repr(result).startswith("vit-micro-8 on cpu (onnxruntime, fp32, batch 4, 1 thread), 30")


def test_the_picture_has_a_panel_for_each_sensor_that_told_something(
    result_of: NewResult, gauge: Callable[..., Any]
) -> None:
    assert len(result_of().figure().axes) == 1
    sensors = Sensors(
        gauge(lambda s: 3400 - s), gauge(lambda s: 50 + s), gauge(lambda s: 40 * s), NOTHING
    )
    figure = result_of(sensors=sensors).figure()
    names = [axes.get_ylabel() for axes in figure.axes]
    assert names == ["latency, ms", "clock, MHz", "temperature, °C", "power, W"]
    power = figure.axes[3].lines[0].get_ydata()
    assert list(power) == pytest.approx([40] * len(power))  # type: ignore[arg-type]
    assert any("throttling begins" in text.get_text() for text in figure.axes[0].texts)
    assert all(
        "throttling" not in t.get_text() for t in result_of(lambda s: 9).figure().axes[0].texts
    )


def test_a_folder_holds_report_series_and_picture(result_of: NewResult, tmp_path: Path) -> None:
    result = result_of()
    result.save(tmp_path / "hot")
    report = json.loads((tmp_path / "hot/report.json").read_text())
    assert report["steady_ms"] == 26
    assert report["out"] == str(tmp_path / "hot")
    series = pd.read_csv(tmp_path / "hot/sustained.csv")
    assert list(series["median_ms"]) == pytest.approx(list(result.warm_ms), rel=1e-5)
    assert (tmp_path / "hot/sustained.png").stat().st_size > 10_000
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"the folder .*file cannot be made"):
        result.save(tmp_path / "file")
