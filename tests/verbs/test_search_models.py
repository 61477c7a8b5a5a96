"""`vitprof.search_models` with tables that nobody measured."""

from __future__ import annotations

import json

import numpy as np
import pytest
import vitprof
from vitprof import UserError
from vitprof.profiler import remeasure
from vitprof.spaces.registry import search_space_from_dict
from vitprof.verbs import search_models as module

from ..spaces.small_spaces import SMALL, every, table_of

pytestmark = pytest.mark.slow

SPACE = search_space_from_dict({"name": "small", **SMALL["vit"]}, "the test")
TABLE = table_of(SPACE, models=4)
SHORT = {"population": 8, "generations": 3, "parents": 3, "candidates": 500}
TIMES = np.sort([TABLE.predict(SPACE.spec(row)).ms for row in np.concatenate([*SPACE.enumerate()])])
LIMIT = float(np.median(TIMES))


def search(**options):
    asked = {"max_latency": LIMIT, "proxy": "macs", "algorithm": "exhaustive", **options}
    return vitprof.search_models(SPACE, [TABLE], **asked)


@pytest.fixture(scope="module")
def found():
    return search()


def test_the_line_of_a_notebook() -> None:
    space = vitprof.spaces.registry.find_search_space("autovit-xxs")
    best = vitprof.search_models(
        "autovit-xxs", [table_of(space)], max_latency="10s", proxy="macs", **SHORT
    ).best
    assert best.spec.family == "autovit"
    assert best.macs == best.spec.macs
    assert best.latency_ms[0] <= 10_000


def test_the_best_has_the_most_macs_within_the_limit(found) -> None:
    rows = np.concatenate([*SPACE.enumerate()])
    specs = [SPACE.spec(row) for row in rows]
    fast = [spec for spec in specs if TABLE.predict(spec).ms <= LIMIT]
    assert found.best.macs == max(spec.macs for spec in fast)
    assert found.best.latency_ms == (pytest.approx(TABLE.predict(found.best.spec).ms),)
    assert found.best.accuracy is None
    assert len(found.evaluated) == len(fast) == len(found.problem.found)
    assert found.evaluated["figure"].max() == pytest.approx(found.best.macs / 1e6)
    assert (found.evaluated["predicted_ms"] <= LIMIT).all()


def test_it_shows_itself(found) -> None:
    assert "small: the best of" in repr(found)
    assert "<table" in found._repr_html_()
    frame = found.to_frame()
    assert list(frame["model"][:2]) == ["best", "front-1"]
    assert len(frame) == 1 + len(found.front)
    assert found.report()["out"] is None
    assert found.report()["figure_is"] == "millions of MACs, a proxy: no accuracy was measured"


def test_one_of_several_tables_is_enough_where_they_are_alternatives() -> None:
    other = table_of(SPACE, seed=1)
    pairs = [[t.predict(SPACE.spec(row)).ms for t in (TABLE, other)] for row in every(SPACE)]
    macs = [SPACE.spec(row).macs for row in every(SPACE)]
    limit = sorted(min(pair) for pair in pairs)[len(pairs) // 2]
    asked = {"max_latency": limit, "proxy": "macs", "algorithm": "exhaustive"}
    found = vitprof.search_models(SPACE, [TABLE, other], any_table=True, **asked)
    assert found.best.macs == max(
        m for m, pair in zip(macs, pairs, strict=True) if min(pair) <= limit
    )
    fastest = int(np.argmin(found.best.latency_ms))
    assert found.best.table == found.chosen == fastest
    assert min(found.best.latency_ms) <= limit
    report = found.report()
    assert report["predicted_ms"] == min(found.best.latency_ms)
    assert report["table"] == [TABLE, other][fastest].source
    with pytest.raises(UserError, match=r"1 `max_latency` for 2 `tables`.*`any_table`"):
        vitprof.search_models(SPACE, [TABLE, other], **asked)
    with pytest.raises(UserError, match="2 `max_latency` for 1 `tables`"):
        asked["max_latency"] = [limit, limit]
        vitprof.search_models(SPACE, [TABLE, other], any_table=True, **asked)


def test_it_is_drawn_and_saved(found, tmp_path) -> None:
    found.plot(tmp_path / "front.svg")
    assert "latency by the table" in (tmp_path / "front.svg").read_text()
    found.save(tmp_path / "found")
    names = {path.name for path in (tmp_path / "found").iterdir()}
    assert names == {"best", "front.csv", "front.png", "report.json"}
    again = vitprof.create_spec(tmp_path / "found" / "best" / "spec.json")
    assert again.blocks() == found.best.spec.blocks()


def test_a_table_by_its_path_and_a_folder_say_the_same(found, tmp_path) -> None:
    path = tmp_path / "lut.csv"
    TABLE.to_csv(path)
    told: list[str] = []
    run = vitprof.search_models(
        SPACE,
        path,
        max_latency=f"{LIMIT * 1e3}us",
        proxy="macs",
        algorithm="exhaustive",
        out=tmp_path / "out",
        progress=lambda stage, *_: told.append(stage),
    )
    assert [one.values for one in run.front] == [one.values for one in found.front]
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == run.report()
    assert len((tmp_path / "out" / "evaluations.jsonl").read_text().splitlines()) == 1 + len(
        run.evaluated
    )
    assert set(told) == {"every model"}
    with pytest.raises(UserError, match="finished run"):
        vitprof.search_models(
            SPACE,
            path,
            max_latency=f"{LIMIT * 1e3}us",
            proxy="macs",
            algorithm="exhaustive",
            out=tmp_path / "out",
        )
    anew = vitprof.search_models(
        SPACE,
        path,
        max_latency=LIMIT,
        proxy="params",
        algorithm="exhaustive",
        out=tmp_path / "out",
        fresh=True,
    )
    assert anew.report()["proxy"] == "params"


def test_a_winner_on_the_front_is_measured_once(monkeypatch) -> None:
    measured: list[list[str]] = []

    def fake(table, specs, purpose, on_progress):
        measured.append([spec.name for spec in specs])
        return [table.predict(spec).ms for spec in specs], True

    monkeypatch.setattr(remeasure, "verified_ms", fake)
    monkeypatch.setattr(module, "_why_not_here", lambda tables: [""] * len(tables))
    found = search(verify=True, winners=3)
    (names,) = measured
    assert names[0] == "best"
    assert "front-1" not in names
    assert len(names) == len(set(names)) == 3
    assert found.front[0].measured_ms == found.best.measured_ms
    assert sum(bool(one.measured_ms) for one in found.front) == 3
    assert found.is_fine


def test_a_winner_that_is_slower_than_its_limit_is_told(monkeypatch) -> None:
    monkeypatch.setattr(
        remeasure, "verified_ms", lambda table, specs, *_: ([2 * LIMIT] * len(specs), True)
    )
    monkeypatch.setattr(module, "_why_not_here", lambda tables: [""] * len(tables))
    found = search(verify=True)
    assert not found.is_fine
    assert "more than the limit" in found.exceeded[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"proxy": None}, "give `supernet` and `data`"),
        ({"proxy": "flops"}, "unknown `proxy` 'flops'"),
        ({"max_latency": "fast"}, "`max_latency`: 'fast' is not a latency"),
        ({"max_latency": None}, "nothing limits the model"),
        ({"max_latency": [1, 2]}, "2 `max_latency` for 1 `tables`"),
        ({"max_latency": 1e-9}, "no model of the space 'small' keeps the limits"),
        ({"algorithm": "greedy"}, "unknown `algorithm` 'greedy'"),
        ({"objective": "speed"}, "unknown `objective` 'speed'"),
        ({"mutation": 2}, "`mutation` is 2"),
        ({"min_accuracy": "80%"}, "`objective` cost"),
        ({"images": 3}, "`proxy` looks at no images"),
    ],
)
def test_what_cannot_be_is_one_sentence_in_words_of_python(options, words: str) -> None:
    with pytest.raises(UserError) as error:
        search(**options)
    assert words in str(error.value)
    assert "--" not in str(error.value)


def test_a_supernet_in_training_is_called_one(tmp_path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "run.json").write_text("{}")
    with pytest.raises(UserError, match="still being trained"):
        vitprof.search_models(
            tables=TABLE, supernet=tmp_path / "net", data="digits", max_latency="1ms"
        )
