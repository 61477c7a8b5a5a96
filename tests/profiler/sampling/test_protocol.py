"""The protocol as a header holds it."""

from __future__ import annotations

import json

from vitprof.profiler.sampling.protocol import MODEL_SAMPLING, TABLE_SAMPLING, Protocol
from vitprof.profiler.sampling.sampling_plan import SamplingPlan


def test_it_survives_json_unchanged() -> None:
    """A resumed table compares what it reads with what it would write."""
    protocol = Protocol(sessions=5, sampling=SamplingPlan(threads=2, timed_ms=0.1))
    values = protocol.as_dict()
    assert json.loads(json.dumps(values)) == values
    assert values["sessions"] == 5
    assert values["sampling"]["threads"] == 2


def test_whole_models_are_verified_as_a_table_measures_them() -> None:
    """With fewer runs in a row a small model is some per cent slower, and a table looks wrong."""
    assert MODEL_SAMPLING.runs_per_turn == TABLE_SAMPLING.runs_per_turn
    assert MODEL_SAMPLING.readings == TABLE_SAMPLING.readings
