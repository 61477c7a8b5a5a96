"""Measuring variants one at a time, each beside the same reference, and keeping the figures."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..backends import BackendError
from ..errors import UserError
from ..profiler.deployed.deployed import Deployed
from ..profiler.deployed.facts import Facts, facts_of
from ..profiler.target import locked_device
from ..progress import OnProgress, no_progress
from ..search.deployments.score import Measured, MeasuredLimits, Score, figure_of
from ..tables.setting import PartialSetting

if TYPE_CHECKING:
    import numpy as np

    from ..search.deployments.deployments import Variant, VariantSpace
    from ..search.evaluation_log import Key
    from ..training.data.images import Images, Normalisation

REFERENCE = "reference"


class FactsStore:
    """A file of JSON lines: what was measured under, then a line a variant, each on disk at once.

    It may hold more models than are asked for. models: a digest of each, by name. Raises UserError
    for a file of other images, another machine, or other models of the same names.
    """

    def __init__(self, path: Path, under: Mapping[str, Any], models: Mapping[str, str]) -> None:
        self.path = path
        self.models = models
        self.found: dict[str, Facts] = {}
        # What the reference took when the first one was measured: all others are brought to that.
        self.reference_ms: float | None = None
        if path.exists() and path.stat().st_size:
            self._read(dict(under))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._append({"vitprof-variants": 1, **under})

    def add(self, variant: Variant, facts: Facts, reference_ms: float) -> None:
        self.reference_ms = self.reference_ms or reference_ms
        self._append({
            "variant": variant.name, "model": variant.model, "digest": self.models[variant.model],
            "reference_ms": reference_ms, "facts": facts.as_dict(),
        })  # fmt: skip
        self.found[variant.name] = facts

    def _append(self, record: Mapping[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _read(self, under: dict[str, Any]) -> None:
        whole, _, torn = self.path.read_bytes().rpartition(b"\n")
        if torn:
            with self.path.open("r+b") as file:
                file.truncate(len(whole) + 1 if whole else 0)
        lines = whole.decode("utf-8", "replace").splitlines()
        differing = ""
        try:
            header, *records = [json.loads(line) for line in lines]
            before = {k: v for k, v in header.items() if k != "vitprof-variants"}
            for record in records:
                name, digest = record["model"], record["digest"]
                if self.models.get(name, digest) != digest:
                    differing = f"model {name}"
                self.found[record["variant"]] = Facts.from_dict(record["facts"])
                self.reference_ms = self.reference_ms or float(record["reference_ms"])
        except (ValueError, TypeError, KeyError, AttributeError):
            raise UserError(
                f"{self.path} is damaged or no record of measured variants; give another --facts."
            ) from None
        others = sorted(k for k in {**before, **under} if before.get(k) != under.get(k))
        differing = others[0] if others else differing
        if differing:
            raise UserError(
                f"{self.path} was measured with another {differing}; give another --facts."
            )


@dataclass
class VariantEvaluator:
    """Judges candidates by the score of what is measured of their variants.

    deploy: writes the file of a variant and returns it. images, norm: what it is tested on.
    """

    space: VariantSpace
    deploy: Callable[[Variant], Deployed]
    images: Images
    norm: Normalisation
    store: FactsStore
    score: Score
    limits: MeasuredLimits
    top: int
    sessions: int
    on_progress: OnProgress = no_progress
    measures: str = "score in points"
    asked: dict[Key, Measured] = field(default_factory=dict)

    def evaluate(self, population: np.ndarray) -> Iterator[tuple[int, float]]:
        """Yield the position and the figure of each candidate, one after the other."""
        from ..search.evaluation_log import key_of

        for position, candidate in enumerate(population):
            measured = self.measured(self.facts(self.space.variant(candidate)))
            self.asked[key_of(candidate)] = measured
            yield position, figure_of(measured, self.score, self.limits)

    def measured(self, facts: Facts) -> Measured:
        accuracy = facts.top3 if self.top == 3 else facts.top1
        assert accuracy is not None
        return Measured(
            accuracy, facts.latency_ms / facts.batch, facts.peak_bytes, facts.cpu_percent
        )

    def facts(self, variant: Variant) -> Facts:
        """Return what is known of a variant, measuring it where nothing is."""
        if variant.name not in self.store.found:
            reference = self.deploy(self._reference())
            pair = {variant.name: self.deploy(variant), REFERENCE: reference}
            tested = self._tested_already(variant)
            try:
                with locked_device(PartialSetting(), "vitprof choose", wait=math.inf):
                    found = facts_of(
                        pair, self.images, self.norm, self.sessions, self.on_progress,
                        to_test=() if tested else (variant.name,), with_memory=(variant.name,),
                    )  # fmt: skip
            except BackendError as error:
                raise UserError(f"{variant.name} cannot be run here: {error}.") from None
            beside = found[REFERENCE].latency_ms
            ratio = (self.store.reference_ms or beside) / beside
            facts = found[variant.name].scaled(ratio)
            self.store.add(variant, facts if tested is None else facts.with_test_of(tested), beside)
        return self.store.found[variant.name]

    def _reference(self) -> Variant:
        import numpy as np

        return self.space.variant(np.zeros(len(self.space.genes), dtype=np.int16))

    def _tested_already(self, variant: Variant) -> Facts | None:
        """Return the facts of the same file with other threads: its answers are the same."""
        for threads in self.space.threads:
            other = type(variant)(**{**vars(variant), "threads": threads})
            if other.name in self.store.found:
                return self.store.found[other.name]
        return None
