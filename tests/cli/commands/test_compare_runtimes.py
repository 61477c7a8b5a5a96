"""`vitprof compare --runtimes` with real runtimes."""

from __future__ import annotations

import pytest
from vitprof import ViTSpec

TINY = ViTSpec.uniform(
    name="tiny", resolution=32, patch=8, embed=64, depth=2, heads=2, mlp=128, classes=10
)


@pytest.mark.slow
def test_it_prints_one_object_and_writes_its_files(run, tmp_path) -> None:
    spec, out, plot = tmp_path / "tiny.json", tmp_path / "r.csv", tmp_path / "r.png"
    spec.write_text(TINY.to_json())
    given = ("compare", "--runtimes", "onnxruntime", "--model", spec, "--sessions", "1")
    files = ("--dtype", "fp32", "--dtype", "int8", "--out", out, "--plot", plot)
    answer = run(*given, *files, "--json")
    assert answer.code == 0
    assert [one["dtype"] for one in answer.json["results"]] == ["fp32", "int8"]
    assert out.read_text().count("\n") == 3
    assert plot.stat().st_size > 1000


@pytest.mark.slow
@pytest.mark.long
def test_what_was_compiled_is_kept_and_found_again(run, tmp_path) -> None:
    spec, folder = tmp_path / "tiny.json", tmp_path / "kept"
    spec.write_text(TINY.to_json())
    given = ("compare", "--runtimes", "onnxruntime", "--model", spec, "--sessions", "1", "--json")
    first = run(*given, "--artifacts", folder)
    kept = sorted(path.name for path in folder.iterdir())
    again = run(*given, "--artifacts", folder)
    assert first.json["results"][0]["build_s"] > 0
    assert again.json["results"][0]["build_s"] is None, "nothing is compiled"
    assert sorted(path.name for path in folder.iterdir()) == kept
    assert again.json["results"][0]["file_bytes"] == first.json["results"][0]["file_bytes"]


@pytest.mark.slow
@pytest.mark.long
def test_for_people_it_says_what_to_take(run, tmp_path) -> None:
    spec = tmp_path / "tiny.json"
    spec.write_text(TINY.to_json())
    answer = run("compare", "--runtimes", "onnxruntime", "--model", spec, "--sessions", "1")
    assert answer.code == 0
    assert "Take tiny: onnxruntime, fp32" in answer.out


def test_options_of_tables_and_of_runtimes_do_not_mix(run) -> None:
    for given in (
        ("--runtimes", "all", "--verify"),
        ("--threads", "2"),
        ("--runtimes", "torch", "--environment", "torch"),
        ("--artifacts", "kept"),
    ):
        answer = run("compare", "--model", "deit-tiny", *given)
        assert answer.code == 2
        assert answer.is_one_sentence
