"""A table is of this machine and runtime, or it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from vitprof.profiler.place.environment import check_same_machine, fingerprint, observed
from vitprof.profiler.target import Target
from vitprof.tables import LatencyTable, Setting


def test_the_fingerprint_is_json_and_stays_the_same(backend: Any, toy_setting: Setting) -> None:
    target = Target(backend, toy_setting)
    print_ = fingerprint(target)
    assert json.loads(json.dumps(print_)) == print_ == fingerprint(target)
    assert set(print_) == {"machine", "runtime"}
    assert not set(print_["machine"]) & set(observed())
    json.dumps(observed())


def test_a_table_of_another_machine_or_runtime_is_refused(
    backend: Any, toy_setting: Setting, refused: Callable[..., object]
) -> None:
    target = Target(backend, toy_setting)
    here = fingerprint(target)
    check_same_machine(LatencyTable([], toy_setting, here), target)
    other_cpu = here | {"machine": here["machine"] | {"cpu": "another"}}
    other_runtime = here | {"runtime": here["runtime"] | {"version": "0.9"}}
    for environment, where in (
        (other_cpu, "machine.cpu"),
        (other_runtime, "runtime.version"),
        ({}, "machine"),
    ):
        table = LatencyTable([], toy_setting, environment, source="there.csv")
        with refused("there.csv", where, "another machine"):
            check_same_machine(table, target)
