"""One way to deploy one model: what is run, and how."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ...tables.picture import threads_in_words


@dataclass(frozen=True)
class Variant:
    """A trained model with a token schedule and an input resolution: what has an accuracy.

    tokens: how many each layer merges, 0 for none; resolution: pixels of a side; macs and params:
    of one image.
    """

    model: str
    tokens: int = 0
    resolution: int = 0
    family: str = field(default="", compare=False)
    macs: int = field(default=1, compare=False)
    params: int = field(default=1, compare=False)

    @property
    def name(self) -> str:
        merged = f", {self.tokens} merged" if self.tokens else ""
        pixels = f", {self.resolution} px" if self.resolution else ""
        return f"{self.model}{merged}{pixels}"


@dataclass(frozen=True)
class Way:
    """How a model is run: a runtime, a number format, its threads, and images a run."""

    runtime: str
    dtype: str = "fp32"
    threads: int = 1
    batch: int = 1

    @property
    def name(self) -> str:
        threads = f", {threads_in_words(self.threads)}" if self.threads > 1 else ""
        batch = f", batch {self.batch}" if self.batch > 1 else ""
        return f"{self.runtime} {self.dtype}{threads}{batch}"


@dataclass(frozen=True)
class Deployment:
    """A variant, run in one way."""

    variant: Variant
    way: Way

    @property
    def name(self) -> str:
        return f"{self.variant.name}, {self.way.name}"


def every_deployment(variants: Iterable[Variant], ways: Sequence[Way]) -> list[Deployment]:
    """Return every variant in every way, variant after variant."""
    return [Deployment(variant, way) for variant in variants for way in ways]
