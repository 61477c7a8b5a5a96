"""`vitprof.bench` and `vitprof.bench_attention`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import vitprof
from vitprof.models import create_spec


def test_models_are_measured_as_a_paper_does_but_for_what_is_given() -> None:
    spec = create_spec("vit-micro-8")
    result = vitprof.bench(
        [spec, spec.with_layers(2)], protocol="efficientvit", sessions=1, runs=3, warmup=1
    )
    assert (result.setting.batch, result.setting.threads) == (16, 1)
    frame = result.to_frame()
    assert list(frame["batch"]) == [16, 16]
    assert list(frame["images_per_s"]) == pytest.approx(list(16e3 / frame["latency_ms"]))
    assert list(frame["macs"]) == [spec.macs, spec.with_layers(2).macs]
    assert list(result.report()) == [*("results", "setting", "environment", "reference", "failed")]
    assert repr(result).startswith("2 models on cpu (onnxruntime, fp32, batch 16, 1 thread)")
    assert "<table" in result._repr_html_()


def test_one_model_is_one_report() -> None:
    result = vitprof.bench("vit-micro-8", sessions=1, runs=3, warmup=0)
    assert result.report()["model"] == "vit-micro-8"
    assert result.report()["latency_ms"] == result.rows[0].latency_ms


def test_load_time_and_memory_stand_beside_latency() -> None:
    result = vitprof.bench(["vit-micro-8", "vit-micro-8"], sessions=1, runs=3, warmup=0)
    first, same = result.models
    assert first["load_ms"] > 0
    assert first["peak_bytes"] > first["model_bytes"] > 4 * result.specs[0].params
    assert {name: first[name] for name in ("load_ms", "peak_bytes", "model_bytes")} == {
        name: same[name] for name in ("load_ms", "peak_bytes", "model_bytes")
    }
    assert {"load_ms", "peak_bytes", "model_bytes"} <= set(result.to_frame().columns)


def test_a_footprint_that_cannot_be_taken_is_said_and_leaves_the_latency(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("vitprof.profiler.deployed.footprint.PROBE", "vitprof.no_such_module")
    result = vitprof.bench("vit-micro-8", sessions=1, runs=3, warmup=0)
    assert result.models[0]["peak_bytes"] is None
    assert result.models[0]["latency_ms"] > 0
    assert "measuring the memory of a process failed" in caplog.text


def test_one_model_is_run_without_pause(tmp_path: Path) -> None:
    told: list[tuple[str, int, int, str]] = []
    result = vitprof.bench(
        "vit-micro-8", sustained="1.5s", batch=2, progress=lambda *one: told.append(one)
    )
    report = result.report()
    assert 1.5 <= report["seconds"] < 30  # one run may be held up, but not for long
    assert report["setting"]["batch"] == 2
    assert report["runs"] == result.to_frame()["runs"].sum()
    assert not report["interrupted"]
    assert 0 < report["working_share"] <= 1
    assert report["peak_bytes"] > report["model_bytes"] > 0
    assert told[-1][:3] == ("running, s", 2, 2)
    result.save(tmp_path / "hot")
    assert (tmp_path / "hot" / "sustained.png").exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sustained": "ten minutes"}, ("'ten minutes' is not a time", "2m")),
        ({"sustained": "5ms"}, ("is not a time",)),
        ({"sustained": 0}, ("a time above 0",)),
        ({"sustained": "1m", "runs": 5}, ("`runs` cannot be given beside `sustained`",)),
        (
            {"sustained": "1m", "sessions": 3, "protocol": "latency"},
            ("`protocol` and `sessions` cannot be given beside `sustained`",),
        ),
        ({"sustained": "1m", "protocol": "latncy"}, ("did you mean 'latency'",)),
    ],
)
def test_a_run_without_pause_refuses_what_makes_no_sense(
    given: dict, words: tuple[str, ...], refused
) -> None:
    with refused(*words):
        vitprof.bench("vit-micro-8", **given)


def test_several_models_are_not_run_without_pause_at_once(refused) -> None:
    with refused("one model at a time", "2 are given"):
        vitprof.bench(["vit-micro-8", "vit-tiny-32"], sustained="10m")


def test_an_unknown_protocol_is_refused(refused) -> None:
    with refused("optim", "did you mean 'optin'"):
        vitprof.bench("vit-micro-8", protocol="optim")


def test_fused_attention_is_timed_and_saved(tmp_path: Path) -> None:
    result = vitprof.bench_attention(
        "vit-micro-8",
        layers=1,
        batches=[1],
        tokens=[16],
        dtypes="fp32",
        modes=["inference"],
        warmup=0,
        runs=3,
        train_device="cpu",
    )
    assert [one.case.what for one in result.cases] == ["model", "block"]
    assert len(result.to_frame()) == 2
    assert "1 of its 4 layers" in result.title
    result.save(tmp_path / "out")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["out"] == str(tmp_path / "out")
    assert report["layers"] == 1
    assert (tmp_path / "out" / "attention.png").stat().st_size > 1000


def test_what_cannot_be_timed_is_refused(tmp_path: Path, refused) -> None:
    with refused("`batches` and `tokens` are both none"):
        vitprof.bench_attention("vit-micro-8", batches=[], tokens="none")
    with refused("`layers` 9", "has 4"):
        vitprof.bench_attention("vit-micro-8", layers=9)
    with refused("is not a ViT"):
        vitprof.bench_attention("swin-tiny")
    with refused("bf61", "did you mean 'bf16'"):
        vitprof.bench_attention("vit-micro-8", dtypes=["bf61"])
    (tmp_path / "notes.txt").touch()
    with refused("is not empty"):
        vitprof.bench_attention("vit-micro-8", out=tmp_path)


@pytest.mark.parametrize("sustained", [None, "0.5s"])
def test_a_model_whose_outputs_are_wrong_has_no_latency(
    sustained: str | None, monkeypatch: pytest.MonkeyPatch, refused
) -> None:
    from vitprof.backends.onnxruntime.backend import OnnxRuntimeExecutable

    real = OnnxRuntimeExecutable.outputs
    monkeypatch.setattr(OnnxRuntimeExecutable, "outputs", lambda self: [-one for one in real(self)])
    with refused("vit-micro-8 cannot be run here: its outputs are wrong: they are 2 of their size"):
        vitprof.bench("vit-micro-8", sustained=sustained)
