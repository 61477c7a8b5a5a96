"""The points to measure, and what has to run to measure each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from ..models import Block, Spec, find_op
from ..results import Result
from ..tables.row import Context

if TYPE_CHECKING:
    import pandas as pd

    from ..spaces.slabs import MeasuringSpace
    from .refinement import Refinement

# What is compiled and run: a whole model, or a chain of blocks each feeding the next.
Subject = Spec | tuple[Block, ...]

# In-network context: a block's cost is what this many further repeats add to a first one.
NETWORK_REPEATS = 4


# Of a kernel, so many run one after the other as take this long by a cautious guess: a call of the
# runtime costs microseconds itself.
KERNEL_RUN_MS = 0.2
MOST_REPEATS = 32
_SLOW_MACS_PER_MS, _SLOW_BYTES_PER_MS, _LEAST_MS = 4e7, 1e7, 0.002


def is_kernel(block: Block) -> bool:
    """Whether a block is one fused node of a runtime (`models/ops/kernels.py`)."""
    return block.definition.scattered is not None


def is_kernels(subject: Subject) -> bool:
    """Whether what is run is a kernel, once or repeated: it is built where it runs."""
    return not isinstance(subject, Spec) and is_kernel(subject[0])


def guessed_ms(block: Block) -> float:
    """Return about what a block takes on one core, before anything is measured."""
    return block.macs / _SLOW_MACS_PER_MS + block.bytes() / _SLOW_BYTES_PER_MS + _LEAST_MS


def kernel_repeats(block: Block) -> int:
    """Return how often a kernel is to run in one timed run; 1 for blocks of families."""
    if not is_kernel(block):
        return 1
    return int(min(max(math.ceil(KERNEL_RUN_MS / guessed_ms(block)), 1), MOST_REPEATS))


@dataclass(frozen=True)
class Part:
    """One executable of a point; the point's latency is the weighted sum over its parts."""

    subject: Subject
    weight: float


@dataclass(frozen=True)
class Point:
    """One thing to measure: a Block in a context, or a whole model (a Spec).

    `model` is the real model of the context "in_model": the block's cost is the model's latency
    less that of the model without such blocks, shared among those left out (AutoViT's
    leave-one-out, section 3.3, with every other occurrence left out instead of one).
    """

    subject: Block | Spec
    context: Context = "alone"
    model: Spec | None = None

    @property
    def key(self) -> tuple[object, str]:
        """The key of the row that this point becomes."""
        return (self.subject, self.context)

    @property
    def is_difference(self) -> bool:
        """Whether the latency is a difference of two, and so much noisier than either."""
        return len(self.parts) > 1

    @property
    def parts(self) -> list[Part]:
        """What to run. Repeats of a block have different weights, as layers of a network do."""
        if isinstance(self.subject, Spec):
            return [Part(self.subject, 1.0)]
        if self.context == "in_network":
            share = 1 / NETWORK_REPEATS
            return [
                Part((self.subject,) * (1 + NETWORK_REPEATS), share),
                Part((self.subject,), -share),
            ]
        if self.context == "in_model" and self.model is not None:
            blocks = self.model.blocks()
            places = [i for i, block in enumerate(blocks) if block == self.subject]
            # One of twelve would vanish in the luck of two sessions: every other one is left out.
            removed = set(places[::2])
            without = tuple(block for i, block in enumerate(blocks) if i not in removed)
            share = 1 / len(removed)
            return [Part(tuple(blocks), share), Part(without, -share)]
        repeats = kernel_repeats(self.subject)
        return [Part((self.subject,) * repeats, 1 / repeats)]

    @property
    def is_kernel(self) -> bool:
        """Whether it is a kernel of a runtime, which is quick and measured in larger groups."""
        return isinstance(self.subject, Block) and is_kernel(self.subject)

    def __str__(self) -> str:
        if isinstance(self.subject, Block):
            return str(self.subject)
        return f"model {self.subject.name}"


@dataclass(frozen=True)
class Plan(Result):
    """The points a table needs, each once, in the order of its rows.

    `search_space` is what they were taken from, as JSON values: it is kept in the table's header.
    With a `refinement` further points are found while these are measured. `seed` is that of the
    whole models and of the order of measuring. `representatives` are models that stand for those
    the table will be asked of: further sessions go where their predictions gain most. A plan that
    `may_grow` gets further points of runtimes that need them (`step_probes.py`).
    """

    points: Sequence[Point]
    search_space: Mapping[str, Any] | None = None
    refinement: Refinement | None = None
    seed: int = 0
    representatives: Sequence[Spec] = ()
    may_grow: bool = False

    @classmethod
    def of_blocks(
        cls, blocks: Sequence[Block], context: Context = "alone", models: Sequence[Spec] = ()
    ) -> Plan:
        """Return the plan of these blocks, and of whole models to calibrate them on.

        A block whose output is not shaped like its input cannot be repeated: the stem and the
        classifier are always measured alone.
        """
        points = [
            Point(block, context if block.input_shape == block.output_shape else "alone")
            for block in dict.fromkeys(blocks)
        ]
        return cls([*points, *(Point(spec, "in_model") for spec in dict.fromkeys(models))])

    @classmethod
    def in_model(cls, model: Spec) -> Plan:
        """Return the plan that measures every block of one model in its place."""
        points = []
        for block in dict.fromkeys(model.blocks()):
            if block.input_shape == block.output_shape:
                points.append(Point(block, "in_model", model))
            else:
                points.append(Point(block))
        if not any(point.is_difference for point in points):
            raise UserError(f"{model.name} has no block that could be left out.")
        return cls([*points, Point(model, "in_model")])

    def refined(self, space: MeasuringSpace, probes: Sequence[Block]) -> Plan:
        """Return the plan with the blocks of a finer `space`, and with `probes`."""
        assert self.refinement is not None, "only a plan with a refinement is refined"
        own = set(self.refinement.space.blocks())
        exact = [block for block in self.blocks if block not in own]
        finer = Plan.of_blocks(
            [*space.blocks(), *exact, *probes], self.refinement.context, self.models
        )
        return replace(self, points=finer.points)

    @property
    def blocks(self) -> list[Block]:
        """The blocks to measure."""
        return [point.subject for point in self.points if isinstance(point.subject, Block)]

    @property
    def models(self) -> list[Spec]:
        """The whole models that are measured beside them."""
        return [point.subject for point in self.points if isinstance(point.subject, Spec)]

    @property
    def axes(self) -> list[str]:
        """The axes of the blocks' ops, each once."""
        ops = dict.fromkeys(block.op for block in self.blocks)
        return list(dict.fromkeys(axis for op in ops for axis in find_op(op).axes))

    @property
    def title(self) -> str:
        """How many points of what kind there are."""
        more = f", to be refined up to {self.refinement.points}" if self.refinement else ""
        ops = ", ".join(f"{count} {op}" for op, count in self._ops().items())
        return f"Plan of {len(self.blocks)} blocks ({ops}){more} and {len(self.models)} models"

    def report(self) -> dict[str, Any]:
        """Return the numbers of points as JSON values."""
        return {"points": len(self.blocks), "models": len(self.models), "ops": self._ops()}

    def to_frame(self) -> pd.DataFrame:
        """Return a line a point: its op ("model" for a whole one), name, context and work."""
        import pandas as pd

        return pd.DataFrame(
            {
                "op": point.subject.op if isinstance(point.subject, Block) else "model",
                "name": str(point),
                "context": point.context,
                "macs": point.subject.macs,
                "params": point.subject.params,
            }
            for point in self.points
        )

    def _ops(self) -> dict[str, int]:
        return dict(Counter(block.op for block in self.blocks))
