"""What Core ML ESTIMATES of a model's operations before it runs: never measured, never a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

_UNIT_OF_CLASS = {
    "MLCPUComputeDevice": "cpu",
    "MLGPUComputeDevice": "gpu",
    "MLNeuralEngineComputeDevice": "ane",
}


@dataclass(frozen=True)
class EstimatedShare:
    """One operation in Core ML's compute plan.

    `estimated_share` is the plan's guess, from 0 to 1, of the operation's part of the whole model;
    `planned_unit` ("cpu", "gpu" or "ane") is where Core ML prefers to run it. Each is None where
    the plan does not tell. Core ML times no operation: these are estimates and nothing else.
    """

    operator: str
    output: str
    planned_unit: str | None
    estimated_share: float | None


def estimated_shares(plan: Any) -> list[EstimatedShare]:
    """Return the operations of coremltools' MLComputePlan in their order, constants left out."""
    program = plan.model_structure.program
    if program is None:
        return []
    return [
        _share(plan, operation)
        for function in program.functions.values()
        for operation in _operations(function.block.operations)
    ]


def _operations(operations: Iterable[Any]) -> Iterator[Any]:
    """Yield the operations and those nested in them, but no constants."""
    for operation in operations:
        if operation.operator_name.rpartition(".")[2] != "const":
            yield operation
        for block in operation.blocks:
            yield from _operations(block.operations)


def _share(plan: Any, operation: Any) -> EstimatedShare:
    usage = plan.get_compute_device_usage_for_mlprogram_operation(operation)
    cost = plan.get_estimated_cost_for_mlprogram_operation(operation)
    unit = None if usage is None else type(usage.preferred_compute_device).__name__
    return EstimatedShare(
        operator=operation.operator_name,
        output=operation.outputs[0].name if operation.outputs else "",
        planned_unit=None if unit is None else _UNIT_OF_CLASS.get(unit, unit),
        estimated_share=None if cost is None else float(cost.weight),
    )
