"""Head measured here against a result of `vitprof bench --reference --json` of another time.

It is judged only where device, runtime and setting are the same: else it is refused.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...models import Spec
from ...models.checks import shown
from ...models.json_object import read_json_object
from ...profiler.regression.model_outputs import outputs_of
from ...profiler.regression.other_time import FEWEST_SESSIONS, Sessions, change_since
from ...profiler.regression.outcome import outcome_of
from ...progress import OnProgress
from ...results import plain
from ...tables.difference import first_difference
from ...tables.setting import Setting
from ...tables.sharing.plain_text import printable
from ..inputs import spec_of
from .check import REGRESSION, Check
from .measured import Comparison, name_of

SESSIONS, RUNS, WARMUP = 15, 30, 3
_BY = "vitprof bench --model MODEL --reference --sessions 10 --json"


@dataclass(frozen=True)
class StoredComparison(Comparison):
    """`base` is the file of the result."""

    def check(self, on_progress: OnProgress) -> Check:
        """Measure head. Raises UserError where the result is of elsewhere, or lacks something."""
        from ...profiler.place.environment import fingerprint
        from ...profiler.target import open_target
        from ...profiler.workshop import Workshop

        started = time.perf_counter()
        stored = StoredResult.read(Path(str(self.base)))
        head = spec_of(self.head, self.shapes, self.setting.batch)
        name = name_of(self.head, head)
        purpose = f"vitprof gate --base-result {stored.source} --head {name}"
        with open_target(self.setting, purpose) as target:
            stored.check_same(target.setting, fingerprint(target))
            with Workshop(target) as workshop:
                sessions, other = self._measured(name, head, stored, target, workshop, on_progress)
        change, low, high = change_since(stored.sessions, sessions)
        return Check(
            name,
            REGRESSION,
            outcome_of(low, high, self.limit),
            change,
            low,
            high,
            self.limit,
            stored.source,
            time.perf_counter() - started,
            warnings=(
                "its base was measured at another time: measured in one job, the interval is "
                "narrower",
                *other,
            ),
            remedy="measure base and head in one job",
            details={
                "base_ms": sorted(stored.sessions.ms)[len(stored.sessions.ms) // 2],
                "head_ms": sorted(sessions.ms)[len(sessions.ms) // 2],
                "sessions": len(sessions.ms),
                "sessions_disturbed": 0,
                "setting": target.setting.as_dict(),
            },
        )

    def _measured(
        self,
        name: str,
        head: Spec,
        stored: StoredResult,
        target: Any,
        workshop: Any,
        on_progress: OnProgress,
    ) -> tuple[Sessions, tuple[str, ...]]:
        """Return head's sessions, and what of it is other than its base where that is allowed."""
        from ...profiler.measure import measure_models
        from ...profiler.sampling.protocol import fixed_protocol
        from ...profiler.sampling.reference import standard_reference
        from ...tables.references import References

        beside = standard_reference(target.setting.batch)
        if str(beside) != stored.reference:
            raise UserError(
                f"{stored.source} has another reference ({printable(stored.reference)}) than "
                f"{beside}; measure it again: {_BY}."
            )
        outputs_of(name, head, workshop)  # built and run once, so that its outputs are known
        expected = workshop.expected(head)
        shapes = None if expected is None else [list(one.shape) for one in expected]
        other = stored.why_other(list(head.input_shape), shapes)
        if other:
            self.refuse(other)
        protocol = fixed_protocol(
            min(self.sessions, SESSIONS), WARMUP, RUNS, target.setting.threads
        )
        row = measure_models(
            [head],
            target,
            protocol=protocol,
            references=References(beside, beside),
            on_progress=on_progress,
            workshop=workshop,
        ).rows[0]
        if row.verdict == "failed":
            raise UserError(f"{name} cannot be run here: {printable(row.error, 500)}.")
        if len(row.session_ms) != len(row.reference_ms) or not row.session_ms:
            raise UserError("the reference cannot be run here, so other times cannot be compared.")
        return Sessions(row.session_ms, row.reference_ms), (f"{name} {other}",) if other else ()


@dataclass(frozen=True)
class StoredResult:
    """What a file of `bench --json` says of one model."""

    source: str
    sessions: Sessions
    setting: Setting
    environment: Mapping[str, Any]
    reference: str
    input_shape: list[int] | None
    output_shapes: list[list[int]] | None

    @classmethod
    def read(cls, path: Path) -> StoredResult:
        """Read the file; raises UserError for another one, and one that lacks the reference."""
        record, _ = read_json_object(path)
        source = printable(path)
        results = record.get("results")
        if "session_ms" not in record and isinstance(results, list) and len(results) != 1:
            raise UserError(f"{source} holds several models; store the one: {_BY}.")
        setting, environment = record.get("setting"), record.get("environment")
        if not isinstance(setting, dict) or not isinstance(environment, dict) or not environment:
            raise UserError(
                f"{source} does not say where and how it was measured, so it cannot be judged by; "
                f"write it with {_BY}."
            )
        ms, reference_ms = (_times(record, key, source) for key in ("session_ms", "reference_ms"))
        if not isinstance(record.get("reference"), str) or len(ms) != len(reference_ms):
            raise UserError(
                f"{source} was measured without a reference, so nothing tells whether the machine "
                f"is as fast now as it was then; write it with {_BY}."
            )
        if len(ms) < FEWEST_SESSIONS:
            raise UserError(
                f"{source} has {len(ms)} sessions, and {FEWEST_SESSIONS} are the fewest that say "
                f"how much they differ; write it with {_BY}."
            )
        return cls(
            source,
            Sessions(ms, reference_ms),
            Setting.from_dict(setting, source),
            environment,
            record["reference"],
            record.get("input_shape"),
            record.get("output_shapes"),
        )

    def check_same(self, setting: Setting, environment: Mapping[str, Any]) -> None:
        """Raise UserError unless it was measured under this setting, on this machine."""
        now = json.loads(json.dumps(plain(dict(environment))))
        if difference := first_difference(self.environment, now):
            raise UserError(
                f"{self.source} was measured on another machine or runtime "
                f"({printable(difference, 300)}), so it is not a base for this one; measure base "
                "and head in one job (`base` and `head`)."
            )
        if difference := self.setting.difference(setting):
            raise UserError(
                f"{self.source} was measured otherwise ({printable(difference, 300)}); give the "
                "same, or measure base and head in one job (`base` and `head`)."
            )

    def why_other(self, inputs: list[int], outputs: list[list[int]] | None) -> str:
        """Return in which shape a model differs, "" where in none that is known."""
        if self.input_shape is not None and self.input_shape != inputs:
            return f"takes images of {inputs}, and the base of {printable(self.input_shape)}"
        known = self.output_shapes is not None and outputs is not None
        if known and self.output_shapes != outputs:
            return f"gives outputs of {outputs}, and the base of {printable(self.output_shapes)}"
        return ""


def _times(record: Mapping[str, Any], key: str, source: str) -> list[float]:
    """Return a list of times above 0."""
    values = record.get(key, [])
    is_list = isinstance(values, list) and len(values) <= 10_000
    if not is_list or not all(_is_time(value) for value in values):
        raise UserError(f"{source}: {key} is {shown(values)}, not a list of times; it is damaged.")
    return [float(value) for value in values]


def _is_time(value: object) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and 0 < value < 1e9  # type: ignore[operator]
