"""`vitprof space`: what a search space holds, and random models of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from vitprof.models import create_spec
from vitprof.spaces.registry import find_search_space, search_space_names
from vitprof.tables import LatencyTable, Row, Setting

from ..tiny_space import TINY_VITS

DOCS = Path(__file__).parents[3] / "docs" / "search-spaces.md"
MODELS = 2 * (2 * 2 + (2 * 2) ** 2)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(TINY_VITS)
    return path


@pytest.fixture
def table(file: Path, setting: Setting) -> LatencyTable:
    blocks = find_search_space(str(file)).measured().blocks()
    return LatencyTable([Row(b, latency_ms=1 + b.macs / 1e6) for b in blocks], setting)


def test_without_a_name_it_lists_the_known_spaces(run) -> None:
    answer = run("space")
    assert answer.code == 0
    assert all(name in answer.out for name in search_space_names())
    listed = run("space", "--json").json["spaces"]
    assert [one["name"] for one in listed] == list(search_space_names())
    assert listed[0]["models"] == find_search_space(search_space_names()[0]).count()


def test_it_says_what_the_space_is(run, file, table, tmp_path) -> None:
    path = tmp_path / "lut.csv"
    table.to_csv(path)
    said = run("space", file, "--table", path, "--json").json
    space = find_search_space(str(file))
    assert (said["space"], said["family"], said["models"]) == ("mine", "vit", MODELS)
    assert said["choices"]["layer-2.mlp"] == [16, 32]
    assert len(said["choices"]) == len(space.genes)
    for end, row in (("smallest", space.smallest()), ("largest", space.largest())):
        spec = space.spec(row)
        assert (said[end]["params"], said[end]["macs"]) == (spec.params, spec.macs)
        assert said[end]["latency_ms"] == pytest.approx(table.predict(spec).ms, abs=1e-6)
    in_words = run("space", file, "--table", path)
    assert in_words.code == 0
    assert f"mine: {MODELS} models" in in_words.out
    assert "layer-1 to 2.mlp" in in_words.out
    assert "ms" not in run("space", file).out.split()


def test_the_documented_output_is_what_is_printed(run) -> None:
    documented = DOCS.read_text().split("$ vitprof space autovit-xxs\n")[1].split("```")[0]
    printed = run("space", "autovit-xxs").out
    assert [line.rstrip() for line in printed.splitlines()] == documented.splitlines()


def test_it_says_the_rules(run) -> None:
    assert "never shrink along stage-1.embed, stage-2.embed" in run("space", "efficientvit").out
    assert "stage-2.heads divides stage-2.embed" in run("space", "efficientvit").out


def test_sampled_models_are_different_ones_of_the_space(run, file, tmp_path) -> None:
    folder = tmp_path / "new" / "specs"
    answer = run("space", file, "--sample", MODELS, "--out", folder, "--json")
    assert answer.code == 0
    assert answer.json["sampled"] == [str(folder / f"model-{n}.json") for n in range(MODELS)]
    specs = [create_spec(path) for path in answer.json["sampled"]]
    assert len({tuple(spec.blocks()) for spec in specs}) == MODELS
    assert specs[3].name == "mine-0-3"


def test_the_same_seed_samples_the_same_models(run, file, tmp_path) -> None:
    def sampled(folder: str, seed: int) -> list[str]:
        run("space", file, "--sample", "4", "--seed", seed, "--out", tmp_path / folder)
        return [path.read_text() for path in sorted((tmp_path / folder).iterdir())]

    first = sampled("a", 7)
    assert len(first) == 4
    assert first == sampled("b", 7)
    assert first != sampled("c", 8)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("autovit-xss",), "did you mean 'autovit-xs'"),
        (("gone.toml",), "does not exist"),
        (("--sample", "3"), "name it"),
        (("--table", "lut.csv"), "name it"),
        (("autovit-xs", "--sample", "3"), "go together"),
        (("autovit-xs", "--out", "specs"), "go together"),
        (("autovit-xs", "--sample", "0", "--out", "specs"), "0"),
        (("autovit-xs", "--table", "gone.csv"), "gone.csv"),
    ],
)
def test_what_it_cannot_say_is_one_sentence(run, arguments, words: str) -> None:
    answer = run("space", *arguments)
    assert answer.code == 2
    assert answer.is_one_sentence
    assert words in answer.err
    assert answer.out == ""


def test_more_models_than_there_are_cannot_be_sampled(run, file, tmp_path) -> None:
    answer = run("space", file, "--sample", MODELS + 1, "--out", tmp_path / "specs")
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert f"only {MODELS} models" in answer.err
    assert not (tmp_path / "specs").exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(run, file) -> None:
    answer = run("space", file, "--sample", "2", "--out", file)
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert str(file) in answer.err


def test_a_table_that_does_not_cover_it_is_one_sentence(run, file, lut) -> None:
    answer = run("space", file, "--table", lut)
    assert (answer.code, answer.is_one_sentence) == (2, True)
    assert "not covered" in answer.err
    assert "measure `space` mine" in answer.err
